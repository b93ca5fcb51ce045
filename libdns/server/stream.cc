#include "libdns/server/stream.h"

#include "libmail/async/event.h"
#include "libmail/async/scope.h"

namespace posthorn::dns {

using async::Deadline;
using async::Task;

namespace {

constexpr std::size_t length_octets = 2;

// Takes the first whole message off the buffer; nothing if there is none yet.
std::optional<std::string> take_message(async::Buffer& buffer) {
  const std::string_view view = buffer.view();
  if (view.size() < length_octets) return std::nullopt;
  const std::size_t length = static_cast<std::size_t>(static_cast<std::uint8_t>(view[0])) << 8 |
                             static_cast<std::uint8_t>(view[1]);
  if (view.size() < length_octets + length) return std::nullopt;
  std::string message(view.substr(length_octets, length));
  buffer.consume(length_octets + length);
  return message;
}

}  // namespace

struct StreamServer::Session final : Sink {
  Session(std::unique_ptr<async::Stream> to, Responder& with, const StreamLimits& most)
      : stream(std::move(to)), client(client_of(stream->peer())), responder(with), limits(most) {}

  Task<bool> send(std::string message) override;
  Task<void> read_all();
  Task<void> wait_for_room();
  Task<void> write_all();
  Task<void> answer_later(std::string packet);
  void answer(std::string packet);
  void queue(std::string_view message);
  void end() {
    ended = true;
    room.set();
    to_write.set();
    stream->close();
  }
  [[nodiscard]] bool is_full() const {
    return waiting >= limits.waiting || unsent.size() >= limits.unsent;
  }
  [[nodiscard]] bool is_busy() const { return waiting != 0 || !unsent.empty() || writing; }

  std::unique_ptr<async::Stream> stream;
  Client client;
  Responder& responder;
  const StreamLimits& limits;
  async::Scope scope;
  async::Buffer buffer;
  std::string unsent;
  std::string reply;  // used again and again
  async::Event to_write;
  async::Event room;
  std::size_t waiting = 0;
  bool writing = false;
  bool ended = false;    // no way to say anything any more
  bool reads_on = true;  // false: the writer ends once all is said
};

void StreamServer::Session::queue(std::string_view message) {
  unsent.push_back(static_cast<char>(message.size() >> 8));
  unsent.push_back(static_cast<char>(message.size()));
  unsent.append(message);
  to_write.set();
}

// Waits until there is room behind what is unsent: a transfer is as fast as its reader.
Task<bool> StreamServer::Session::send(std::string message) {
  const Deadline deadline = Deadline::in(limits.write_time);
  while (!ended && unsent.size() >= limits.unsent) {
    room.reset();
    const bool woken = co_await room.wait_until(deadline);
    if (!woken) end();
  }
  if (ended) co_return false;
  queue(message);
  co_return true;
}

void StreamServer::Session::answer(std::string packet) {
  switch (responder.answer(packet, client, reply)) {
    case Responder::Outcome::answered:
      queue(reply);
      return;
    case Responder::Outcome::later:
      scope.spawn(answer_later(std::move(packet)));
      return;
    case Responder::Outcome::nothing:
      return;
  }
}

Task<void> StreamServer::Session::answer_later(std::string packet) {
  ++waiting;
  co_await responder.answer_later(std::move(packet), client, *this);
  --waiting;
  room.set();
  if (waiting == 0 && !reads_on) to_write.set();
}

Task<void> StreamServer::Session::wait_for_room() {
  while (is_full() && !ended) {
    room.reset();
    co_await room.wait();  // set by answers and by the writer, each of which has its time
  }
}

Task<void> StreamServer::Session::read_all() {
  Deadline deadline = Deadline::in(limits.idle);
  while (!ended && reads_on) {
    auto message = take_message(buffer);
    if (message) {
      answer(std::move(*message));
      co_await wait_for_room();
      deadline = Deadline::in(limits.idle);
      continue;
    }
    const auto got = co_await stream->read(buffer, deadline);
    if (got && *got != 0) continue;
    const bool is_waiting = !got && got.error().code == IoError::timed_out && is_busy();
    if (!is_waiting || !buffer.empty()) break;
    deadline = Deadline::in(limits.idle);
  }
}

Task<void> StreamServer::Session::write_all() {
  while (!ended) {
    if (unsent.empty() && !reads_on && waiting == 0) co_return;
    if (unsent.empty()) {
      to_write.reset();
      co_await to_write.wait();
      continue;
    }
    const std::string part = std::exchange(unsent, std::string());
    room.set();
    writing = true;
    const auto written = co_await stream->write(part, Deadline::in(limits.write_time));
    writing = false;
    if (!written) end();
  }
}

StreamServer::StreamServer(Responder& responder, StreamLimits limits)
    : responder_(responder), limits_(limits) {}

StreamServer::~StreamServer() = default;

Task<void> StreamServer::serve(std::unique_ptr<async::Stream> stream) {
  Session session(std::move(stream), responder_, limits_);
  if (stopping_) co_return;
  sessions_.insert(&session);
  session.scope.spawn(session.write_all());
  co_await session.read_all();
  // A client that has said all (half-closed) still gets its answers.
  session.reads_on = false;
  session.to_write.set();
  co_await session.scope.join();
  sessions_.erase(&session);
  session.stream->close();
}

void StreamServer::stop() {
  stopping_ = true;
  for (Session* session : sessions_) {
    session->reads_on = false;
    session->to_write.set();
    if (!session->is_busy()) session->end();
  }
}

}  // namespace posthorn::dns
