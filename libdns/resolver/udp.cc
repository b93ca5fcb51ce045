#include "libdns/resolver/udp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "libdns/resolver/match.h"
#include "libdns/wire/message.h"
#include "libmail/async/poll.h"
#include "libmail/base/random.h"

namespace posthorn::dns {

namespace {

// Ports that are taken are passed over so often; then the kernel draws one.
constexpr int port_draws = 16;

// Packets are never larger than we ask for, so the path's size limit doesn't matter; a forged ICMP
// message must not make the kernel fragment for us.
void ignore_path_mtu(int socket, int family) {
  const int omit = family == AF_INET6 ? IPV6_PMTUDISC_OMIT : IP_PMTUDISC_OMIT;
  if (family == AF_INET6) {
    ::setsockopt(socket, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &omit, sizeof omit);
  } else {
    ::setsockopt(socket, IPPROTO_IP, IP_MTU_DISCOVER, &omit, sizeof omit);
  }
}

// A reply that came in fragments may have another's second one: ids of IP are easy to guess, and the
// first fragment alone has our port, id and letters. The kernel tells of what it put together.
void tell_of_fragments(int socket, int family) {
  const int on = 1;
  if (family == AF_INET6) {
    ::setsockopt(socket, IPPROTO_IPV6, IPV6_RECVFRAGSIZE, &on, sizeof on);
  } else {
    ::setsockopt(socket, IPPROTO_IP, IP_RECVFRAGSIZE, &on, sizeof on);
  }
}

bool came_in_fragments(msghdr& header) {
  for (cmsghdr* each = CMSG_FIRSTHDR(&header); each != nullptr; each = CMSG_NXTHDR(&header, each)) {
    const bool v4 = each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_RECVFRAGSIZE;
    const bool v6 = each->cmsg_level == IPPROTO_IPV6 && each->cmsg_type == IPV6_RECVFRAGSIZE;
    if (v4 || v6) return true;
  }
  return false;
}

bool is_ours(int code) {
  return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM ||
         code == EADDRNOTAVAIL;
}

void bind_random_port(int socket, int family, const NetworkSettings& settings) {
  const std::uint64_t ports = settings.last_port - settings.first_port + 1;
  for (int draw = 0; draw < port_draws; ++draw) {
    const auto port = static_cast<std::uint16_t>(settings.first_port + random_u64() % ports);
    const auto any = socket_address(family == AF_INET6 ? "::" : "0.0.0.0", port);
    if (any && ::bind(socket, reinterpret_cast<const sockaddr*>(any->storage), any->length) == 0)
      return;
    if (errno != EADDRINUSE && errno != EACCES) return;
  }
}

}  // namespace

std::optional<SocketAddress> socket_address(const std::string& literal, std::uint16_t port) {
  SocketAddress address;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  static_assert(sizeof v6 <= sizeof address.storage);
  if (::inet_pton(AF_INET, literal.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(address.storage, &v4, sizeof v4);
    address.length = sizeof v4;
    address.family = AF_INET;
    return address;
  }
  if (::inet_pton(AF_INET6, literal.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(address.storage, &v6, sizeof v6);
    address.length = sizeof v6;
    address.family = AF_INET6;
    return address;
  }
  return std::nullopt;
}

struct UdpAsker::Asking {
  UdpAsker* asker;
  Asking* previous = nullptr;
  Asking* next = nullptr;
  async::Event ready;

  explicit Asking(UdpAsker* of) : asker(of), next(of->first_) {
    if (next != nullptr) next->previous = this;
    of->first_ = this;
  }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;
  ~Asking() {
    if (next != nullptr) next->previous = previous;
    if (previous != nullptr) previous->next = next;
    if (asker->first_ == this) asker->first_ = next;
    if (asker->first_ == nullptr) asker->none_.set();
  }
};

Result<Fd, IoError> UdpAsker::open_socket(const async::Endpoint& to) const {
  const auto address = socket_address(to.host, to.port);
  if (!address) return fail(IoError(EINVAL, "ask", to.text()));
  Fd socket(::socket(address->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return fail(io_error("open a socket for", to.text()));
  ignore_path_mtu(socket.get(), address->family);
  tell_of_fragments(socket.get(), address->family);
  bind_random_port(socket.get(), address->family, settings_);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(address->storage),
                address->length) != 0)
    return fail(io_error("ask", to.text()));
  return socket;
}

std::optional<Result<std::string, ExchangeError>> UdpAsker::receive(int socket,
                                                                    std::string_view query,
                                                                    const std::string& from) {
  using Kind = ExchangeError::Kind;
  landing_.resize(max_message_octets);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  iovec piece{landing_.data(), landing_.size()};
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t count = ::recvmsg(socket, &header, 0);
  if (count < 0) {
    if (errno == EAGAIN || errno == EINTR) return std::nullopt;
    return fail(ExchangeError(Kind::network, io_error("read", from).text()));
  }
  if (came_in_fragments(header))
    return fail(ExchangeError(Kind::mismatch, "a reply in fragments from " + from));
  const auto packet = std::string_view(landing_).substr(0, static_cast<std::size_t>(count));
  if (is_reply_to(query, packet, LetterCase::exact)) return std::string(packet);
  return fail(ExchangeError(Kind::mismatch, "wrong id or question from " + from));
}

async::Task<Result<std::string, ExchangeError>> UdpAsker::ask(async::Endpoint to, std::string query,
                                                              async::Deadline deadline) {
  using Kind = ExchangeError::Kind;
  if (closed_) co_return fail(ExchangeError(Kind::cancelled, "closed"));
  const std::string name = to.text();
  Result<Fd, IoError> socket = open_socket(to);
  if (!socket) {
    const Kind kind = is_ours(socket.error().code) ? Kind::no_socket : Kind::network;
    co_return fail(ExchangeError(kind, socket.error().text()));
  }
  Asking asking(this);
  if (::send(socket->get(), query.data(), query.size(), MSG_NOSIGNAL) < 0)
    co_return fail(ExchangeError(Kind::network, io_error("ask", name).text()));

  async::FdWatch watch(socket->get(), [&asking](bool, bool) { asking.ready.set(); });
  watch.want(true, false);
  for (;;) {
    const bool woken = co_await asking.ready.wait_until(deadline);
    if (closed_) co_return fail(ExchangeError(Kind::cancelled, "closed"));
    asking.ready.reset();
    // Also at the deadline: a busy loop looks at its timers before its sockets.
    auto outcome = receive(socket->get(), query, name);
    if (outcome) co_return std::move(*outcome);
    if (!woken) co_return fail(ExchangeError(Kind::timed_out, "no answer from " + name));
  }
}

async::Task<void> UdpAsker::close() {
  closed_ = true;
  if (first_ == nullptr) co_return;
  none_.reset();
  for (Asking* one = first_; one != nullptr; one = one->next) one->ready.set();
  co_await none_.wait();
}

}  // namespace posthorn::dns
