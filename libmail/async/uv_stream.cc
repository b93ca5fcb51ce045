// Streams over libuv's sockets and pipes, and over standard input and output.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <uv.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "libmail/async/files.h"
#include "libmail/async/loop.h"
#include "libmail/async/socket.h"

namespace posthorn::async {
namespace {

// All reads of a loop land in one buffer and go from there to whoever waits: an idle connection
// holds none.
constexpr std::size_t landing_size = 64 * 1024;
// What may pile up behind a session that is not reading before its socket is left unread.
constexpr std::size_t pending_limit = 64 * 1024;

int to_errno(ssize_t uv_status) {
  return static_cast<int>(-uv_status);
}

class UvStream final : public Stream {
 public:
  static Result<std::unique_ptr<Stream>, IoError> open(Fd fd, Peer peer, bool is_tcp) {
    auto stream = std::make_unique<UvStream>(std::move(peer));
    Box* box = stream->box_;
    if (is_tcp) {
      uv_tcp_init(Loop::current().uv(), &box->tcp);
    } else {
      uv_pipe_init(Loop::current().uv(), &box->pipe, 0);
    }
    box->handle.data = box;
    stream->initialised_ = true;
    const int status =
        is_tcp ? uv_tcp_open(&box->tcp, fd.get()) : uv_pipe_open(&box->pipe, fd.get());
    if (status != 0) return fail(IoError(to_errno(status), "open", stream->peer_.text()));
    (void)fd.release();
    return stream;
  }

  explicit UvStream(Peer peer) : box_(new Box), peer_(std::move(peer)) { box_->owner = this; }
  ~UvStream() override {
    check(!reader_ && !writer_, "a stream is destroyed while a task waits for it");
    close();
    if (!initialised_) delete box_;
  }

  Task<Result<std::size_t, IoError>> read(Buffer& into, Deadline deadline) override {
    if (!pending_.empty()) {
      const std::size_t count = pending_.size();
      into.append(pending_.view());
      pending_.clear();
      pending_.shrink();
      co_return count;
    }
    if (closed_) co_return fail(IoError(IoError::cancelled, "read from", peer_.text()));
    if (read_status_ == UV_EOF) co_return std::size_t{0};
    if (read_status_ != 0)
      co_return fail(IoError(to_errno(read_status_), "read from", peer_.text()));
    start_reading();
    check(!reader_, "one reader at a time");
    read_into_ = &into;
    read_count_ = 0;
    arm(read_deadline_, deadline);
    co_await WaitIn(reader_);
    read_into_ = nullptr;
    read_deadline_ = Deadline::never();
    if (read_count_ > 0) co_return read_count_;
    if (read_timed_out_) {
      read_timed_out_ = false;
      co_return fail(IoError(IoError::timed_out, "read from", peer_.text()));
    }
    if (closed_) co_return fail(IoError(IoError::cancelled, "read from", peer_.text()));
    if (read_status_ == UV_EOF) co_return std::size_t{0};
    co_return fail(IoError(to_errno(read_status_), "read from", peer_.text()));
  }

  Task<Result<void, IoError>> write(std::string_view octets, Deadline deadline) override {
    if (closed_) co_return fail(IoError(IoError::cancelled, "write to", peer_.text()));
    if (octets.empty()) co_return Result<void, IoError>();
    uv_buf_t buffer =
        uv_buf_init(const_cast<char*>(octets.data()), static_cast<unsigned>(octets.size()));
    const int taken = uv_try_write(&box_->stream, &buffer, 1);
    if (taken < 0 && taken != UV_EAGAIN) {
      co_return fail(IoError(to_errno(taken), "write to", peer_.text()));
    }
    if (taken > 0) octets.remove_prefix(static_cast<std::size_t>(taken));
    if (octets.empty()) co_return Result<void, IoError>();

    check(!writer_, "one writer at a time");
    buffer = uv_buf_init(const_cast<char*>(octets.data()), static_cast<unsigned>(octets.size()));
    uv_write_t request;
    request.data = this;
    write_status_ = 0;
    const int started =
        uv_write(&request, &box_->stream, &buffer, 1, [](uv_write_t* done, int status) {
          auto* self = static_cast<UvStream*>(done->data);
          self->write_status_ = status;
          std::exchange(self->writer_, {}).resume();
        });
    if (started != 0) co_return fail(IoError(to_errno(started), "write to", peer_.text()));
    arm(write_deadline_, deadline);
    co_await WaitIn(writer_);
    write_deadline_ = Deadline::never();
    if (write_timed_out_) co_return fail(IoError(IoError::timed_out, "write to", peer_.text()));
    if (write_status_ == UV_ECANCELED)
      co_return fail(IoError(IoError::cancelled, "write to", peer_.text()));
    if (write_status_ != 0)
      co_return fail(IoError(to_errno(write_status_), "write to", peer_.text()));
    co_return Result<void, IoError>();
  }

