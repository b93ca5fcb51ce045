// Octets both ways, with deadlines. A plain socket, TLS over another stream, a pair of pipes on
// standard input and output, and a test's memory are all Streams.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>

#include "libmail/async/task.h"
#include "libmail/async/timer.h"

namespace posthorn::async {

// Octets that were received and not yet consumed. Consuming from the front moves no memory until
// the buffer is refilled; an empty buffer can give its memory back, so an idle session costs none.
class Buffer {
 public:
  [[nodiscard]] std::string_view view() const { return std::string_view(bytes_).substr(begin_); }
  [[nodiscard]] std::size_t size() const { return bytes_.size() - begin_; }
  [[nodiscard]] bool empty() const { return size() == 0; }
  void consume(std::size_t count);
  void append(std::string_view octets);
  void clear() { bytes_.clear(), begin_ = 0; }
  void shrink();  // frees the memory if empty

 private:
  std::string bytes_;
  std::size_t begin_ = 0;
};

// Who is at the other end.
struct Peer {
  enum class Kind { inet, unix_socket, stdio };
  Kind kind = Kind::stdio;
  std::string address;  // "192.0.2.1", "2001:db8::1"; "" if not inet
  std::uint16_t port = 0;
  std::string local_address;  // our end of the connection, inet only
  std::uint16_t local_port = 0;
  uid_t uid = static_cast<uid_t>(-1);  // SO_PEERCRED of a Unix socket
  gid_t gid = static_cast<gid_t>(-1);
  pid_t pid = 0;

  Peer() = default;
  [[nodiscard]] bool is_local() const { return kind != Kind::inet; }
  // "192.0.2.1:4711", "[2001:db8::1]:4711", "unix:uid=1000", "stdio"
  [[nodiscard]] std::string text() const;
};

class Stream {
 public:
  virtual ~Stream() = default;
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Waits for octets and appends them to `into`. The count is 0 at the end of the stream. One
  // reader at a time.
  virtual Task<Result<std::size_t, IoError>> read(Buffer& into, Deadline deadline) = 0;
  // Returns when the kernel has taken all of it. One writer at a time. `octets` stay valid until
  // then.
  virtual Task<Result<void, IoError>> write(std::string_view octets, Deadline deadline) = 0;
  // Half close: the peer reads the end of the stream; for TLS, close_notify. Errors do not matter
  // any more.
  virtual Task<void> shutdown(Deadline deadline) = 0;
  // Ends it now; a call that waits returns IoError::cancelled. May be called again.
  virtual void close() = 0;

  [[nodiscard]] virtual const Peer& peer() const = 0;
  // True if octets are here already, so that read() will not wait.
  [[nodiscard]] virtual bool has_pending() const = 0;
};

// Two streams joined in memory: what one writes the other reads.
struct StreamPair {
  std::unique_ptr<Stream> left;
  std::unique_ptr<Stream> right;
};
StreamPair make_memory_pair(Peer left_sees, Peer right_sees);

// Copies each direction until both have ended or one fails. `left` and `right` outlive it. Idle:
// nothing moved in either direction for that long. Gives the octets moved from left to right and
// back.
struct Spliced {
  std::uint64_t to_right = 0;
  std::uint64_t to_left = 0;
};
Task<Spliced> splice(Stream& left, Stream& right, Duration idle);

}  // namespace posthorn::async
