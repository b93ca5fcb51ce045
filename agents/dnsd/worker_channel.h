// What workers say to each other: datagrams on a pair of sockets between worker 0 and each other one
// (SOCK_SEQPACKET), long texts beside them as files in memory.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "libdns/server/datagram.h"
#include "libmail/async/event.h"
#include "libmail/async/poll.h"
#include "libmail/base/fd.h"
#include "libmail/base/result.h"

namespace posthorn::dnsd {

struct WorkerNote {
  enum class Kind : std::uint8_t {
    // from worker 0
    zone = 1,  // text: its name as on the wire; file: the zone as text
    empty,     // ours, with nothing to serve; text: its name
    removed,   // no longer ours; text: its name
    go,        // all zones of the start are told: serve
    reload,    // the options have new values
    stats,     // a question; the reply's file is JSON
    cache,     // text: which lines, as JSON
    flush,     // text: which, as JSON
    // to worker 0
    ready,   // after `go`
    reply,   // with the id of the question; file: JSON
    packet,  // text: encode_packet()
  };
  Kind kind = Kind::go;
  std::uint32_t id = 0;  // of a question and its reply
  std::string text;
  std::shared_ptr<const Fd> file;  // null with most
  WorkerNote() = default;
  explicit WorkerNote(Kind k, std::string t = {}) : kind(k), text(std::move(t)) {}
};

// One machine, one program: numbers as they lie in memory. Without `file`.
[[nodiscard]] std::string encode_note(const WorkerNote& note);
// Nothing if it is none.
[[nodiscard]] std::optional<WorkerNote> decode_note(std::string_view octets);

// A client's datagram that worker 0 has to answer.
struct PassedPacket {
  std::string
      listener;  // where it came in, as bound_endpoint() says; worker 0 has a socket there, too
  dns::DatagramWay way;  // its `socket` means nothing
  std::string packet;
  PassedPacket() = default;
};
[[nodiscard]] std::string encode_packet(const PassedPacket& packet);
[[nodiscard]] std::optional<PassedPacket> decode_packet(std::string_view octets);

// A file in memory with this text, which nobody can change any more.
[[nodiscard]] Result<Fd, IoError> text_file(std::string_view text);
// Its text, mapped.
class TextView {
 public:
  // Nothing if it is no file that text_file() has made, or memory is short.
  static std::optional<TextView> of(const Fd& file);
  TextView(TextView&& other) noexcept : text_(std::exchange(other.text_, {})) {}
  TextView& operator=(TextView&&) = delete;
  ~TextView();
  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  explicit TextView(std::string_view text) : text_(text) {}
  std::string_view text_;
};

// One end of the pair. Never blocks.
class WorkerChannel {
 public:
  // Both are called from the loop; `on_end` once, when the other side has closed its end or died.
  WorkerChannel(Fd socket, std::function<void(WorkerNote)> on_note, std::function<void()> on_end);
  ~WorkerChannel() = default;
  WorkerChannel(const WorkerChannel&) = delete;
  WorkerChannel& operator=(const WorkerChannel&) = delete;

  // In order; waits in memory for room.
  void send(WorkerNote note);
  // At once or not at all, for what may be lost. False if there was no room.
  bool send_if_room(const WorkerNote& note);
  // Says nothing more: the other side sees the end, and is still heard.
  void finish();
  // Returns when nothing waits for room.
  async::Task<void> wait_for_room();
  [[nodiscard]] bool has_ended() const { return has_ended_; }

 private:
  void on_ready(bool readable, bool writable);
  void read();
  void write();
  [[nodiscard]] bool write_one(const WorkerNote& note);
  void end();

  Fd socket_;
  std::function<void(WorkerNote)> on_note_;
  std::function<void()> on_end_;
  std::deque<WorkerNote> unsent_;
  bool has_ended_ = false;
  async::Event has_room_;
  async::FdWatch watch_;
};

}  // namespace posthorn::dnsd
