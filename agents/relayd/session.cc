#include "agents/relayd/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/async/loop.h"
#include "libmail/base/text.h"
#include "libmail/smtp/address.h"
#include "libmail/smtp/replies.h"

namespace posthorn::relayd {

using async::Deadline;
using async::Task;
using smtp::EnhancedStatus;
using smtp::Reply;
using smtp::Status;

namespace {

// Of the header, for a `relayed` report. A longer one is cut there.
constexpr std::size_t reported_header = 16 * 1024;

bool refuses_for_good(const Status& status) {
  return status.is_permanent();
}

}  // namespace

Counters::Counters(service::Metrics& metrics)
    : sent(metrics.counter("posthorn_relayd_recipients_total", "recipients by what became of them",
                           "result=\"sent\"")),
      deferred(metrics.counter("posthorn_relayd_recipients_total",
                               "recipients by what became of them", "result=\"deferred\"")),
      refused(metrics.counter("posthorn_relayd_recipients_total",
                              "recipients by what became of them", "result=\"refused\"")),
      octets(metrics.counter("posthorn_relayd_octets_total", "octets of messages that were sent")),
      seconds(metrics.histogram("posthorn_relayd_transaction_seconds",
                                "from MAIL to the last reply", service::time_bounds())) {}

// --- the envelope ---

Task<Reply> Session::on_mail(smtp::Envelope& envelope, const smtp::SessionInfo&) {
  envelope.id = services_.ids.next(wall_now()).str();
  if (envelope.trace_id.empty()) envelope.trace_id = envelope.id;
  envelope.arrival = wall_now();
  transaction_.emplace(Deadline::in(options_.transaction_time), async::Loop::current().now());
  co_return smtp::reply::mail_ok;
}

Task<Reply> Session::on_rcpt(const smtp::Envelope& envelope, smtp::Recipient& recipient,
                             const smtp::SessionInfo&) {
  if (recipient.mailbox.domain.empty())
    co_return Reply(550, EnhancedStatus(5, 1, 3), "An address without a domain can't be relayed");
  const std::string domain = smtp::canonical_domain(recipient.mailbox.domain);
  auto route = co_await services_.destinations.route_for(domain);
  if (!route) co_return smtp::to_reply(route.error());
  const std::string key = Destinations::key_of(*route, domain);

  Transaction& transaction = *transaction_;
  const auto known = transaction.unreachable.find(key);
  if (known != transaction.unreachable.end()) co_return smtp::to_reply(known->second);
  if (transaction.destination) {
    if (transaction.destination->key == key) co_return smtp::reply::rcpt_ok;
    co_return Reply(452, EnhancedStatus(4, 5, 3),
                    "One destination a transaction; send this one in another");
  }
  transaction.envelope.requiretls = envelope.requiretls;
  const Status reached = co_await reach(std::move(*route), domain, envelope.trace_id);
  if (reached.succeeded()) co_return smtp::reply::rcpt_ok;
  transaction_->destination.reset();
  transaction_->unreachable.emplace(key, reached);
  services_.log.info(envelope.trace_id, "unreachable",
                     {{"domain", domain}, {"dsn", reached.enhanced.text()}, {"why", reached.text}});
  co_return smtp::to_reply(reached);
}

// Finds the hosts of a destination and connects to one of them.
Task<Status> Session::reach(Route route, std::string domain, std::string trace_id) {
  Transaction& transaction = *transaction_;
  transaction.envelope.trace_id = trace_id;
  auto found = co_await services_.destinations.find(std::move(route), std::move(domain),
                                                    std::move(trace_id), transaction.deadline);
  if (!found) co_return found.error();
  transaction.destination = std::move(*found);
  transaction.next_target = 0;
  order_targets();
  const bool connected = co_await connect_next();
  if (connected) co_return Status(EnhancedStatus(2, 1, 5), "connected");
  co_return trouble_;
}

// Hosts that did not answer a minute ago come last, else one that is down costs each message a time-out.
void Session::order_targets() {
  std::vector<Target>& targets = transaction_->destination->targets;
  std::vector<Target> resting;
  const auto is_resting = [&](const Target& one) {
    const bool rests = services_.connections.is_resting(one);
    if (rests) resting.push_back(one);
    return rests;
  };
  targets.erase(std::remove_if(targets.begin(), targets.end(), is_resting), targets.end());
  targets.insert(targets.end(), resting.begin(), resting.end());
}

// The next host that can be talked to becomes the client. False: there is none left, and trouble_ says why.
Task<bool> Session::connect_next() {
  Transaction& transaction = *transaction_;
  const Destination& destination = *transaction.destination;
  const Security at_least = transaction.envelope.requiretls ? Security::verified : Security::off;
  std::optional<Status> passing;  // 4xx says more to queued than a host that refuses for good
  while (transaction.next_target < destination.targets.size() && !transaction.deadline.passed()) {
    const std::size_t index = transaction.next_target++;
    const Target& target = destination.targets[index];
    auto lease =
        co_await services_.connections.get(destination, target, at_least, transaction.deadline);
    if (lease) {
      transaction.client = std::move(*lease);
      transaction.target = index;
      co_return true;
    }
    trouble_ = lease.error();
    const bool busy = trouble_.enhanced == EnhancedStatus(4, 4, 5);
    services_.log.info(
        transaction.envelope.trace_id, busy ? "host-busy" : "host-failed",
        {{"host", target.name}, {"address", target.address}, {"why", trouble_.text}});
    // More connections to a host that is not our first choice are no way to spend what we may not spend there.
    const bool worse_follow =
        transaction.next_target < destination.targets.size() &&
        destination.targets[transaction.next_target].preference != target.preference;
    if (busy && worse_follow) co_return false;
    if (!passing && trouble_.is_transient()) passing = trouble_;
  }
  if (transaction.deadline.passed() && !passing)
    passing = Status(EnhancedStatus(4, 4, 7), "no host could be reached in time");
  if (passing) trouble_ = *passing;
  co_return false;
}

// --- the body ---

Task<Reply> Session::on_data(const smtp::Envelope& envelope, const smtp::SessionInfo&) {
  Transaction& transaction = *transaction_;
  transaction.envelope = envelope;
  transaction.fates.resize(envelope.recipients.size());
  const bool reported =
      std::any_of(envelope.recipients.begin(), envelope.recipients.end(),
                  [&](const auto& one) { return wants_relayed(one, envelope.reverse_path); });
  if (reported && services_.reports.enabled()) transaction.header.emplace(reported_header);
  co_return smtp::reply::start_body;
}

Task<Reply> Session::on_body(std::string_view octets) {
  Transaction& transaction = *transaction_;
  if (transaction.header) (void)transaction.header->feed(octets);
  if (!transaction.streaming && transaction.held.size() + octets.size() <= options_.held) {
    transaction.held += octets;
    co_return smtp::reply::ok;
  }
  if (!transaction.streaming) co_await begin_streaming();
  // When nobody takes the message (any more) the rest is read for nothing: LMTP has no way to stop a client.
  if (transaction.client && !transaction.streamed.empty())
    (void)co_await transaction.client->body(octets, transaction.deadline);
  co_return smtp::reply::ok;
}

Task<std::vector<Reply>> Session::on_message_end(smtp::Envelope& envelope,
                                                 const smtp::SessionInfo&) {
  Transaction& transaction = *transaction_;
  transaction.envelope.size = envelope.size;
  if (transaction.streaming) {
    co_await finish_streaming();
  } else {
    co_await deliver_held();
  }
  transaction.client.release();
  co_await report_relayed();
  log_fates();
  std::vector<Reply> replies;
  for (const Fate& fate : transaction_->fates) replies.push_back(smtp::to_reply(fate.status));
  transaction_.reset();
  co_return replies;
}

Task<void> Session::on_reset() {
  if (transaction_ && transaction_->client) transaction_->client->reset();
  transaction_.reset();
  co_return;
}

std::vector<std::size_t> Session::unsettled() const {
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < transaction_->fates.size(); ++i)
    if (!transaction_->fates[i].settled) indices.push_back(i);
  return indices;
}

