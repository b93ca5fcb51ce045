// The operator's verbs on queued's ops socket: what `posthorn queue` and curl talk to.
//
//   GET  /queue?state=&from=&to=&after=ID&limit=N    list
//   GET  /queue/ID                                   show
//   GET  /queue/ID/message                           cat: the message as it will be sent
//   POST /queue/ID/hold {"reason":TEXT}   /queue/ID/release   /queue/ID/requeue
//   POST /queue/ID/flush   /queue/ID/delete
//   POST /queue/flush                                everything deferred is tried now
//   GET  /queue/export, /queue/ID/export             batch SMTP
//   POST /queue/import                               batch SMTP in: {"ids":[...]}
//   GET  /queue/destinations                         who is tried, waits, rests
#pragma once

#include "agents/queued/scheduler.h"
#include "libmail/queue/commands.h"
#include "libmail/service/ops.h"

namespace posthorn::queued {

class Ops {
 public:
  Ops(queue::Store& store, Scheduler& scheduler) : store_(store), scheduler_(scheduler) {}
  void serve(service::OpsServer& server);

 private:
  async::Task<service::OpsReply> get(service::OpsRequest request);
  async::Task<service::OpsReply> post(service::OpsRequest request);
  async::Task<service::OpsReply> list(service::OpsRequest request);
  async::Task<service::OpsReply> show(queue::MessageId id);
  async::Task<service::OpsReply> cat(queue::MessageId id);
  async::Task<service::OpsReply> export_all();
  async::Task<service::OpsReply> export_one(queue::MessageId id);
  async::Task<service::OpsReply> import(std::string batch);
  async::Task<service::OpsReply> verb(queue::MessageId id, std::string name, std::string body);
  using Printer = Result<void, IoError> (*)(queue::Files& files, const queue::Layout& layout,
                                            const queue::Loaded& loaded, const queue::Sink& sink);
  async::Task<service::OpsReply> print(queue::MessageId id, Printer printer, std::string type);
  [[nodiscard]] service::OpsReply flush_all();
  [[nodiscard]] service::OpsReply destinations() const;
  // Of a message that may be gone when its turn comes.
  async::Task<std::shared_ptr<queue::Loaded>> load(queue::MessageId id);

  queue::Store& store_;
  Scheduler& scheduler_;
};

}  // namespace posthorn::queued
