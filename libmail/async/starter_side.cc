#include "libmail/async/starter_side.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace posthorn::async::detail {
namespace {

constexpr std::size_t rights_space = CMSG_SPACE(sizeof(int) * most_descriptors);
constexpr std::int32_t dev_null = -1;  // in place of a descriptor's index

// Integers and texts one after the other.
class Writer {
 public:
  void number(std::int64_t value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(std::string_view value) {
    number(static_cast<std::int64_t>(value.size()));
    out_.append(value);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  std::int64_t number() {
    std::int64_t value = 0;
    if (in_.size() < sizeof value) return failed();
    std::memcpy(&value, in_.data(), sizeof value);
    in_.remove_prefix(sizeof value);
    return value;
  }
  // How many things follow, each of one octet at least.
  std::size_t count() {
    const std::int64_t value = number();
    if (value < 0 || static_cast<std::uint64_t>(value) > in_.size()) {
      failed();
      return 0;
    }
    return static_cast<std::size_t>(value);
  }
  std::string text() {
    const std::size_t size = count();
    std::string value(in_.substr(0, size));
    in_.remove_prefix(size);
    return value;
  }
  [[nodiscard]] bool is_whole() const { return !failed_ && in_.empty(); }

 private:
  std::int64_t failed() {
    failed_ = true;
    in_ = {};
    return 0;
  }
  std::string_view in_;
  bool failed_ = false;
};

// A request's descriptors. Nothing at the end of file.
std::optional<std::vector<Fd>> receive_descriptors(int socket) {
  char octet = 0;
  iovec content{&octet, sizeof octet};
  alignas(cmsghdr) std::array<char, rights_space> rights{};
  msghdr message{};
  message.msg_iov = &content;
  message.msg_iovlen = 1;
  message.msg_control = rights.data();
  message.msg_controllen = rights.size();
  ssize_t count = 0;
  while ((count = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  if (count <= 0) return std::nullopt;
  std::vector<Fd> descriptors;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t number = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < number; ++i) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof descriptor);
      descriptors.emplace_back(descriptor);
    }
  }
  return descriptors;
}

template <class Word>
bool say(const Fd& control, const Word& word) {
  return ::send(control.get(), &word, sizeof word, MSG_NOSIGNAL) ==
         static_cast<ssize_t>(sizeof word);
}

Result<Command, IoError> read_command(const Fd& file, const std::vector<int>& descriptors) {
  struct stat found{};
  if (::fstat(file.get(), &found) != 0) return fail(io_error("read", "the command"));
  std::string octets(static_cast<std::size_t>(found.st_size), '\0');
  std::size_t at = 0;
  while (at < octets.size()) {
    const ssize_t count =
        ::pread(file.get(), octets.data() + at, octets.size() - at, static_cast<off_t>(at));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return fail(io_error("read", "the command"));
    at += static_cast<std::size_t>(count);
  }
  auto command = decode_command(octets, descriptors);
  if (!command || command->argv.empty()) return fail(IoError(EBADMSG, "read", "the command"));
  return std::move(*command);
}

bool is_hung_up(const Fd& control) {
  pollfd look{control.get(), POLLIN, 0};
  return ::poll(&look, 1, 0) > 0 && (look.revents & (POLLHUP | POLLERR)) != 0;
}

// Until the program has ended; the daemon may say what to send it, or lose interest.
void watch_over(const Launched& program, const Fd& control) {
  std::array<pollfd, 2> looks{pollfd{program.handle.get(), POLLIN, 0},
                              pollfd{control.get(), POLLIN, 0}};
  for (;;) {
    if (::poll(looks.data(), looks.size(), -1) < 0) continue;  // a signal
    if (looks[0].revents != 0) {
      if (const auto status = reap(program.pid)) {
        say(control, Ended{status->code, status->signal});
        return;
      }
    }
    if (looks[1].revents == 0) continue;
    Signal signal;
    const ssize_t count = ::recv(control.get(), &signal, sizeof signal, 0);
    if (count == static_cast<ssize_t>(sizeof signal)) {
      ::kill(program.pid, signal.number);  // not reaped yet, so it is the one we mean
    } else if (count >= 0 || errno != EINTR) {
      // Closed before it had read that the program runs.
      if (count < 0 && errno == ECONNRESET) ::kill(program.pid, SIGKILL);
      looks[1].fd = -1;
    }
  }
}

// One program's life, in a process of its own.
[[noreturn]] void shepherd(std::vector<Fd> request) {
  ::prctl(PR_SET_NAME, "shepherd");
  ::signal(SIGCHLD, SIG_DFL);  // ignored, there would be no exit code to reap
  const Fd file = std::move(request[0]);
  const Fd control = std::move(request[1]);
  std::vector<int> descriptors;
  for (std::size_t i = 2; i < request.size(); ++i) descriptors.push_back(request[i].get());
  auto command = read_command(file, descriptors);
  if (!command) {
    say(control, Began{command.error().code, 0});
    ::_exit(1);
  }
  if (is_hung_up(control)) ::_exit(0);  // the deadline has passed, or the daemon has gone
  auto launched = launch(std::move(*command));
  request.clear();  // the program has them; a pipe of its must not stay open because of us
  if (!launched) {
    say(control, Began{launched.error().code, 0});
    ::_exit(1);
  }
  // Who has given up has told the sender "not delivered".
  if (!say(control, Began{0, launched->pid})) ::kill(launched->pid, SIGKILL);
  watch_over(*launched, control);
  ::_exit(0);
}

// Standard error, the socket, and nothing else: a listener or a client that stayed open here would
// never end for its peer.
void keep_only(Fd& socket) {
  socket.reset(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 3));
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(null, 0);
  ::dup2(null, 1);
  const auto kept = static_cast<unsigned>(socket.get());
  if (kept > 3) ::syscall(SYS_close_range, 3, kept - 1, 0);
  ::syscall(SYS_close_range, kept + 1, ~0u, 0);
}

}  // namespace