smtp::Envelope Session::envelope_for(const std::vector<std::size_t>& indices) const {
  const smtp::Envelope& whole = transaction_->envelope;
  if (indices.size() == whole.recipients.size()) return whole;
  smtp::Envelope part = whole;
  part.recipients.clear();
  for (const std::size_t index : indices) part.recipients.push_back(whole.recipients[index]);
  return part;
}

// `about_message`: the host had accepted the recipient, so its word stands whatever other hosts would say.
void Session::note(std::size_t index, Status status, bool about_message) {
  Fate& fate = transaction_->fates[index];
  fate.settled = about_message || status.succeeded() || refuses_for_good(status);
  fate.status = std::move(status);
  fate.relay = relay_name();
  const tls::Facts* facts = transaction_->client ? transaction_->client->tls_facts() : nullptr;
  if (facts != nullptr)
    fate.tls = facts->peer_verified ? facts->version + " verified" : facts->version;
  fate.remote_has_dsn = transaction_->client && transaction_->client->core().extensions().dsn;
}

// A message that was held whole: one group to each host until nobody is left to whom it could go.
Task<void> Session::deliver_held() {
  Transaction& transaction = *transaction_;
  bool connected = static_cast<bool>(transaction.client);
  while (connected) {
    const std::vector<std::size_t> indices = unsettled();
    const smtp::Envelope envelope = envelope_for(indices);
    const std::vector<Status> statuses = co_await transaction.client->deliver(
        envelope, session::WholeBody(transaction.held), transaction.deadline);
    for (std::size_t i = 0; i < indices.size(); ++i)
      note(indices[i], statuses[i], transaction.client->was_accepted(i));
    if (unsettled().empty()) co_return;
    transaction.client.release();
    connected = co_await connect_next();
  }
}

