#include "libmail/async/stream.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/async/event.h"
#include "libmail/async/loop.h"
#include "libmail/async/scope.h"

namespace posthorn::async {

void Buffer::consume(std::size_t count) {
  check(count <= size(), "consume within the buffer");
  begin_ += count;
  if (begin_ == bytes_.size()) clear();
}

void Buffer::append(std::string_view octets) {
  // The consumed front is dropped when it is the larger part, so that each octet moves at most
  // twice.
  if (begin_ > 0 && begin_ >= size()) {
    bytes_.erase(0, begin_);
    begin_ = 0;
  }
  bytes_.append(octets);
}

void Buffer::shrink() {
  if (!empty()) return;
  begin_ = 0;
  std::string().swap(bytes_);
}

std::string Peer::text() const {
  switch (kind) {
    case Kind::stdio:
      return "stdio";
    case Kind::unix_socket:
      return fmt::format("unix:uid={}", uid);
    case Kind::inet:
      break;
  }
  return address.find(':') == std::string::npos ? fmt::format("{}:{}", address, port)
                                                : fmt::format("[{}]:{}", address, port);
}

namespace {

// One direction of a memory pair. Its two ends live as long as either stream does.
struct Pipe {
  std::string octets;
  bool ended = false;   // the writer shut down or went away
  bool broken = false;  // the reader went away
  Event changed;        // something arrived or ended, or space was made
};

constexpr std::size_t pipe_capacity = 64 * 1024;

class MemoryStream final : public Stream {
 public:
  MemoryStream(std::shared_ptr<Pipe> in, std::shared_ptr<Pipe> out, Peer peer)
      : in_(std::move(in)), out_(std::move(out)), peer_(std::move(peer)) {}
  ~MemoryStream() override { close(); }

  Task<Result<std::size_t, IoError>> read(Buffer& into, Deadline deadline) override {
    const auto in = in_;
    while (in->octets.empty() && !in->ended && !closed_) {
      in->changed.reset();
      const bool woken = co_await in->changed.wait_until(deadline);
      if (!woken) co_return fail(IoError(IoError::timed_out, "read"));
    }
    if (closed_) co_return fail(IoError(IoError::cancelled, "read"));
    const std::size_t count = in->octets.size();
    into.append(in->octets);
    in->octets.clear();
    in->changed.set();
    co_return count;
  }

  Task<Result<void, IoError>> write(std::string_view octets, Deadline deadline) override {
    const auto out = out_;
    while (!octets.empty()) {
      while (out->octets.size() >= pipe_capacity && !out->broken && !closed_) {
        out->changed.reset();
        const bool woken = co_await out->changed.wait_until(deadline);
        if (!woken) co_return fail(IoError(IoError::timed_out, "write"));
      }
      if (closed_) co_return fail(IoError(IoError::cancelled, "write"));
      if (out->broken || out->ended) co_return fail(IoError(EPIPE, "write"));
      const std::size_t part = std::min(octets.size(), pipe_capacity - out->octets.size());
      out->octets.append(octets.substr(0, part));
      octets.remove_prefix(part);
      out->changed.set();
    }
    co_return Result<void, IoError>();
  }

  Task<void> shutdown(Deadline) override {
    out_->ended = true;
    out_->changed.set();
    co_return;
  }

  void close() override {
    if (closed_) return;
    closed_ = true;
    out_->ended = true;
    in_->broken = true;
    out_->changed.set();
    in_->changed.set();
  }

  [[nodiscard]] const Peer& peer() const override { return peer_; }
  [[nodiscard]] bool has_pending() const override { return !in_->octets.empty(); }

 private:
  std::shared_ptr<Pipe> in_;
  std::shared_ptr<Pipe> out_;
  Peer peer_;
  bool closed_ = false;
};

struct SpliceState {
  Stream& left;
  Stream& right;
  Duration idle;
  MonoTime last_moved;
  SpliceState(Stream& a, Stream& b, Duration limit)
      : left(a), right(b), idle(limit), last_moved(Loop::current().now()) {}
  void give_up() {
    left.close();
    right.close();
  }
};

// One direction. A read that times out only ends the splice when the other direction was silent as
// well.
Task<void> copy(SpliceState& state, Stream& from, Stream& to, std::uint64_t& moved) {
  Buffer buffer;
  for (;;) {
    const Deadline quiet = Deadline::at(state.last_moved + state.idle);
    const auto got = co_await from.read(buffer, quiet);
    if (!got && got.error().code == IoError::timed_out &&
        Loop::current().now() < state.last_moved + state.idle) {
      continue;
    }
    if (!got) {
      state.give_up();
      break;
    }
    if (*got == 0) {
      co_await to.shutdown(Deadline::in(state.idle));
      break;
    }
    state.last_moved = Loop::current().now();
    const auto written = co_await to.write(buffer.view(), Deadline::in(state.idle));
    if (!written) {
      state.give_up();
      break;
    }
    moved += buffer.size();
    buffer.clear();
    buffer.shrink();  // a connection at rest holds no buffer
  }
}

}  // namespace

StreamPair make_memory_pair(Peer left_sees, Peer right_sees) {
  auto to_right = std::make_shared<Pipe>();
  auto to_left = std::make_shared<Pipe>();
  StreamPair pair;
  pair.left = std::make_unique<MemoryStream>(to_left, to_right, std::move(left_sees));
  pair.right = std::make_unique<MemoryStream>(to_right, to_left, std::move(right_sees));
  return pair;
}

Task<Spliced> splice(Stream& left, Stream& right, Duration idle) {
  SpliceState state(left, right, idle);
  Spliced moved;
  Scope scope;
  scope.spawn(copy(state, left, right, moved.to_right));
  scope.spawn(copy(state, right, left, moved.to_left));
  co_await scope.join();
  co_return moved;
}

}  // namespace posthorn::async
