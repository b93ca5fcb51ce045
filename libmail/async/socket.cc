#include "libmail/async/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "libmail/async/event.h"
#include "libmail/async/files.h"
#include "libmail/async/loop.h"
#include "libmail/async/poll.h"
#include "libmail/base/text.h"

namespace posthorn::async {
namespace {

constexpr int listen_backlog = 1024;
constexpr auto out_of_descriptors_pause = std::chrono::milliseconds(100);

// A socket address of any family.
struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

std::optional<Address> literal_address(const std::string& host, std::uint16_t port) {
  Address address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  if (::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.length = sizeof *v4;
    return address;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (::inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.length = sizeof *v6;
    return address;
  }
  return std::nullopt;
}

Address unix_address(const std::string& path) {
  Address address;
  auto* local = reinterpret_cast<sockaddr_un*>(&address.storage);
  local->sun_family = AF_UNIX;
  std::memcpy(local->sun_path, path.data(), std::min(path.size(), sizeof local->sun_path - 1));
  address.length = sizeof *local;
  return address;
}

// All addresses of a host name; may block. Empty with errno-like code in `error` if there is none.
std::vector<Address> look_up(const std::string& host, std::uint16_t port, bool passive,
                             int& error) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = passive ? AI_PASSIVE : AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const bool any = host.empty() || host == "*";
  const int result =
      ::getaddrinfo(any ? nullptr : host.c_str(), std::to_string(port).c_str(), &hints, &found);
  std::vector<Address> addresses;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    Address address;
    std::memcpy(&address.storage, each->ai_addr, each->ai_addrlen);
    address.length = each->ai_addrlen;
    addresses.push_back(address);
  }
  if (found != nullptr) ::freeaddrinfo(found);
  error = result == EAI_AGAIN ? EAGAIN : ENXIO;
  return addresses;
}

void describe(const Address& address, std::string& host, std::uint16_t& port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
    ::inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
    port = ntohs(v4->sin_port);
  } else if (address.storage.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    // A v4 client of a v6 socket is known by its v4 address, or lists of networks would miss it.
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
      ::inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text.data(), text.size());
    } else {
      ::inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size());
    }
    port = ntohs(v6->sin6_port);
  }
  host = text.data();
}

Endpoint endpoint_of(int fd) {
  Address address;
  address.length = sizeof address.storage;
  Endpoint endpoint;
  if (::getsockname(fd, address.get(), &address.length) != 0) return endpoint;
  if (address.storage.ss_family == AF_UNIX) {
    return Endpoint::unix_path(reinterpret_cast<sockaddr_un*>(&address.storage)->sun_path);
  }
  endpoint.kind = Endpoint::Kind::inet;
  describe(address, endpoint.host, endpoint.port);
  return endpoint;
}

void set_no_delay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Task<Result<Fd, IoError>> connect_to(Address to, const Address* source, std::string subject,
                                     Deadline deadline) {
  Fd fd(::socket(to.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) co_return fail(io_error("socket", subject));
  if (source != nullptr && ::bind(fd.get(), source->get(), source->length) != 0) {
    co_return fail(io_error("bind to the source address for", subject));
  }
  if (::connect(fd.get(), to.get(), to.length) != 0) {
    if (errno == EAGAIN && to.storage.ss_family == AF_UNIX) {
      // The listener's backlog is full; there is no event for room in it.
      co_return fail(IoError(EAGAIN, "connect to", subject));
    }
    if (errno != EINPROGRESS) co_return fail(io_error("connect to", subject));
    Event ready;
    FdWatch watch(fd.get(), [&ready](bool, bool) { ready.set(); });
    watch.want(false, true);
    const bool in_time = co_await ready.wait_until(deadline);
    if (!in_time) co_return fail(IoError(IoError::timed_out, "connect to", subject));
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) co_return fail(IoError(error, "connect to", subject));
  }
  if (to.storage.ss_family != AF_UNIX) set_no_delay(fd.get());
  co_return std::move(fd);
}

// Tries a stale socket's path: true if somebody answers there.
bool somebody_listens(const std::string& path) {
  const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Address address = unix_address(path);
  return ::connect(probe.get(), address.get(), address.length) == 0;
}