// A message that is longer than what we hold: the first host that accepts somebody gets it.
Task<void> Session::begin_streaming() {
  Transaction& transaction = *transaction_;
  transaction.streaming = true;
  bool connected = static_cast<bool>(transaction.client);
  while (connected) {
    const std::vector<std::size_t> indices = unsettled();
    const smtp::Envelope envelope = envelope_for(indices);
    bool taken = co_await transaction.client->say_envelope(envelope, transaction.deadline);
    if (taken) taken = co_await transaction.client->begin_body(transaction.deadline);
    const smtp::ClientCore& core = transaction.client->core();
    if (taken) {
      transaction.streamed = indices;
      (void)co_await transaction.client->body(transaction.held, transaction.deadline);
      transaction.held = std::string();
      co_return;
    }
    if (core.rcpt_count() == indices.size()) {
      const std::vector<Status> statuses =
          co_await transaction.client->finish(transaction.deadline);
      for (std::size_t i = 0; i < indices.size(); ++i) note(indices[i], statuses[i], false);
    } else {
      for (const std::size_t index : indices) note(index, core.trouble(), false);
    }
    transaction.client.release();
    if (unsettled().empty()) break;
    connected = co_await connect_next();
  }
  transaction.held = std::string();
}

Task<void> Session::finish_streaming() {
  Transaction& transaction = *transaction_;
  if (!transaction.client || transaction.streamed.empty()) co_return;
  const std::vector<Status> statuses = co_await transaction.client->finish(transaction.deadline);
  for (std::size_t i = 0; i < transaction.streamed.size(); ++i)
    note(transaction.streamed[i], statuses[i], true);
}

// --- afterwards ---

Task<void> Session::report_relayed() {
  Transaction& transaction = *transaction_;
  if (!transaction.header) co_return;
  std::vector<RelayedRecipient> recipients;
  for (std::size_t i = 0; i < transaction.fates.size(); ++i) {
    const Fate& fate = transaction.fates[i];
    const smtp::Recipient& recipient = transaction.envelope.recipients[i];
    if (fate.status.succeeded() && !fate.remote_has_dsn &&
        wants_relayed(recipient, transaction.envelope.reverse_path))
      recipients.emplace_back(recipient, fate.status);
  }
  if (recipients.empty()) co_return;
  transaction.header->finish();
  std::string header = transaction.header->take();
  const smtp::Envelope envelope = transaction.envelope;
  co_await services_.reports.drop(envelope, std::move(recipients), std::move(header));
}

std::string Session::relay_name() const {
  const Target& target = transaction_->destination->targets[transaction_->target];
  const async::Endpoint& endpoint = target.hop.endpoint;
  if (endpoint.kind != async::Endpoint::Kind::inet) return endpoint.text();
  return fmt::format("{}[{}]:{}", target.name, target.address, endpoint.port);
}

void Session::log_fates() {
  const Transaction& transaction = *transaction_;
  const Duration delay = async::Loop::current().now() - transaction.begun;
  bool any_sent = false;
  for (std::size_t i = 0; i < transaction.fates.size(); ++i) {
    const Fate& fate = transaction.fates[i];
    const bool sent = fate.status.succeeded();
    any_sent = any_sent || sent;
    (sent                         ? services_.counters.sent
     : fate.status.is_transient() ? services_.counters.deferred
                                  : services_.counters.refused)
        .add();
    const std::string_view event = sent                         ? "sent"
                                   : fate.status.is_transient() ? "deferred"
                                                                : "refused";
    const std::string to = smtp::format_mailbox(transaction.envelope.recipients[i].mailbox);
    const std::string from = smtp::format_path(transaction.envelope.reverse_path);
    services_.log.info(transaction.envelope.trace_id, event,
                       {{"to", to},
                        {"from", from},
                        {"relay", fate.relay},
                        {"tls", fate.tls},
                        {"size", transaction.envelope.size},
                        {"delay", delay},
                        {"dsn", fate.status.enhanced.text()},
                        {"reply", fate.status.text}});
  }
  if (any_sent) services_.counters.octets.add(transaction.envelope.size);
  services_.counters.seconds.observe(std::chrono::duration<double>(delay).count());
}

}  // namespace posthorn::relayd