EncodedCommand encode_command(const Command& command) {
  EncodedCommand encoded;
  Writer out;
  out.text(command.directory);
  out.number(static_cast<std::int64_t>(command.argv.size()));
  for (const std::string& word : command.argv) out.text(word);
  out.number(static_cast<std::int64_t>(command.environment.size()));
  for (const auto& [name, value] : command.environment) {
    out.text(name);
    out.text(value);
  }
  out.number(static_cast<std::int64_t>(command.descriptors.size()));
  for (const auto& [target, source] : command.descriptors) {
    out.number(target);
    out.number(source < 0 ? dev_null : static_cast<std::int64_t>(encoded.descriptors.size()));
    if (source >= 0) encoded.descriptors.push_back(source);
  }
  encoded.octets = out.take();
  return encoded;
}

std::optional<Command> decode_command(std::string_view octets,
                                      const std::vector<int>& descriptors) {
  Command command;
  Reader in(octets);
  command.directory = in.text();
  const std::size_t words = in.count();
  for (std::size_t i = 0; i < words; ++i) command.argv.push_back(in.text());
  const std::size_t variables = in.count();
  for (std::size_t i = 0; i < variables; ++i) {
    std::string name = in.text();
    command.environment[std::move(name)] = in.text();
  }
  const std::size_t targets = in.count();
  for (std::size_t i = 0; i < targets; ++i) {
    const auto target = static_cast<int>(in.number());
    const std::int64_t index = in.number();
    const bool is_passed = index >= 0 && std::cmp_less(index, descriptors.size());
    if (target < 0 || (!is_passed && index != dev_null)) return std::nullopt;
    command.descriptors[target] = is_passed ? descriptors[static_cast<std::size_t>(index)] : -1;
  }
  if (!in.is_whole()) return std::nullopt;
  return command;
}

bool send_descriptors(int socket, const std::vector<int>& descriptors) {
  char octet = 0;
  iovec content{&octet, sizeof octet};
  alignas(cmsghdr) std::array<char, rights_space> rights{};
  const std::size_t size = descriptors.size() * sizeof(int);
  if (descriptors.size() > most_descriptors) {
    errno = E2BIG;
    return false;
  }
  msghdr message{};
  message.msg_iov = &content;
  message.msg_iovlen = 1;
  message.msg_control = rights.data();
  message.msg_controllen = CMSG_SPACE(size);
  cmsghdr* part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(size);
  std::memcpy(CMSG_DATA(part), descriptors.data(), size);
  return ::sendmsg(socket, &message, MSG_NOSIGNAL) >= 0;
}

void serve_starts(Fd socket) {
  ::prctl(PR_SET_NAME, "starter");
  keep_only(socket);
  // Children are reaped by the kernel. Who ends a whole group (a terminal, systemd) means the daemon,
  // which may still have mail to hand over: we end with it.
  for (const int number : {SIGCHLD, SIGPIPE, SIGTERM, SIGINT, SIGHUP}) ::signal(number, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  while (auto request = receive_descriptors(socket.get())) {
    if (request->size() < 2) continue;
    // Not fork(): libuv, if the daemon has called it before, would close the numbers its descriptors
    // once had, and now they are others'.
    const pid_t pid = ::_Fork();
    if (pid == 0) {
      socket.reset();  // the starter's end is the starter's alone
      shepherd(std::move(*request));
    }
    if (pid < 0) say((*request)[1], Began{errno, 0});
  }
  ::_exit(0);
}

}  // namespace posthorn::async::detail
