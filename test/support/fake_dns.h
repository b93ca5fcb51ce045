// A small DNS server for tests: UDP and TCP on one loopback port, on a thread of its own. It answers from records, and
// a test may put any behaviour in place of that: silence, garbage, lies.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "libdns/wire/address.h"
#include "libdns/wire/builder.h"
#include "libmail/base/fd.h"
#include "libmail/base/result.h"

namespace posthorn::test {

class FakeDns {
 public:
  struct Query {
    dns::MessageView message;
    std::string octets;
    bool tcp = false;
    [[nodiscard]] dns::Question question() const { return message.questions()[0].question(); }
  };
  // The packets to send back for a query, in order; none is silence.
  using Handler = std::function<std::vector<std::string>(const Query&)>;

  explicit FakeDns(const std::string& address = "127.0.0.1") : address_(address) {
    // The port that is free for the one may be somebody's for the other.
    for (int attempt = 0; attempt < 100 && !tcp_; ++attempt) {
      udp_ = bound(SOCK_DGRAM, 0);
      tcp_ = bound(SOCK_STREAM, port_);
    }
    check(bool(tcp_), "a port that is free for UDP and TCP");
    check(::listen(tcp_.get(), 64) == 0, "listen");
    int ends[2];
    check(::pipe(ends) == 0, "pipe");
    stop_read_ = Fd(ends[0]);
    stop_write_ = Fd(ends[1]);
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeDns() {
    stop_write_.reset();
    thread_.join();
  }
  FakeDns(const FakeDns&) = delete;
  FakeDns& operator=(const FakeDns&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const std::string& address() const { return address_; }
  // How many queries came, and how many of them by TCP.
  [[nodiscard]] unsigned queries() const { return queries_; }
  [[nodiscard]] unsigned tcp_queries() const { return tcp_queries_; }

  // "example.org", "10 mx.example.org" and so on; one record a call.
  void add_a(std::string_view owner, std::string_view address) {
    add(owner, *dns::parse_a(address));
  }
  void add_aaaa(std::string_view owner, std::string_view address) {
    add(owner, *dns::parse_aaaa(address));
  }
  void add_mx(std::string_view owner, std::uint16_t preference, std::string_view exchange) {
    add(owner, dns::Mx{preference, name(exchange)});
  }
  void add_cname(std::string_view owner, std::string_view target) {
    add(owner, dns::Cname{name(target)});
  }
  void add(std::string_view owner, dns::Rdata data) {
    const std::scoped_lock lock(mutex_);
    records_.emplace_back(name(owner), 300, std::move(data));
  }
  // Replaces answering from records.
  void handle(Handler handler) {
    const std::scoped_lock lock(mutex_);
    handler_ = std::move(handler);
  }
  // AD in every answer.
  void set_authentic(bool authentic) { authentic_ = authentic; }

  [[nodiscard]] static dns::Name name(std::string_view text) { return *dns::Name::parse(text); }

  // A reply header for `query`, to build on.
  [[nodiscard]] static dns::Header reply_header(const Query& query) {
    dns::Header header;
    header.id = query.message.header().id;
    header.response = true;
    header.recursion_desired = header.recursion_available = true;
    return header;
  }
  // An empty reply with that rcode, EDNS and perhaps an extended error.
  [[nodiscard]] static std::string failure(const Query& query, dns::Rcode rcode,
                                           const dns::ExtendedError* error = nullptr) {
    dns::MessageBuilder builder(reply_header(query));
    dns::EdnsSettings edns;
    if (error != nullptr) edns.add(*error);
    check(builder.edns(std::move(edns)) && builder.question(query.question()), "a reply has room");
    builder.set_rcode(rcode);
    return builder.finish();
  }
  // What the records say, following aliases, with an SOA where there is nothing.
  [[nodiscard]] std::string answer(const Query& query) {
    const std::scoped_lock lock(mutex_);
    return answer_locked(query);
  }

 private:
  // Nothing if the port is taken; 0 = any.
  Fd bound(int type, std::uint16_t port) {
    Fd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    check(::inet_pton(AF_INET, address_.c_str(), &at.sin_addr) == 1, "an IPv4 address");
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) return {};
    socklen_t size = sizeof at;
    check(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&at), &size) == 0, "getsockname");
    port_ = ntohs(at.sin_port);
    return fd;
  }