Result<Fd, IoError> open_unix(const Endpoint& at, unsigned mode) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail(io_error("socket", at.text()));
  const Address address = unix_address(at.path);
  if (::bind(fd.get(), address.get(), address.length) != 0) {
    if (errno != EADDRINUSE || somebody_listens(at.path)) {
      return fail(IoError(EADDRINUSE == errno ? EADDRINUSE : errno, "listen on", at.text()));
    }
    ::unlink(at.path.c_str());
    if (::bind(fd.get(), address.get(), address.length) != 0)
      return fail(io_error("listen on", at.text()));
  }
  if (::chmod(at.path.c_str(), mode) != 0) return fail(io_error("set the mode of", at.text()));
  if (::listen(fd.get(), listen_backlog) != 0) return fail(io_error("listen on", at.text()));
  return fd;
}

// Bound, and listening if `type` is SOCK_STREAM. `shared`: with others of ours that are bound there.
Result<Fd, IoError> open_inet(const Endpoint& at, int type, bool shared = false) {
  int error = 0;
  const auto addresses = look_up(at.host, at.port, true, error);
  if (addresses.empty()) return fail(IoError(error, "find the address of", at.text()));
  // "*" is one IPv6 socket that takes IPv4 too; without IPv6 the IPv4 one.
  const Address* chosen = &addresses.front();
  const bool any = at.host.empty() || at.host == "*";
  for (const Address& each : addresses) {
    if (any && each.storage.ss_family == AF_INET6) chosen = &each;
  }
  for (int attempt = 0; attempt < 2; ++attempt) {
    Fd fd(::socket(chosen->storage.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd && any && chosen != &addresses.front()) {
      chosen = &addresses.front();
      continue;
    }
    if (!fd) return fail(io_error("socket", at.text()));
    const int on = 1;
    const int off = 0;
    // On a datagram socket it would let two programs share the port.
    if (type == SOCK_STREAM) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (shared) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (any && chosen->storage.ss_family == AF_INET6) {
      ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    }
    if (::bind(fd.get(), chosen->get(), chosen->length) != 0 ||
        (type == SOCK_STREAM && ::listen(fd.get(), listen_backlog) != 0)) {
      return fail(io_error("listen on", at.text()));
    }
    return fd;
  }
  return fail(io_error("socket", at.text()));
}

class SocketListener final : public Listener {
 public:
  explicit SocketListener(Fd fd)
      : fd_(std::move(fd)),
        endpoint_(endpoint_of(fd_.get())),
        watch_(std::make_unique<FdWatch>(fd_.get(), [this](bool, bool) {
          watch_->want(false, false);
          ready_.set();
        })) {}

  Task<Result<std::unique_ptr<Stream>, IoError>> accept() override {
    while (!closed_) {
      Fd connection(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (connection) {
        auto stream = adopt(std::move(connection));
        if (!stream) continue;  // it went away in between
        co_return std::move(*stream);
      }
      const int error = errno;
      if (error == EAGAIN) {
        ready_.reset();
        watch_->want(true, false);
        co_await ready_.wait();
      } else if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
        co_await sleep_until(Deadline::in(out_of_descriptors_pause));
      }
    }
    co_return fail(IoError(IoError::cancelled, "accept on", endpoint_.text()));
  }

  void close() override {
    if (closed_) return;
    closed_ = true;
    watch_.reset();
    fd_.reset();
    ready_.set();
  }

  [[nodiscard]] const Endpoint& endpoint() const override { return endpoint_; }

 private:
  Fd fd_;
  Endpoint endpoint_;
  std::unique_ptr<FdWatch> watch_;
  Event ready_;
  bool closed_ = false;
};

class UnixDatagramReceiver final : public DatagramReceiver {
 public:
  UnixDatagramReceiver(Fd fd, std::string path)
      : fd_(std::move(fd)),
        path_(std::move(path)),
        watch_(std::make_unique<FdWatch>(fd_.get(), [this](bool, bool) {
          swallow();
          arrived_.set();
        })) {
    watch_->want(true, false);
  }
  ~UnixDatagramReceiver() override { close(); }

  Task<bool> wait(Deadline deadline) override {
    const bool woken = co_await arrived_.wait_until(deadline);
    arrived_.reset();
    co_return woken;
  }

  void close() override {
    if (!watch_) return;
    watch_.reset();
    fd_.reset();
    ::unlink(path_.c_str());
    arrived_.set();
  }

 private:
  void swallow() {
    std::array<char, 16> octets;
    while (::recv(fd_.get(), octets.data(), octets.size(), MSG_DONTWAIT) >= 0) {
    }
  }
  Fd fd_;
  std::string path_;
  std::unique_ptr<FdWatch> watch_;
  Event arrived_;
};

}  // namespace