  Task<void> shutdown(Deadline) override {
    // Nothing is buffered here, so the plain system call is enough. A pipe has no half to close: it
    // is closed.
    uv_os_fd_t fd = -1;
    if (!closed_ && uv_fileno(&box_->handle, &fd) == 0 && ::shutdown(fd, SHUT_WR) != 0 &&
        errno == ENOTSOCK) {
      close();
    }
    co_return;
  }

  void close() override {
    if (closed_) return;
    closed_ = true;
    timer_.clear();
    if (reader_) Loop::current().post(std::exchange(reader_, {}));
    if (!initialised_) return;
    box_->owner =
        nullptr;  // the box goes with the callback, which may come before or after our own end
    // A pending write's callback comes with UV_ECANCELED before the box goes.
    uv_close(&box_->handle, [](uv_handle_t* handle) { delete static_cast<Box*>(handle->data); });
  }

  [[nodiscard]] const Peer& peer() const override { return peer_; }
  [[nodiscard]] bool has_pending() const override { return !pending_.empty(); }

 private:
  // What libuv owns until its close callback.
  struct Box {
    union {
      uv_handle_t handle;
      uv_stream_t stream;
      uv_tcp_t tcp;
      uv_pipe_t pipe;
    };
    UvStream* owner = nullptr;
    Box() : tcp() {}
  };

  // Parks the running task in `place`.
  struct WaitIn {
    std::coroutine_handle<>& place;
    explicit WaitIn(std::coroutine_handle<>& where) : place(where) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> task) noexcept { place = task; }
    void await_resume() const noexcept {}
  };

  void start_reading() {
    if (reading_) return;
    reading_ = true;
    uv_read_start(
        &box_->stream,
        [](uv_handle_t*, std::size_t, uv_buf_t* buffer) {
          static thread_local const auto landing =
              std::make_unique<std::array<char, landing_size>>();
          *buffer = uv_buf_init(landing->data(), landing->size());
        },
        [](uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
          auto* box = static_cast<Box*>(stream->data);
          if (count != 0 && box->owner != nullptr) box->owner->on_read(count, buffer->base);
        });
  }

  void on_read(ssize_t count, const char* octets) {
    if (count < 0) {
      read_status_ = static_cast<int>(count);
      uv_read_stop(&box_->stream);
    } else if (reader_) {
      read_into_->append(std::string_view(octets, static_cast<std::size_t>(count)));
      read_count_ = static_cast<std::size_t>(count);
    } else {
      pending_.append(std::string_view(octets, static_cast<std::size_t>(count)));
      if (pending_.size() >= pending_limit) {
        uv_read_stop(&box_->stream);
        reading_ = false;
      }
    }
    if (reader_) std::exchange(reader_, {}).resume();
  }

  // One timer serves both directions and is moved only when it fires: the usual operation ends long
  // before its deadline and pays nothing for it.
  void arm(Deadline& slot, Deadline deadline) {
    slot = deadline;
    if (deadline.is_never() || (timer_.is_set() && timer_at_ <= deadline)) return;
    timer_at_ = deadline;
    timer_.set(deadline, [this] { on_timer(); });
  }
  void on_timer() {
    const Deadline next = read_deadline_.or_before(write_deadline_);
    if (next.is_never()) return;
    if (!next.passed()) {
      timer_at_ = next;
      timer_.set(next, [this] { on_timer(); });
      return;
    }
    if (writer_ && write_deadline_.passed()) {
      // libuv owns the rest of the buffer, so the only way out is to close; the callback resumes
      // the writer.
      write_timed_out_ = true;
      close();
      return;
    }
    if (reader_) {
      read_timed_out_ = true;
      std::exchange(reader_, {}).resume();
    }
  }

  Box* box_;
  Peer peer_;
  Buffer pending_;
  Buffer* read_into_ = nullptr;
  std::size_t read_count_ = 0;
  std::coroutine_handle<> reader_;
  std::coroutine_handle<> writer_;
  Deadline read_deadline_ = Deadline::never();
  Deadline write_deadline_ = Deadline::never();
  Deadline timer_at_ = Deadline::never();
  Timer timer_;
  int read_status_ = 0;
  int write_status_ = 0;
  bool initialised_ = false;
  bool reading_ = false;
  bool closed_ = false;
  bool read_timed_out_ = false;
  bool write_timed_out_ = false;
};

// A regular file or /dev/null as half of standard input and output: epoll can't watch those, the
// pool reads them.
class FileStream final : public Stream {
 public:
  explicit FileStream(Fd fd) : fd_(std::move(fd)) {}

