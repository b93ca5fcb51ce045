// relayd's side of an LMTP session: a proxy that stores nothing (DESIGN section 6, "Handing over").
//
//   MAIL      250, nothing else happens yet
//   RCPT      the first one of a destination connects to it and is answered with what came of that; one of a second
//             destination gets 452 4.5.3
//   body      gathers up to `held` octets. A message that is not longer goes out in one group with MAIL and RCPT; a
//             longer one when the remote host has answered those, in pieces, as fast as it takes them
//   end       one reply a recipient: the remote host's own words
//
// Until octets of the body are on their way, a host that does not take a recipient for now (4xx, lost, no connection)
// is followed by the next one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "agents/relayd/connections.h"
#include "agents/relayd/destination.h"
#include "agents/relayd/relayed.h"
#include "libmail/message/header_collector.h"
#include "libmail/queue/id.h"
#include "libmail/service/log.h"
#include "libmail/service/metrics.h"
#include "libmail/session/smtp_server.h"

namespace posthorn::relayd {

struct SessionOptions {
  Duration transaction_time =
      std::chrono::minutes(15);  // from MAIL to the last reply; queued waits 20
  std::size_t held = 32 * 1024;  // octets of a message

  SessionOptions() = default;
};

struct Counters {
  service::Counter& sent;  // recipients
  service::Counter& deferred;
  service::Counter& refused;
  service::Counter& octets;     // of messages that at least one recipient got
  service::Histogram& seconds;  // from MAIL to the last reply

  explicit Counters(service::Metrics& metrics);
};

// What all sessions share; outlives them.
struct Services {
  Destinations& destinations;
  Connections& connections;
  RelayedReports& reports;
  queue::IdSource& ids;
  service::Log& log;
  Counters& counters;

  Services(Destinations& d, Connections& c, RelayedReports& r, queue::IdSource& i, service::Log& l,
           Counters& n)
      : destinations(d), connections(c), reports(r), ids(i), log(l), counters(n) {}
};

class Session final : public session::SmtpHandler {
 public:
  Session(Services services, SessionOptions options) : services_(services), options_(options) {}

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
  // What is known of one recipient so far.
  struct Fate {
    smtp::Status status;
    std::string relay;     // "mx.example.org[192.0.2.1]:25"
    std::string tls;       // "TLSv1.3 verified"; empty in clear
    bool settled = false;  // false: another host may change it
    bool remote_has_dsn = true;
  };
  struct Transaction {
    async::Deadline deadline;
    MonoTime begun;
    std::optional<Destination> destination;
    std::unordered_map<std::string, smtp::Status> unreachable;  // destinations, by key
    Lease client;
    std::size_t next_target = 0;
    std::size_t target = 0;  // of `client`
    smtp::Envelope envelope;
    std::vector<Fate> fates;  // of envelope.recipients
    std::string held;         // message octets that are not on their way yet
    bool streaming = false;
    std::vector<std::size_t> streamed;  // indices of the recipients that were offered to `client`
    std::optional<message::HeaderCollector> header;  // for `relayed` reports

    explicit Transaction(async::Deadline until, MonoTime now) : deadline(until), begun(now) {}
  };

  async::Task<smtp::Status> reach(Route route, std::string domain, std::string trace_id);
  async::Task<bool> connect_next();
  async::Task<void> begin_streaming();
  async::Task<void> deliver_held();
  async::Task<void> finish_streaming();
  async::Task<void> report_relayed();
  void order_targets();
  [[nodiscard]] std::vector<std::size_t> unsettled() const;
  [[nodiscard]] smtp::Envelope envelope_for(const std::vector<std::size_t>& indices) const;
  void note(std::size_t index, smtp::Status status, bool about_message);
  void log_fates();
  [[nodiscard]] std::string relay_name() const;

  Services services_;
  SessionOptions options_;
  std::optional<Transaction> transaction_;
  smtp::Status trouble_;  // why the last attempt to connect came to nothing
};

}  // namespace posthorn::relayd
