#include "agents/deliverd/session.h"

#include <algorithm>
#include <optional>

#include "agents/deliverd/mailbox_delivery.h"
#include "libmail/async/files.h"
#include "libmail/smtp/replies.h"

namespace posthorn::deliverd {

using async::Task;
using smtp::Reply;

namespace {

constexpr std::string_view recipients_metric = "posthorn_deliverd_recipients_total";
constexpr std::string_view recipients_help = "recipients by what became of their copy";

const Reply discarded{250, {2, 0, 0}, "Discarded by a filter"};

// What filters have made of the recipients that a client said.
struct Parted {
  smtp::Envelope kept;
  smtp::Envelope added;
  std::vector<Target> targets;  // of those that are kept
  std::vector<std::optional<std::size_t>>
      place;  // of each said: which of those kept; nothing: taken off

  Parted() = default;
};

Parted part(const smtp::Envelope& said, smtp::Envelope wanted, std::vector<Target> targets) {
  Parted parted;
  std::vector<smtp::Recipient> left = std::move(wanted.recipients);
  wanted.recipients.clear();
  parted.kept = parted.added = std::move(wanted);
  for (std::size_t i = 0; i < said.recipients.size(); ++i) {
    const auto same = [&](const smtp::Recipient& each) {
      return each.mailbox == said.recipients[i].mailbox;
    };
    const auto found = std::find_if(left.begin(), left.end(), same);
    std::optional<std::size_t>& place = parted.place.emplace_back();
    if (found == left.end()) continue;
    place = parted.kept.recipients.size();
    parted.kept.recipients.push_back(std::move(*found));
    parted.targets.push_back(std::move(targets[i]));
    left.erase(found);
  }
  parted.added.recipients = std::move(left);
  return parted;
}

std::vector<Reply> for_all(const smtp::Envelope& envelope, const Reply& reply) {
  return std::vector<Reply>(envelope.recipients.size(), reply);
}

}  // namespace

Counters::Counters(service::Metrics& metrics)
    : delivered(metrics.counter(recipients_metric, recipients_help, "result=\"delivered\"")),
      deferred(metrics.counter(recipients_metric, recipients_help, "result=\"deferred\"")),
      refused(metrics.counter(recipients_metric, recipients_help, "result=\"refused\"")),
      discarded(metrics.counter(recipients_metric, recipients_help, "result=\"discarded\"")),
      octets(metrics.counter("posthorn_deliverd_octets_total", "octets of delivered copies")) {}

Task<Reply> Session::on_connect(const smtp::SessionInfo& session) {
  return gate_.connect(session);
}

Task<Reply> Session::on_hello(const smtp::SessionInfo& session) {
  return gate_.hello(session);
}

Task<Reply> Session::on_mail(smtp::Envelope& envelope, const smtp::SessionInfo& session) {
  envelope.arrival = wall_now();
  envelope.id = services_.ids.next(envelope.arrival).str();
  if (envelope.trace_id.empty()) envelope.trace_id = envelope.id;
  trace_id_ = envelope.trace_id;
  forget();
  const Reply filtered = co_await gate_.mail(envelope, session);
  if (filtered.negative()) co_return filtered;
  co_return smtp::reply::mail_ok;
}

void Session::forget() {
  targets_.clear();
  passing_.reset();
  body_ = store::ContentWriter();
  header_.clear();
}

Task<Reply> Session::on_rcpt(const smtp::Envelope& envelope, smtp::Recipient& recipient,
                             const smtp::SessionInfo&) {
  smtp::Mailbox mailbox = recipient.mailbox;
  auto target = co_await services_.delivery.find(std::move(mailbox));
  if (!target) {
    const Reply& why = target.error();
    (why.permanent() ? services_.counters.refused : services_.counters.deferred).add();
    co_return why;
  }
  const Reply filtered = co_await gate_.rcpt(envelope, recipient);
  if (filtered.negative()) co_return filtered;
  targets_.push_back(std::move(*target));
  co_return smtp::reply::rcpt_ok;
}

Task<Reply> Session::on_data(const smtp::Envelope& envelope, const smtp::SessionInfo&) {
  const Reply filtered = co_await gate_.data(envelope);
  if (filtered.negative()) co_return filtered;
  if (!gate_.is_open()) {
    passing_ = std::make_unique<filter::PassingMessage>(gate_, milter::OurReceived::later);
  }
  co_return smtp::reply::start_body;
}

Task<Reply> Session::on_body(std::string_view octets) {
  return passing_ ? passing_->write(octets) : store(octets);
}

Task<Reply> Session::store(std::string_view octets) {
  body_.append(octets);
  if (!body_.wants_spill()) co_return smtp::reply::ok;
  Reply reply = co_await spill();
  co_return reply;
}

Task<Reply> Session::spill() {
  if (header_.empty()) header_ = body_.in_memory().substr(0, header_limit);
  auto work = [this]() -> store::StoreResult<void> {
    auto directory = services_.files.open_directory(rules_->spool);
    if (!directory) return fail(store::StoreError(directory.error()));
    return body_.spill(**directory);
  };
  auto done = co_await async::blocking(std::move(work));
  if (done) co_return smtp::reply::ok;
  services_.log.error(trace_id_, "spool-failed",
                      {{"directory", rules_->spool}, {"why", done.error().text}});
  co_return reply_for(done.error());
}

Task<Result<void, Reply>> Session::end_body(Letter& letter) {
  if (!body_.end_text()) {
    Reply spilled = co_await spill();
    if (spilled.negative()) co_return fail(std::move(spilled));
  }
  letter.content = std::make_shared<const store::Content>(body_.finish());
  letter.header = header_of(header_.empty() ? letter.content->in_memory() : header_);
  co_return Result<void, Reply>();
}

Task<std::vector<Reply>> Session::on_message_end(smtp::Envelope& envelope,
                                                 const smtp::SessionInfo& session) {
  std::vector<Target> targets = std::move(targets_);
  std::vector<Reply> replies;
  if (passing_) {
    replies = co_await deliver_filtered(envelope, session, std::move(targets));
    passing_.reset();
    co_return replies;
  }
  Letter letter(envelope, session);
  const auto ended = co_await end_body(letter);
  if (!ended) co_return for_all(envelope, ended.error());
  replies = co_await deliver(letter, targets);
  co_return replies;
}

// --- behind the filters ---

Task<Reply> Session::store_filtered() {
  for (;;) {
    const auto octets = co_await passing_->next_piece();
    if (!octets) co_return smtp::reply::try_later;
    if (octets->empty()) co_return smtp::reply::ok;
    Reply stored = co_await store(*octets);
    if (stored.negative()) co_return stored;
  }
}

Task<std::vector<Reply>> Session::deliver_filtered(const smtp::Envelope& said,
                                                   const smtp::SessionInfo& session,
                                                   std::vector<Target> targets) {
  smtp::Envelope wanted = said;
  Reply reply = co_await passing_->judge(wanted, filter::Quarantine::refused);
  if (reply.negative()) co_return for_all(said, reply);
  if (gate_.discards()) {
    std::vector<Reply> replies;
    for (const smtp::Recipient& each : said.recipients) replies.push_back(discard(said, each));
    co_return replies;
  }
  const Parted parted = part(said, std::move(wanted), std::move(targets));

  reply = co_await store_filtered();
  if (reply.negative()) co_return for_all(said, reply);
  Letter letter(parted.kept, session);
  const auto ended = co_await end_body(letter);
  if (!ended) co_return for_all(said, ended.error());

  // Nobody hears what becomes of those that a filter has added, so they come first: a failure can still be everybody's.
  Letter more(parted.added, session);
  more.content = letter.content;
  more.header = letter.header;
  reply = co_await deliver_added(more);
  if (reply.negative()) co_return for_all(said, reply);
  std::vector<Reply> kept;
  if (!parted.kept.recipients.empty()) kept = co_await deliver(letter, parted.targets);
  std::vector<Reply> replies;
  for (std::size_t i = 0; i < said.recipients.size(); ++i) {
    const auto& place = parted.place[i];
    replies.push_back(place ? kept[*place] : discard(said, said.recipients[i]));
  }
  co_return replies;
}

// The first negative reply to one of them, if there is one.
Task<Reply> Session::deliver_added(const Letter& letter) {
  std::vector<Target> targets;
  for (const smtp::Recipient& recipient : letter.envelope.recipients) {
    smtp::Mailbox mailbox = recipient.mailbox;
    auto target = co_await services_.delivery.find(std::move(mailbox));
    if (!target) {
      services_.log.warning(letter.envelope.trace_id, "added-recipient-refused",
                            {{"rcpt", smtp::format_mailbox(recipient.mailbox)},
                             {"code", target.error().code},
                             {"why", target.error().text}});
      co_return target.error();
    }
    targets.push_back(std::move(*target));
  }
  if (targets.empty()) co_return smtp::reply::ok;
  const std::vector<Reply> replies = co_await deliver(letter, targets);
  const auto failed = std::find_if(replies.begin(), replies.end(),
                                   [](const Reply& each) { return each.negative(); });
  co_return failed == replies.end() ? smtp::reply::ok : *failed;
}

Reply Session::discard(const smtp::Envelope& envelope, const smtp::Recipient& recipient) {
  services_.counters.discarded.add();
  services_.log.info(envelope.trace_id, "discarded",
                     {{"id", envelope.id}, {"rcpt", smtp::format_mailbox(recipient.mailbox)}});
  return discarded;
}

// --- into the mailboxes ---

Task<std::vector<Reply>> Session::deliver(const Letter& letter,
                                          const std::vector<Target>& targets) {
  std::vector<Outcome> outcomes = co_await services_.delivery.deliver(letter, targets);
  const auto reported =
      co_await report_deliveries(letter, outcomes, rules_->hostname, services_.reports);
  if (!reported) {
    services_.log.error(letter.envelope.trace_id, "report-failed",
                        {{"id", letter.envelope.id}, {"why", reported.error()}});
  }
  std::vector<Reply> replies;
  replies.reserve(outcomes.size());
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    log_outcome(letter, i, targets, outcomes[i]);
    replies.push_back(std::move(outcomes[i].reply));
  }
  co_return replies;
}

