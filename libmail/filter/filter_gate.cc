#include "libmail/filter/filter_gate.h"

#include <algorithm>
#include <utility>

#include "libmail/base/text.h"
#include "libmail/milter/change.h"
#include "libmail/milter/mail_macros.h"
#include "libmail/smtp/dot.h"
#include "libmail/smtp/replies.h"

namespace posthorn::filter {

using async::Task;
using milter::Dialogue;
using milter::Verdict;
using smtp::Reply;

namespace {

const Reply filter_lost{451, {4, 7, 1}, "Service unavailable, try again later"};
const Reply filter_lost_for_good{550, {5, 7, 1}, "Service unavailable"};

// Steps without an answer are gathered up to so many octets.
constexpr std::size_t unsent_octets = 256 << 10;

// As a greeting only two codes will do.
Reply greeting_of(Reply reply) {
  if (!reply.negative()) return reply;
  reply.code = reply.transient() ? 421 : 554;
  return reply;
}

}  // namespace

// A new body as it comes from a filter, with CRLF wherever a line ends.
class FilterGate::NewBody final : public session::MilterClient::BodySink {
 public:
  explicit NewBody(const HoldingPlace& place) : held_(place.directory, place.in_memory) {}

  Task<Result<void, std::string>> take(std::string octets) override {
    std::string lines;
    lines.reserve(octets.size());
    for (const char c : octets) {
      if (c == '\0') co_return fail(std::string("its new body has a NUL octet in it"));
      if (after_cr_ && c != '\n') lines += '\n';
      if (c == '\n' && !after_cr_) lines += '\r';
      lines += c;
      line_ = c == '\n' ? 0 : line_ + 1;
      if (line_ > smtp::default_body_line) {
        co_return fail(std::string("its new body has a line without end"));
      }
      after_cr_ = c == '\r';
      ends_line_ = c == '\n';
      has_8bit_ = has_8bit_ || is_8bit(c);
    }
    auto written = co_await store(std::move(lines));
    co_return written;
  }

  Task<Result<void, std::string>> finish() {
    std::string rest;
    if (after_cr_) rest = "\n";
    if (!after_cr_ && !ends_line_ && held_.size() > 0) rest = "\r\n";
    auto written = co_await store(std::move(rest));
    co_return written;
  }

  [[nodiscard]] bool has_8bit() const { return has_8bit_; }
  [[nodiscard]] HeldMessage& held() { return held_; }

 private:
  Task<Result<void, std::string>> store(std::string octets) {
    auto written = co_await held_.write(std::move(octets));
    if (!written) co_return fail(written.error().text());
    co_return Result<void, std::string>();
  }

