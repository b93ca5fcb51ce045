#include "libdns/server/udp.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <unordered_map>

#include "libdns/server/compose.h"
#include "libmail/async/poll.h"

namespace posthorn::dns {

using async::Task;

namespace {

constexpr std::size_t batch = 32;
constexpr std::size_t tiny_octets = 512;     // passes everywhere
constexpr std::size_t packet_octets = 4096;  // no question is longer; one that is gets FORMERR

bool is_wildcard(int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) return false;
  if (address.ss_family == AF_INET)
    return reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr == INADDR_ANY;
  return IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
}

void prepare(int socket) {
  const int on = 1;
  // Nothing leaves in fragments: what ICMP messages say is not heard, and what is too long for the
  // interface comes back as EMSGSIZE (RFC 9715).
  const int whole = IP_PMTUDISC_INTERFACE;
  const int buffer = 4 << 20;
  ::setsockopt(socket, IPPROTO_IP, IP_MTU_DISCOVER, &whole, sizeof whole);
  ::setsockopt(socket, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &whole, sizeof whole);
  ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  if (!is_wildcard(socket)) return;
  ::setsockopt(socket, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
  ::setsockopt(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
}

// What the kernel said about the packet, as it wants to hear it about the answer: which address, by
// any interface.
std::size_t answer_control(msghdr& header) {
  for (cmsghdr* each = CMSG_FIRSTHDR(&header); each != nullptr; each = CMSG_NXTHDR(&header, each)) {
    if (each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(each), sizeof info);
      info.ipi_spec_dst = info.ipi_addr;
      info.ipi_ifindex = 0;
      std::memcpy(CMSG_DATA(each), &info, sizeof info);
    }
  }
  return header.msg_controllen;
}

// One datagram, later than the batch it was asked in.
class UdpSink final : public Sink {
 public:
  UdpSink(int socket, const DatagramWay& way, UdpCounters& counters)
      : socket_(socket), way_(way), counters_(counters) {}

  Task<bool> send(std::string message) override {
    iovec piece{message.data(), message.size()};
    msghdr header{};
    header.msg_name = &way_.peer;
    header.msg_namelen = way_.peer_octets;
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    header.msg_control = way_.used == 0 ? nullptr : way_.control.data();
    header.msg_controllen = way_.used;
    ssize_t sent = ::sendmsg(socket_, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EMSGSIZE) {
      truncate(message);
      piece = {message.data(), message.size()};
      sent = ::sendmsg(socket_, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (sent < 0) ++counters_.unsent;
    co_return false;
  }
  [[nodiscard]] const DatagramWay* datagram() const override { return &way_; }

 private:
  int socket_;
  DatagramWay way_;
  UdpCounters& counters_;
};

}  // namespace

struct UdpServer::State {
  State(int fd, Responder& with, UdpLimits most)
      : socket(fd), responder(with), limits(most), watch(fd, [this](bool, bool) { read(); }) {
    prepare(socket);
    packets.resize(batch * packet_octets);
    watch.want(true, false);
  }

  void read();
  std::size_t receive();
  void answer(std::size_t index);
  void answer_later(std::string packet, const Client& client, const DatagramWay& way);
  void send();
  Task<void> finish(std::string packet, Client client, DatagramWay way);

  int socket;
  Responder& responder;
  UdpLimits limits;
  UdpCounters counters;
  async::Scope scope;
  async::FdWatch watch;
  std::size_t waiting = 0;
  std::unordered_map<std::string, std::size_t> waiting_of;  // by the client's address

  std::string packets;
  std::array<DatagramWay, batch> ways;
  std::array<iovec, batch> pieces{};
  std::array<mmsghdr, batch> in{};
  std::array<std::string, batch> answers;
  std::array<iovec, batch> answer_pieces{};
  std::array<mmsghdr, batch> out{};
  std::size_t out_count = 0;
};

std::size_t UdpServer::State::receive() {
  for (std::size_t i = 0; i < batch; ++i) {
    pieces[i] = {packets.data() + i * packet_octets, packet_octets};
    msghdr& header = in[i].msg_hdr;
    header = msghdr{};
    header.msg_name = &ways[i].peer;
    header.msg_namelen = sizeof ways[i].peer;
    header.msg_iov = &pieces[i];
    header.msg_iovlen = 1;
    header.msg_control = ways[i].control.data();
    header.msg_controllen = datagram_control_octets;
  }
  const int count = ::recvmmsg(socket, in.data(), batch, MSG_DONTWAIT, nullptr);
  return count < 0 ? 0 : static_cast<std::size_t>(count);
}

void UdpServer::State::read() {
  for (std::size_t read = 0; read < limits.packets_a_turn;) {
    const std::size_t count = receive();
    if (count == 0) return;
    ++counters.batches;
    read += count;
    out_count = 0;
    for (std::size_t i = 0; i < count; ++i) answer(i);
    send();
    if (count < batch) return;
  }
}

void UdpServer::State::answer(std::size_t index) {
  msghdr& header = in[index].msg_hdr;
  DatagramWay& way = ways[index];
  way.socket = socket;
  way.peer_octets = header.msg_namelen;
  way.used = header.msg_controllen == 0 ? 0 : answer_control(header);
  const Client client = client_of(way.peer);
  if (client.port == 0) return;
  const std::string_view packet(packets.data() + index * packet_octets, in[index].msg_len);
  std::string& reply = answers[out_count];
  switch (responder.answer(packet, client, reply)) {
    case Responder::Outcome::answered: {
      answer_pieces[out_count] = {reply.data(), reply.size()};
      msghdr& answer = out[out_count].msg_hdr;
      answer = msghdr{};
      answer.msg_name = &way.peer;
      answer.msg_namelen = way.peer_octets;
      answer.msg_iov = &answer_pieces[out_count];
      answer.msg_iovlen = 1;
      answer.msg_control = way.used == 0 ? nullptr : way.control.data();
      answer.msg_controllen = way.used;
      ++out_count;
      return;
    }
    case Responder::Outcome::later:
      answer_later(std::string(packet), client, way);
      return;
    case Responder::Outcome::nothing:
      return;
  }
}

void UdpServer::State::answer_later(std::string packet, const Client& client,
                                    const DatagramWay& way) {
  const auto of_client = waiting_of.find(std::string(client.octets()));
  if (waiting >= limits.waiting ||
      (of_client != waiting_of.end() && of_client->second >= limits.waiting_each_client)) {
    ++counters.overflows;
    return;
  }
  scope.spawn(finish(std::move(packet), client, way));
}

void UdpServer::State::send() {
  for (std::size_t at = 0; at < out_count;) {
    const int sent = ::sendmmsg(socket, out.data() + at, static_cast<unsigned>(out_count - at),
                                MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
      at += static_cast<std::size_t>(sent);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EMSGSIZE && answers[at].size() > tiny_octets) {
      truncate(answers[at]);
      answer_pieces[at] = {answers[at].data(), answers[at].size()};
      continue;
    }
    // The first of them can't be sent (no route, a full buffer): it is lost, as UDP may lose it.
    ++counters.unsent;
    ++at;
  }
}

Task<void> UdpServer::State::finish(std::string packet, Client client, DatagramWay way) {
  const std::string key(client.octets());
  ++waiting;
  ++waiting_of[key];
  UdpSink sink(socket, way, counters);
  co_await responder.answer_later(std::move(packet), client, sink);
  --waiting;
  if (--waiting_of[key] == 0) waiting_of.erase(key);
}

UdpServer::UdpServer(int socket, Responder& responder, UdpLimits limits)
    : state_(std::make_unique<State>(socket, responder, limits)) {}

UdpServer::~UdpServer() = default;

void UdpServer::stop() {
  state_->watch.want(false, false);
}

void UdpServer::take(std::string packet, const DatagramWay& way) {
  Query query;
  read_query(packet, query);
  const bool is_transfer = query.type == Type::axfr || query.type == Type::ixfr;
  const bool is_special =
      query.form == Query::Form::special || (query.form == Query::Form::plain && is_transfer);
  const Client client = client_of(way.peer);
  if (!is_special || client.port == 0 || !MessageView::parse(packet)) return;
  state_->answer_later(std::move(packet), client, way);
}

Task<void> UdpServer::join() {
  co_await state_->scope.join();
}

const UdpCounters& UdpServer::counters() const {
  return state_->counters;
}

}  // namespace posthorn::dns
