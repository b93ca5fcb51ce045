// Several processes that answer, each with its own UDP sockets, loop and cache. Worker 0 alone has the
// zones on disk, the streams and the operators; it gives every version of a zone to the others, and
// does for them what is no plain question.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "agents/dnsd/worker_channel.h"
#include "libdns/server/zones.h"
#include "libmail/async/event.h"
#include "libmail/async/scope.h"
#include "libmail/service/agent.h"
#include "libmail/service/log.h"

namespace posthorn::dnsd {

// This process among the workers.
struct WorkerPlace {
  unsigned number = 0;
  unsigned count = 1;
  std::vector<Fd> channels;  // worker 0: to 1, 2 ...; the others: one, to worker 0
  WorkerPlace() = default;
};

// Takes what worker `number` listens on, and closes the rest: of the UDP sockets of one address every
// so many; everything else is worker 0's.
void keep_share(std::vector<service::OpenListeners>& open, unsigned number, unsigned count);

// Forks all but worker 0; returns in each of them. Only while there is one thread and no loop. There
// are no more workers than an address has UDP sockets. Others than worker 0 end with it: they take no
// signal but SIGHUP.
[[nodiscard]] Result<WorkerPlace, std::string> fork_workers(
    unsigned wanted, std::vector<service::OpenListeners>& open);

// What a worker said when it was asked; nothing if it did not in time.
struct WorkerReply {
  unsigned worker = 0;
  std::optional<nlohmann::ordered_json> json;
  WorkerReply() = default;
};

// The others, seen from worker 0.
class Workers {
 public:
  struct Handlers {
    std::function<void(PassedPacket)> on_packet;
    std::function<void(unsigned worker)> on_end;  // it has ended, and was not told to
  };
  // `zones` and `log` outlive it.
  Workers(std::vector<Fd> channels, dns::Zones& zones, service::Log& log, Handlers handlers);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // A zone has another version, or is none any more. Several changes soon after another are told as
  // one.
  void changed(const dns::Name& zone);
  // Returns when the others have what is served, and serve it; or why they never will.
  async::Task<Result<void, std::string>> start();
  void reload();
  // All at once: stats, cache or flush. By number.
  async::Task<std::vector<WorkerReply>> ask(WorkerNote::Kind kind, std::string text);
  // Tells them to end, and returns when they have.
  void stop();
  async::Task<void> join(async::Deadline deadline);

 private:
  struct Other;
  struct Asked;
  void take(Other& other, WorkerNote note);
  void ended(Other& other);
  void tell_all(const WorkerNote& note);
  async::Task<void> publish();
  async::Task<std::optional<WorkerNote>> note_of(dns::Name zone);
  [[nodiscard]] bool all_of(bool (*is)(const Other&)) const;

  dns::Zones& zones_;
  service::Log& log_;
  Handlers handlers_;
  std::vector<std::unique_ptr<Other>> others_;
  std::set<dns::Name> changed_;  // to be told
  bool is_publishing_ = false;
  bool stopping_ = false;
  std::map<std::uint32_t, Asked*> asked_;
  std::uint32_t last_id_ = 0;
  async::Event progress_;  // one is ready, or has ended
  async::Event published_;
  async::Scope scope_;
};

}  // namespace posthorn::dnsd