  HeldMessage held_;
  std::size_t line_ = 0;  // octets of the line that is not ended yet
  bool after_cr_ = false;
  bool ends_line_ = false;
  bool has_8bit_ = false;
};

FilterGate::FilterGate(Filters& filters) : shared_(filters), set_(filters.now()) {
  for (const FilterSet::Filter& filter : set_->filters) links_.emplace_back().filter = &filter;
}

FilterGate::~FilterGate() {
  for (Link& link : links_) shared_.see_off(std::move(link.client));
}

// --- what went wrong, and what was said ---

Reply FilterGate::give_up(Link& link, std::string_view id, const char* stage,
                          std::string_view why) {
  shared_.count_failure();
  const std::string name = link.filter->endpoint.text();
  shared_.log().warning(id, "milter-failed", {{"milter", name}, {"stage", stage}, {"why", why}});
  link.knows_hello = false;
  switch (link.filter->without) {
    case WithoutFilter::tempfail:
      link.lost = filter_lost;
      return filter_lost;
    case WithoutFilter::reject:
      link.lost = filter_lost_for_good;
      return filter_lost_for_good;
    case WithoutFilter::quarantine:
      hold_ = "the filter " + name + " was not there";
      break;
    case WithoutFilter::accept:
      break;
  }
  link.left_out = true;
  return smtp::reply::ok;
}

Reply FilterGate::take(Link& link, std::string_view id, const char* stage) {
  const Verdict& verdict = link.client->dialogue().verdict();
  const std::string name = link.filter->endpoint.text();
  if (verdict.refuses()) {
    shared_.log().info(id, "milter-refused",
                       {{"milter", name},
                        {"stage", stage},
                        {"code", verdict.reply.code},
                        {"why", verdict.reply.text}});
    return verdict.reply;
  }
  if (verdict.kind == Verdict::Kind::discard) {
    shared_.log().info(id, "milter-discarded", {{"milter", name}, {"stage", stage}});
    discards_ = true;
  }
  return smtp::reply::ok;
}

// --- the session ---

// Connected, agreed, and told of the client. False: the client's problem() says why.
Task<bool> FilterGate::introduce(Link& link, const smtp::SessionInfo& session) {
  link.knows_hello = link.has_served = false;
  const bool open = co_await link.client->open();
  if (!open) co_return false;
  const std::string host = milter::client_host(session);
  const milter::ClientAddress address = milter::client_address(session);
  const milter::Macros macros = milter::connect_macros(set_->identity, session);
  link.client->dialogue().connect(host, address, macros);
  const bool answered = co_await link.client->ask_command();
  co_return answered;
}

Task<Reply> FilterGate::connect(const smtp::SessionInfo& session) {
  for (Link& link : links_) {
    shared_.see_off(std::move(link.client));  // XCLIENT: somebody else is there now
    link.client = shared_.make_client(*set_, *link.filter);
    const bool introduced = co_await introduce(link, session);
    if (!introduced) continue;  // MAIL tries once more, and decides
    const Reply reply = take(link, "-", "connect");
    if (reply.negative()) co_return greeting_of(reply);
  }
  co_return smtp::reply::ok;
}

Task<Reply> FilterGate::hello(const smtp::SessionInfo& session) {
  for (Link& link : links_) {
    if (link.client == nullptr || !link.client->is_open()) continue;
    const milter::Macros macros = milter::hello_macros(session);
    link.client->dialogue().hello(session.client.helo, macros);
    const bool answered = co_await link.client->ask_command();
    if (!answered) continue;
    link.knows_hello = true;
    Reply reply = take(link, "-", "helo");
    if (reply.negative()) co_return reply;
  }
  co_return smtp::reply::ok;
}

// --- the envelope ---

Task<Reply> FilterGate::ask_envelope(Link& link, std::string_view id, const char* stage) {
  const bool answered = co_await link.client->ask_command();
  if (!answered) co_return give_up(link, id, stage, link.client->problem());
  co_return take(link, id, stage);
}

// To the point where it can be asked about a sender.
Task<Reply> FilterGate::take_up(Link& link, const smtp::Envelope& envelope,
                                const smtp::SessionInfo& session) {
  if (link.client == nullptr) link.client = shared_.make_client(*set_, *link.filter);
  if (!link.client->is_open()) {
    const bool introduced = co_await introduce(link, session);
    if (!introduced) co_return give_up(link, envelope.trace_id, "connect", link.client->problem());
    Reply reply = take(link, envelope.trace_id, "connect");
    if (reply.negative()) co_return reply;
  }
  if (link.knows_hello) co_return smtp::reply::ok;
  const milter::Macros macros = milter::hello_macros(session);
  link.client->dialogue().hello(session.client.helo, macros);
  link.knows_hello = true;
  Reply reply = co_await ask_envelope(link, envelope.trace_id, "helo");
  co_return reply;
}

Task<bool> FilterGate::ask_sender(Link& link, const smtp::Envelope& envelope,
                                  const smtp::SessionInfo& session) {
  const std::vector<std::string> arguments = milter::mail_arguments(envelope);
  const milter::Macros macros = milter::mail_macros(envelope, session);
  link.client->dialogue().mail(arguments, macros);
  const bool answered = co_await link.client->ask_command();
  co_return answered;
}

Task<Reply> FilterGate::mail(const smtp::Envelope& envelope, const smtp::SessionInfo& session) {
  co_await reset();
  for (Link& link : links_) {
    Reply reply = co_await take_up(link, envelope, session);
    if (reply.negative()) co_return reply;
    if (!link.takes_part()) continue;
    bool answered = co_await ask_sender(link, envelope, session);
    if (!answered && link.has_served) {
      // It may have left since the message before: somebody has started it anew, or it has waited long enough.
      reply = co_await take_up(link, envelope, session);
      if (reply.negative()) co_return reply;
      if (!link.takes_part()) continue;
      answered = co_await ask_sender(link, envelope, session);
    }
    if (answered) {
      reply = take(link, envelope.trace_id, "mail");
    } else {
      reply = give_up(link, envelope.trace_id, "mail", link.client->problem());
    }
    if (reply.negative()) co_return reply;
    link.has_served = answered;
    if (discards_) break;
  }
  co_return smtp::reply::ok;
}

Task<Reply> FilterGate::rcpt(const smtp::Envelope& envelope, const smtp::Recipient& recipient) {
  for (Link& link : links_) {
    if (link.lost) co_return *link.lost;
    if (!link.takes_part() || discards_) continue;
    const std::vector<std::string> arguments = milter::rcpt_arguments(envelope, recipient);
    const milter::Macros macros = milter::rcpt_macros(envelope, recipient);
    link.client->dialogue().rcpt(arguments, macros);
    Reply reply = co_await ask_envelope(link, envelope.trace_id, "rcpt");
    if (reply.negative()) co_return reply;
  }
  co_return smtp::reply::ok;
}

Task<Reply> FilterGate::data(const smtp::Envelope& envelope) {
  for (Link& link : links_) {
    if (link.lost) co_return *link.lost;
    if (!link.takes_part() || discards_) continue;
    const milter::Macros macros = milter::message_macros(envelope);
    link.client->dialogue().data(macros);
    Reply reply = co_await ask_envelope(link, envelope.trace_id, "data");
    if (reply.negative()) co_return reply;
  }
  co_return smtp::reply::ok;
}

Task<void> FilterGate::reset() {
  for (Link& link : links_) {
    link.lost.reset();
    link.left_out = false;
    if (link.client == nullptr || !link.client->is_open()) continue;
    link.client->dialogue().abort();
    (void)co_await link.client->ask_command();
  }
  hold_.clear();
  discards_ = false;
}

// --- the message ---

Task<Reply> FilterGate::judge(Message& message) {
  const std::string id = message.envelope.trace_id;
  for (Link& link : links_) {
    if (discards_) co_return smtp::reply::ok;
    if (link.lost) co_return *link.lost;
    if (!link.takes_part() || link.client->dialogue().is_settled()) continue;
    Reply reply = co_await judge_by(link, message);
    if (reply.negative()) co_return reply;
  }
  if (message.envelope.recipients.empty()) {
    shared_.log().info(id, "milter-discarded", {{"why", "no recipient is left"}});
    discards_ = true;
    co_return smtp::reply::ok;
  }
  if (message.envelope.hold_reason.empty()) message.envelope.hold_reason = hold_;
  if (!message.envelope.hold_reason.empty()) {
    shared_.log().info(id, "milter-quarantined", {{"why", message.envelope.hold_reason}});
  }
  co_return smtp::reply::ok;
}

Task<Reply> FilterGate::judge_by(Link& link, Message& message) {
  const std::string& id = message.envelope.trace_id;
  NewBody body(set_->place);
  const auto shown = co_await show(link, message, body);
  if (!shown) co_return give_up(link, id, "message", shown.error());
  Reply reply = take(link, id, "message");
  if (reply.negative() || discards_) co_return reply;
  auto changed = co_await change(link, message, body);
  if (!changed) co_return give_up(link, id, "message", changed.error());
  co_return reply;
}

// From the first field to the verdict.
Task<FilterGate::Done> FilterGate::show(Link& link, const Message& message, NewBody& body) {
  session::MilterClient& client = *link.client;
  Dialogue& dialogue = client.dialogue();
  const milter::Macros macros = milter::message_macros(message.envelope);
  for (const milter::HeaderEdit::Field& field : message.header.fields()) {
    if (field.ours) continue;
    dialogue.field(field.name(), field.raw_value());
    if (!dialogue.waiting() && dialogue.output().size() < unsent_octets) continue;
    const bool answered = co_await client.ask_content();
    if (!answered) co_return fail(client.problem());
    if (dialogue.is_settled()) co_return Done();
  }
  dialogue.end_of_header(macros);
  const bool answered = co_await client.ask_content();
  if (!answered) co_return fail(client.problem());
  auto seen = co_await show_body(link, message);
  if (!seen || dialogue.is_settled()) co_return seen;
  dialogue.end_of_message(macros);
  const bool judged = co_await client.ask_end(body);
  if (!judged) co_return fail(client.problem());
  co_return Done();
}

Task<FilterGate::Done> FilterGate::show_body(Link& link, const Message& message) {
  session::MilterClient& client = *link.client;
  Dialogue& dialogue = client.dialogue();
  std::uint64_t offset = 0;
  while (dialogue.wants_body() && offset < message.body.size()) {
    auto piece = co_await message.body.read(offset, milter::body_chunk);
    if (!piece) co_return fail(piece.error().text());
    offset += piece->size();
    dialogue.body(*piece);
    const bool answered = co_await client.ask_content();
    if (!answered) co_return fail(client.problem());
  }
  co_return Done();
}

// All that the filter wants, or nothing.
Task<FilterGate::Done> FilterGate::change(Link& link, Message& message, NewBody& body) {
  Dialogue& dialogue = link.client->dialogue();
  const bool leading_space = (dialogue.agreement().steps & milter::step::leading_space) != 0;
  smtp::Envelope envelope = message.envelope;
  milter::HeaderEdit header = message.header;
  for (const milter::Change& each : dialogue.take_changes()) {
    auto applied = milter::apply(each, leading_space, header, envelope);
    if (!applied) co_return applied;
  }
  if (dialogue.replaces_body()) {
    auto finished = co_await body.finish();
    if (!finished) co_return finished;
    message.body = std::move(body.held());
    if (body.has_8bit()) envelope.body = smtp::Body::eight_bit_mime;
  }
  message.envelope = std::move(envelope);
  message.header = std::move(header);
  co_return Done();
}

}  // namespace posthorn::filter
