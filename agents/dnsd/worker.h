// A worker other than worker 0: what it is told, and what it passes on.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "agents/dnsd/worker_channel.h"
#include "libdns/server/responder.h"
#include "libdns/server/zones.h"
#include "libmail/async/event.h"
#include "libmail/async/scope.h"
#include "libmail/service/log.h"

namespace posthorn::dnsd {

class Worker final : public dns::SpecialHandler {
 public:
  struct Handlers {
    // A question of an operator: stats, cache or flush. JSON.
    std::function<std::string(const WorkerNote&)> answer;
    std::function<void()> on_reload;
    std::function<void()> on_end;  // worker 0 wants it, or has died
  };
  // `zones` and `log` outlive it.
  Worker(Fd channel, dns::Zones& zones, service::Log& log, Handlers handlers);

  // Returns when all zones of the start are there. False: worker 0 has ended.
  async::Task<bool> wait_for_zones();
  // Tells worker 0 that questions are answered from now on.
  void tell_ready();
  async::Task<void> join();

  // Passes it to worker 0, which answers. Lost, as UDP may lose it, if worker 0 is too busy.
  async::Task<void> handle(std::string packet, dns::Client client, dns::Sink& sink) override;

 private:
  void take(WorkerNote note);
  void ended();
  async::Task<void> take_zones();
  async::Task<void> take_zone(std::string name, std::shared_ptr<const Fd> file);

  dns::Zones& zones_;
  service::Log& log_;
  Handlers handlers_;
  std::deque<WorkerNote> zone_notes_;  // in the order in which they came
  bool is_taking_ = false;
  async::Event may_go_;  // or never will
  async::Scope scope_;
  WorkerChannel channel_;
};

}  // namespace posthorn::dnsd