void Session::log_outcome(const Letter& letter, std::size_t recipient,
                          const std::vector<Target>& targets, const Outcome& outcome) {
  const smtp::Envelope& envelope = letter.envelope;
  const std::string rcpt = smtp::format_mailbox(envelope.recipients[recipient].mailbox);
  const Duration delay = wall_now() - envelope.arrival;
  if (outcome.reply.positive()) {
    services_.counters.delivered.add();
    services_.counters.octets.add(letter.content->size());
    services_.log.info(envelope.trace_id, "delivered",
                       {{"id", envelope.id},
                        {"rcpt", rcpt},
                        {"user", targets[recipient].user},
                        {"path", outcome.where},
                        {"size", letter.content->size()},
                        {"delay", delay}});
    return;
  }
  const bool permanent = outcome.reply.permanent();
  (permanent ? services_.counters.refused : services_.counters.deferred).add();
  services_.log.write(permanent ? service::Level::info : service::Level::warning, envelope.trace_id,
                      permanent ? "not-delivered" : "deferred",
                      {{"id", envelope.id},
                       {"rcpt", rcpt},
                       {"user", targets[recipient].user},
                       {"code", outcome.reply.code},
                       {"dsn", outcome.reply.status.text()},
                       {"reply", outcome.reply.text},
                       {"why", outcome.why},
                       {"delay", delay}});
}

Task<void> Session::on_reset() {
  forget();
  co_await gate_.reset();
}

}  // namespace posthorn::deliverd
