#include "agents/dnsd/worker.h"

#include "libdns/zone/master_file.h"
#include "libmail/async/files.h"
#include "libmail/service/listeners.h"

namespace posthorn::dnsd {

using async::Task;
using Kind = WorkerNote::Kind;

Worker::Worker(Fd channel, dns::Zones& zones, service::Log& log, Handlers handlers)
    : zones_(zones),
      log_(log),
      handlers_(std::move(handlers)),
      channel_(
          std::move(channel), [this](WorkerNote note) { take(std::move(note)); },
          [this] { ended(); }) {}

void Worker::take(WorkerNote note) {
  switch (note.kind) {
    case Kind::zone:
    case Kind::empty:
    case Kind::removed:
    case Kind::go:
      zone_notes_.push_back(std::move(note));
      if (!is_taking_) scope_.spawn(take_zones());
      return;
    case Kind::reload:
      return handlers_.on_reload();
    case Kind::stats:
    case Kind::cache:
    case Kind::flush: {
      auto file = text_file(handlers_.answer(note));
      if (!file) return log_.error("", "reply-failed", {{"why", file.error().text()}});
      WorkerNote reply(Kind::reply);
      reply.id = note.id;
      reply.file = std::make_shared<const Fd>(std::move(*file));
      return channel_.send(std::move(reply));
    }
    case Kind::ready:
    case Kind::reply:
    case Kind::packet:
      return;  // nobody says this to us
  }
}

void Worker::ended() {
  zone_notes_.clear();
  may_go_.set();
  handlers_.on_end();
}

Task<void> Worker::take_zones() {
  is_taking_ = true;
  while (!zone_notes_.empty()) {
    WorkerNote note = std::move(zone_notes_.front());
    zone_notes_.pop_front();
    const auto name = dns::Name::from_wire(note.text);
    if (note.kind == Kind::go) {
      may_go_.set();
    } else if (note.kind == Kind::empty && name) {
      zones_.put_empty(*name);
    } else if (note.kind == Kind::removed && name) {
      zones_.remove(*name);
    } else if (note.kind == Kind::zone && name) {
      co_await take_zone(std::move(note.text), std::move(note.file));
    }
  }
  is_taking_ = false;
}

Task<void> Worker::take_zone(std::string name, std::shared_ptr<const Fd> file) {
  const dns::Name origin = *dns::Name::from_wire(name);
  auto job = [origin, file]() -> dns::MasterFile {
    const auto view = file ? TextView::of(*file) : std::nullopt;
    return view ? dns::parse_master_file(view->text(), origin) : dns::MasterFile();
  };
  const dns::MasterFile loaded = co_await async::blocking(std::move(job));
  if (loaded.zone) {
    zones_.put(loaded.zone);
    co_return;
  }
  // Worker 0 serves it: an old version is not what a client should get, nor what others say of it.
  const std::string why = loaded.problems.empty() ? "no text" : loaded.problems.front().text();
  log_.error("", "zone-not-taken", {{"zone", origin.text()}, {"why", why}});
  zones_.put_empty(origin);
}

Task<bool> Worker::wait_for_zones() {
  co_await may_go_.wait();
  co_return !channel_.has_ended();
}

void Worker::tell_ready() {
  channel_.send(WorkerNote(Kind::ready));
}

Task<void> Worker::join() {
  co_await scope_.join();
}

Task<void> Worker::handle(std::string packet, dns::Client, dns::Sink& sink) {
  const dns::DatagramWay* way = sink.datagram();
  if (way == nullptr) co_return;
  PassedPacket passed;
  passed.listener = service::bound_endpoint(way->socket);
  passed.way = *way;
  passed.packet = std::move(packet);
  WorkerNote note(Kind::packet, encode_packet(passed));
  if (!channel_.send_if_room(note))
    log_.warning("", "request-dropped", {{"why", "worker 0 is busy"}});
}

}  // namespace posthorn::dnsd
