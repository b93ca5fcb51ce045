// One LMTP transaction after the other (RFC 2033): recipients that exist, the body into memory or a spool file, past the
// filters, one answer for each recipient when its copy is on disk.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agents/deliverd/delivery.h"
#include "agents/deliverd/reports.h"
#include "libmail/filter/passing_message.h"
#include "libmail/queue/id.h"
#include "libmail/service/log.h"
#include "libmail/service/metrics.h"
#include "libmail/session/smtp_server.h"

namespace posthorn::deliverd {

struct Counters {
  service::Counter& delivered;  // recipients
  service::Counter& deferred;
  service::Counter& refused;
  service::Counter& discarded;  // by a filter
  service::Counter& octets;

  explicit Counters(service::Metrics& metrics);
};

// What all sessions share; outlives them.
struct Services {
  Delivery& delivery;
  store::Files& files;
  ReportSink& reports;
  filter::Filters& filters;
  queue::IdSource& ids;
  service::Log& log;
  Counters& counters;

  Services(Delivery& d, store::Files& f, ReportSink& r, filter::Filters& m, queue::IdSource& i,
           service::Log& l, Counters& c)
      : delivery(d), files(f), reports(r), filters(m), ids(i), log(l), counters(c) {}
};

// A snapshot of options; a session keeps the one it began with.
struct SessionRules {
  std::string hostname;  // of reports
  std::string spool;     // the directory for bodies that are too large for memory

  SessionRules() = default;
};

class Session final : public session::SmtpHandler {
 public:
  Session(Services services, std::shared_ptr<const SessionRules> rules)
      : services_(services), rules_(std::move(rules)), gate_(services.filters) {}

  async::Task<smtp::Reply> on_connect(const smtp::SessionInfo& session) override;
  async::Task<smtp::Reply> on_hello(const smtp::SessionInfo& session) override;
  async::Task<smtp::Reply> on_mail(smtp::Envelope& envelope,
                                   const smtp::SessionInfo& session) override;
  async::Task<smtp::Reply> on_rcpt(const smtp::Envelope& envelope, smtp::Recipient& recipient,
                                   const smtp::SessionInfo& session) override;
  async::Task<smtp::Reply> on_data(const smtp::Envelope& envelope,
                                   const smtp::SessionInfo& session) override;
  async::Task<smtp::Reply> on_body(std::string_view octets) override;
  async::Task<std::vector<smtp::Reply>> on_message_end(smtp::Envelope& envelope,
                                                       const smtp::SessionInfo& session) override;
  async::Task<void> on_reset() override;

 private:
  void forget();
  async::Task<smtp::Reply> store(std::string_view octets);
  async::Task<smtp::Reply> spill();
  async::Task<Result<void, smtp::Reply>> end_body(Letter& letter);
  async::Task<smtp::Reply> store_filtered();
  async::Task<std::vector<smtp::Reply>> deliver_filtered(const smtp::Envelope& said,
                                                         const smtp::SessionInfo& session,
                                                         std::vector<Target> targets);
  async::Task<smtp::Reply> deliver_added(const Letter& letter);
  async::Task<std::vector<smtp::Reply>> deliver(const Letter& letter,
                                                const std::vector<Target>& targets);
  smtp::Reply discard(const smtp::Envelope& envelope, const smtp::Recipient& recipient);
  void log_outcome(const Letter& letter, std::size_t recipient, const std::vector<Target>& targets,
                   const Outcome& outcome);

  Services services_;
  std::shared_ptr<const SessionRules> rules_;
  filter::FilterGate gate_;
  std::string trace_id_;
  std::vector<Target> targets_;
  std::unique_ptr<filter::PassingMessage>
      passing_;  // where there are filters; then body_ comes from it
  store::ContentWriter body_;
  std::string header_;  // the beginning of a body that was spilled
};

}  // namespace posthorn::deliverd
