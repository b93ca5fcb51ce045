// Reports that are queued's duty: failed, delayed, expanded, delivered to a list, relayed to an agent without DSN. They go
// into queued's own segment and are durable before the message says that it has been reported on.
#pragma once

#include <vector>

#include "agents/queued/options.h"
#include "agents/queued/work.h"
#include "libmail/queue/store.h"
#include "libmail/service/log.h"

namespace posthorn::queued {

class Reporter {
 public:
  Reporter(queue::Store& store, const Options& options, service::Log& log)
      : store_(store), options_(options), log_(log) {}

  // Everything that the plan's recipients owe; their phases are settled then. False if a report could not be
  // written: they stay as they are, and it is tried again later.
  async::Task<bool> report_results(Work& work);
  // Tells the senders that the open recipients are delayed.
  async::Task<bool> report_delay(Work& work, WallTime retry_until);
  // What an expansion has to tell.
  async::Task<bool> report_expansion(Work& work, std::vector<route::ExpansionReport> reports);
  // A message that is not taken at all: `message` never was in the queue.
  async::Task<bool> report_refusal(smtp::Envelope envelope, std::string message, smtp::Status why);

 private:
  struct Addressed;
  async::Task<bool> send(Work& work, std::vector<Addressed> reports);
  async::Task<bool> send_one(const smtp::Envelope& about, dsn::ReportRequest request,
                             std::string_view message, bool whole);
  [[nodiscard]] dsn::ReportRequest request_to(const smtp::Envelope& about,
                                              const smtp::ReversePath& sender) const;
  // A report to the postmaster that is lost itself.
  [[nodiscard]] bool failed_at_postmaster(const Work& work,
                                          const queue::RecipientState& recipient) const;

  queue::Store& store_;
  const Options& options_;
  service::Log& log_;
};

}  // namespace posthorn::queued
