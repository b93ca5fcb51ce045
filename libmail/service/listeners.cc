#include "libmail/service/listeners.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "libmail/base/text.h"

namespace posthorn::service {

namespace {

constexpr int first_passed = 3;  // SD_LISTEN_FDS_START

// LISTEN_PID says whom they are for. Our supervisor can't know it before the child runs and leaves
// it out.
bool meant_for_us() {
  const char* pid = std::getenv("LISTEN_PID");
  return pid == nullptr || parse_number<pid_t>(pid) == ::getpid();
}

Result<void, std::string> give_to(const std::string& path, const SocketAccess& access) {
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
  if (!access.owner.empty()) {
    const passwd* found = ::getpwnam(access.owner.c_str());
    if (found == nullptr) return fail("unix:" + path + ": there is no user " + access.owner);
    uid = found->pw_uid;
    gid = found->pw_gid;
  }
  if (!access.group.empty()) {
    const group* found = ::getgrnam(access.group.c_str());
    if (found == nullptr) return fail("unix:" + path + ": there is no group " + access.group);
    gid = found->gr_gid;
  }
  if (::chown(path.c_str(), uid, gid) != 0)
    return fail(io_error("change the owner of", path).text());
  return {};
}

// What the one who starts us can do about it; the error itself says what and where.
std::string_view listen_hint(const IoError& error) {
  switch (error.code) {
    case EADDRINUSE:
      return "; stop the program that listens there, or choose another place";
    case EADDRNOTAVAIL:
      return "; this machine has no such address";
    case EACCES:
    case EPERM:
      return "; ports below 1024 and directories of others need root, posthorn run or systemd's "
             "sockets";
    case ENOENT:
      return "; make the directory first";
    default:
      return "";
  }
}

void add_socket(Fd socket, OpenListeners& into) {
  int type = 0;
  socklen_t length = sizeof type;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &length);
  (type == SOCK_DGRAM ? into.datagrams : into.sockets).push_back(std::move(socket));
}

// TCP and UDP on one port. Where the kernel chooses it, another program may have the same UDP port.
Result<std::vector<Fd>, IoError> open_both(const async::Endpoint& endpoint, unsigned count) {
  constexpr int attempts = 16;
  for (int attempt = 0;; ++attempt) {
    auto stream = async::open_listening_socket(endpoint);
    if (!stream) return fail(stream.error());
    const auto bound = async::parse_endpoint(bound_endpoint(stream->get()));
    async::Endpoint same = endpoint;
    if (bound) same.port = bound->port;
    auto datagrams = async::open_datagram_sockets(same, count);
    const bool again = !datagrams && datagrams.error().code == EADDRINUSE && endpoint.port == 0;
    if (again && attempt < attempts) continue;
    if (!datagrams) return fail(datagrams.error());
    std::vector<Fd> both;
    both.push_back(std::move(*stream));
    std::ranges::move(*datagrams, std::back_inserter(both));
    return both;
  }
}

bool speaks_stdio(const ListenerRequest& request) {
  return std::ranges::any_of(request.endpoints, [](const async::Endpoint& endpoint) {
    return endpoint.kind == async::Endpoint::Kind::stdio;
  });
}

Result<void, std::string> open_endpoint(const async::Endpoint& endpoint, const SocketAccess& access,
                                        OpenListeners& into) {
  if (endpoint.kind == async::Endpoint::Kind::stdio) {
    into.stdio = true;
    return {};
  }
  if (endpoint.kind == async::Endpoint::Kind::fd) {
    Fd copy(::fcntl(endpoint.fd, F_DUPFD_CLOEXEC, first_passed));
    if (!copy) return fail(io_error("listen on", endpoint.text()).text());
    into.sockets.push_back(std::move(copy));
    return {};
  }
  auto opened = open_listener(endpoint, access);
  if (!opened) return fail(std::move(opened.error()));
  for (Fd& socket : *opened) add_socket(std::move(socket), into);
  return {};
}

}  // namespace