Task<Result<std::unique_ptr<Stream>, IoError>> connect_from(Endpoint to, std::string source,
                                                            Deadline deadline) {
  std::vector<Address> addresses;
  std::optional<Address> from;
  if (!source.empty()) {
    from = literal_address(source, 0);
    if (!from) co_return fail(IoError(EINVAL, "use as source address", source));
  }
  if (to.kind == Endpoint::Kind::unix_socket) {
    addresses.push_back(unix_address(to.path));
  } else if (const auto literal = literal_address(to.host, to.port)) {
    addresses.push_back(*literal);
  } else {
    int error = 0;
    auto find = [host = to.host, port = to.port, &error] {
      return look_up(host, port, false, error);
    };
    addresses = co_await blocking(std::move(find));
    if (addresses.empty()) co_return fail(IoError(error, "find the address of", to.host));
  }
  IoError last(ENXIO, "connect to", to.text());
  for (const Address& address : addresses) {
    const Address* bound_to = from ? &*from : nullptr;
    auto fd = co_await connect_to(address, bound_to, to.text(), deadline);
    if (fd) co_return adopt(std::move(*fd));
    last = std::move(fd.error());
    if (last.code == IoError::timed_out) break;
  }
  co_return fail(std::move(last));
}

Task<Result<std::unique_ptr<Stream>, IoError>> connect(Endpoint to, Deadline deadline) {
  auto stream = co_await connect_from(std::move(to), std::string(), deadline);
  co_return std::move(stream);
}

Result<Fd, IoError> open_listening_socket(const Endpoint& at, unsigned mode) {
  switch (at.kind) {
    case Endpoint::Kind::unix_socket:
      return open_unix(at, mode);
    case Endpoint::Kind::inet:
      return open_inet(at, SOCK_STREAM);
    case Endpoint::Kind::fd:
    case Endpoint::Kind::stdio:
      break;
  }
  return fail(IoError(EINVAL, "listen on", at.text()));
}

Result<std::vector<Fd>, IoError> open_datagram_sockets(const Endpoint& at, unsigned count) {
  if (at.kind != Endpoint::Kind::inet) return fail(IoError(EINVAL, "receive on", at.text()));
  std::vector<Fd> sockets;
  Endpoint same = at;
  while (sockets.size() < count) {
    auto opened = open_inet(same, SOCK_DGRAM, !sockets.empty());
    if (!opened) return fail(std::move(opened.error()));
    sockets.push_back(std::move(*opened));
    if (sockets.size() > 1 || count == 1) continue;
    // The first finds out whether the place is free; shared from the start, it would not see another
    // program of this user that shares there, too.
    const int on = 1;
    if (::setsockopt(sockets.front().get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
      return fail(io_error("share", at.text()));
    same.port = endpoint_of(sockets.front().get()).port;
  }
  return sockets;
}

Result<std::unique_ptr<Listener>, IoError> listen_on(Fd socket) {
  const int flags = ::fcntl(socket.get(), F_GETFL);
  int accepting = 0;
  socklen_t length = sizeof accepting;
  if (flags < 0 ||
      ::getsockopt(socket.get(), SOL_SOCKET, SO_ACCEPTCONN, &accepting, &length) != 0) {
    return fail(io_error("listen on", "fd:" + std::to_string(socket.get())));
  }
  if (accepting == 0)
    return fail(IoError(EINVAL, "listen on", "fd:" + std::to_string(socket.get())));
  ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK);
  ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC);
  return std::make_unique<SocketListener>(std::move(socket));
}

Result<std::unique_ptr<DatagramReceiver>, IoError> open_datagram_receiver(const std::string& path,
                                                                          unsigned mode) {
  Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail(io_error("socket", path));
  ::unlink(path.c_str());
  const Address address = unix_address(path);
  if (::bind(fd.get(), address.get(), address.length) != 0) return fail(io_error("bind", path));
  if (::chmod(path.c_str(), mode) != 0) return fail(io_error("set the mode of", path));
  return std::make_unique<UnixDatagramReceiver>(std::move(fd), path);
}

void nudge(const std::string& path) {
  // Unconnected, so it serves every path and a receiver that comes back.
  thread_local const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return;
  const Address address = unix_address(path);
  const char octet = '\n';
  (void)::sendto(fd.get(), &octet, 1, MSG_DONTWAIT | MSG_NOSIGNAL, address.get(), address.length);
}

}  // namespace posthorn::async