  Task<Result<std::size_t, IoError>> read(Buffer& into, Deadline) override {
    std::string octets(landing_size, '\0');
    // errno belongs to the pool's thread: the job brings it back.
    auto work = [this, &octets]() -> ssize_t {
      const ssize_t got = ::read(fd_.get(), octets.data(), octets.size());
      return got < 0 ? -errno : got;
    };
    const ssize_t count = co_await blocking(std::move(work));
    if (count < 0) co_return fail(IoError(to_errno(count), "read from", "standard input"));
    into.append(std::string_view(octets).substr(0, static_cast<std::size_t>(count)));
    co_return static_cast<std::size_t>(count);
  }
  Task<Result<void, IoError>> write(std::string_view octets, Deadline) override {
    while (!octets.empty()) {
      auto work = [this, octets]() -> ssize_t {
        const ssize_t taken = ::write(fd_.get(), octets.data(), octets.size());
        return taken < 0 ? -errno : taken;
      };
      const ssize_t count = co_await blocking(std::move(work));
      if (count < 0) co_return fail(IoError(to_errno(count), "write to", "standard output"));
      octets.remove_prefix(static_cast<std::size_t>(count));
    }
    co_return Result<void, IoError>();
  }
  Task<void> shutdown(Deadline) override { co_return; }
  void close() override {}
  [[nodiscard]] const Peer& peer() const override { return peer_; }
  [[nodiscard]] bool has_pending() const override { return false; }

 private:
  Fd fd_;
  Peer peer_;
};

// Two one-way halves.
class StdioStream final : public Stream {
 public:
  StdioStream(std::unique_ptr<Stream> input, std::unique_ptr<Stream> output)
      : input_(std::move(input)), output_(std::move(output)) {}

  Task<Result<std::size_t, IoError>> read(Buffer& into, Deadline deadline) override {
    return input_->read(into, deadline);
  }
  Task<Result<void, IoError>> write(std::string_view octets, Deadline deadline) override {
    return output_->write(octets, deadline);
  }
  Task<void> shutdown(Deadline deadline) override { return output_->shutdown(deadline); }
  void close() override {
    input_->close();
    output_->close();
  }
  [[nodiscard]] const Peer& peer() const override { return peer_; }
  [[nodiscard]] bool has_pending() const override { return input_->has_pending(); }

 private:
  std::unique_ptr<Stream> input_;
  std::unique_ptr<Stream> output_;
  Peer peer_;
};

Result<std::unique_ptr<Stream>, IoError> open_half(Fd fd) {
  struct stat facts{};
  if (::fstat(fd.get(), &facts) != 0)
    return fail(io_error("use", "fd:" + std::to_string(fd.get())));
  if (S_ISFIFO(facts.st_mode) || S_ISSOCK(facts.st_mode) || uv_guess_handle(fd.get()) == UV_TTY) {
    return UvStream::open(std::move(fd), Peer(), false);
  }
  return std::make_unique<FileStream>(std::move(fd));
}

void read_inet_names(int fd, Peer& peer) {
  sockaddr_storage far{};
  sockaddr_storage near{};
  socklen_t size = sizeof far;
  std::array<char, 64> text{};
  const auto print = [&](const sockaddr_storage& address, std::string& host, std::uint16_t& port) {
    if (address.ss_family == AF_INET6) {
      const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address);
      port = ntohs(v6->sin6_port);
      if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        uv_inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text.data(), text.size());
      } else {
        uv_inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size());
      }
    } else {
      const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
      port = ntohs(v4->sin_port);
      uv_inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
    }
    host = text.data();
  };
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&far), &size) == 0)
    print(far, peer.address, peer.port);
  size = sizeof near;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&near), &size) == 0) {
    print(near, peer.local_address, peer.local_port);
  }
}

}  // namespace

Result<std::unique_ptr<Stream>, IoError> adopt(Fd socket) {
  int domain = 0;
  socklen_t length = sizeof domain;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0) {
    return fail(io_error("use", "fd:" + std::to_string(socket.get())));
  }
  Peer peer;
  if (domain == AF_UNIX) {
    peer.kind = Peer::Kind::unix_socket;
    ucred credentials{};
    length = sizeof credentials;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0) {
      peer.uid = credentials.uid;
      peer.gid = credentials.gid;
      peer.pid = credentials.pid;
    }
  } else {
    peer.kind = Peer::Kind::inet;
    read_inet_names(socket.get(), peer);
    // Replies are single writes; waiting to fill a segment would only add a round trip.
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  return UvStream::open(std::move(socket), std::move(peer), domain != AF_UNIX);
}

Result<std::unique_ptr<Stream>, IoError> stdio_stream() {
  struct stat facts{};
  if (::fstat(STDIN_FILENO, &facts) != 0) return fail(io_error("use", "standard input"));
  if (S_ISSOCK(facts.st_mode)) return adopt(Fd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)));
  auto input = open_half(Fd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)));
  if (!input) return input;
  auto output = open_half(Fd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)));
  if (!output) return output;
  return std::make_unique<StdioStream>(std::move(*input), std::move(*output));
}

}  // namespace posthorn::async