std::vector<PassedSocket> take_passed_sockets() {
  std::vector<PassedSocket> passed;
  const char* count_text = std::getenv("LISTEN_FDS");
  const auto count = parse_number<int>(count_text != nullptr ? count_text : "").value_or(0);
  if (meant_for_us() && count > 0 && count < 1024) {
    const char* names_text = std::getenv("LISTEN_FDNAMES");
    const std::string names = names_text != nullptr ? names_text : "";
    const auto parts = split(names, ':');
    for (int i = 0; i < count; ++i) {
      PassedSocket socket;
      socket.fd.reset(first_passed + i);
      ::fcntl(socket.fd.get(), F_SETFD, FD_CLOEXEC);
      if (static_cast<std::size_t>(i) < parts.size())
        socket.name = parts[static_cast<std::size_t>(i)];
      passed.push_back(std::move(socket));
    }
  }
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
  return passed;
}

Result<std::vector<Fd>, std::string> open_listener(const async::Endpoint& endpoint,
                                                   const SocketAccess& access) {
  const auto fail_with_hint = [](const IoError& error) {
    return fail(error.text() + std::string(listen_hint(error)));
  };
  if (access.datagrams != 0 && endpoint.kind == async::Endpoint::Kind::inet) {
    auto both = open_both(endpoint, access.datagrams);
    if (!both) return fail_with_hint(both.error());
    return std::move(*both);
  }
  const auto mode = parse_number<unsigned>(access.mode, 8).value_or(0600);
  auto opened = async::open_listening_socket(endpoint, mode);
  if (!opened) return fail_with_hint(opened.error());
  const bool has_owner = !access.owner.empty() || !access.group.empty();
  if (endpoint.kind == async::Endpoint::Kind::unix_socket && has_owner) {
    if (auto given = give_to(endpoint.path, access); !given) return fail(std::move(given.error()));
  }
  std::vector<Fd> one;
  one.push_back(std::move(*opened));
  return one;
}

Result<std::vector<OpenListeners>, std::string> open_listeners(
    const std::vector<ListenerRequest>& requests, std::vector<PassedSocket> passed) {
  const bool any_passed = !passed.empty();
  const bool any_stdio = std::ranges::any_of(requests, speaks_stdio);
  std::vector<OpenListeners> all;
  for (const ListenerRequest& request : requests) all.emplace_back().name = request.name;
  for (PassedSocket& socket : passed) {
    const auto named = std::ranges::find(all, socket.name, &OpenListeners::name);
    if (all.empty()) break;
    OpenListeners& target = named != all.end() ? *named : all.front();
    add_socket(std::move(socket.fd), target);
  }
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const ListenerRequest& request = requests[i];
    if (!all[i].sockets.empty() || !all[i].datagrams.empty()) continue;
    if (request.is_preset && (any_passed || any_stdio)) continue;
    for (const async::Endpoint& endpoint : request.endpoints) {
      if (auto done = open_endpoint(endpoint, request.access, all[i]); !done)
        return fail(std::move(done.error()));
    }
  }
  return all;
}

std::string bound_endpoint(int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) return "unknown";
  char text[INET6_ADDRSTRLEN] = {};
  if (address.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
    ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return async::Endpoint::inet(text, ntohs(v4->sin_port)).text();
  }
  if (address.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address);
    ::inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    return async::Endpoint::inet(text, ntohs(v6->sin6_port)).text();
  }
  if (address.ss_family != AF_UNIX) return "unknown";
  const auto* local = reinterpret_cast<const sockaddr_un*>(&address);
  const std::size_t room = length - offsetof(sockaddr_un, sun_path);
  return async::Endpoint::unix_path(std::string(local->sun_path, ::strnlen(local->sun_path, room)))
      .text();
}

}  // namespace posthorn::service