  void serve() {
    for (;;) {
      pollfd polled[3] = {
          {stop_read_.get(), POLLIN, 0}, {udp_.get(), POLLIN, 0}, {tcp_.get(), POLLIN, 0}};
      if (::poll(polled, 3, -1) < 0) continue;
      if (polled[0].revents != 0) return;
      if (polled[1].revents != 0) serve_datagram();
      if (polled[2].revents != 0) serve_connection();
    }
  }

  void serve_datagram() {
    char buffer[4096];
    sockaddr_in from{};
    socklen_t size = sizeof from;
    const ssize_t got =
        ::recvfrom(udp_.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (got <= 0) return;
    for (const std::string& reply : replies({buffer, static_cast<std::size_t>(got)}, false)) {
      ::sendto(udp_.get(), reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }

  // One query a connection; whoever sends nothing for a second is sent away.
  void serve_connection() {
    const Fd client(::accept4(tcp_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) return;
    const timeval second{1, 0};
    ::setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    const auto read_exactly = [&client](std::size_t count) {
      std::string octets(count, '\0');
      std::size_t got = 0;
      while (got < count) {
        const ssize_t n = ::recv(client.get(), octets.data() + got, count - got, 0);
        if (n <= 0) return std::string();
        got += static_cast<std::size_t>(n);
      }
      return octets;
    };
    const std::string length = read_exactly(2);
    if (length.empty()) return;
    const std::string query = read_exactly(dns::Reader(length).u16());
    for (const std::string& reply : replies(query, true)) {
      dns::Writer framed;
      framed.u16(static_cast<std::uint16_t>(reply.size()));
      framed.octets(reply);
      ::send(client.get(), framed.out().data(), framed.size(), MSG_NOSIGNAL);
    }
  }

  std::vector<std::string> replies(std::string octets, bool tcp) {
    Query query;
    query.octets = std::move(octets);
    query.tcp = tcp;
    auto parsed = dns::MessageView::parse(query.octets);
    if (!parsed || parsed->questions().size() != 1) return {};
    query.message = std::move(*parsed);
    ++queries_;
    if (tcp) ++tcp_queries_;
    Handler handler;
    {
      const std::scoped_lock lock(mutex_);
      handler = handler_;
    }
    if (handler) return handler(query);
    return {answer(query)};
  }

  std::string answer_locked(const Query& query) {
    const dns::Question question = query.question();
    std::vector<dns::Record> found;
    dns::Name at = question.name;
    bool exists = false;
    for (int step = 0; step < 10; ++step) {
      const dns::Record* alias = nullptr;
      exists = false;
      bool hit = false;
      for (const dns::Record& record : records_) {
        if (record.owner.is_at_or_below(at)) exists = true;
        if (!(record.owner == at)) continue;
        if (record.type() == question.type) {
          found.push_back(record);
          hit = true;
        } else if (record.type() == dns::Type::cname) {
          alias = &record;
        }
      }
      if (hit || alias == nullptr) break;
      found.push_back(*alias);
      at = alias->as<dns::Cname>()->target;
    }
    dns::Header header = reply_header(query);
    header.authentic_data = authentic_;
    // Only who says that it understands EDNS gets more than 512 octets.
    const auto& edns = query.message.edns();
    dns::MessageBuilder builder(header, query.tcp ? dns::max_message_octets
                                        : edns    ? edns->udp_octets
                                                  : 512);
    if (edns) check(builder.edns(dns::EdnsSettings()), "a reply has room");
    check(builder.question(question), "a reply has room");
    if (!exists) builder.set_rcode(dns::Rcode::nxdomain);
    for (const dns::Record& record : found) {
      if (!builder.answer(record)) builder.set_truncated();
    }
    if (found.empty() || found.back().type() == dns::Type::cname) {
      dns::Soa soa;
      soa.minimum = 60;
      if (!builder.authority(dns::Record(dns::Name(), 600, soa))) builder.set_truncated();
    }
    return builder.finish();
  }

  std::string address_;
  std::uint16_t port_ = 0;
  Fd udp_, tcp_, stop_read_, stop_write_;
  std::mutex mutex_;
  std::vector<dns::Record> records_;
  Handler handler_;
  std::atomic<bool> authentic_{false};
  std::atomic<unsigned> queries_{0}, tcp_queries_{0};
  std::thread thread_;
};

}  // namespace posthorn::test
