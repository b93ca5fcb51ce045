#include "agents/queued/reports.h"

#include <unistd.h>

#include "libmail/async/files.h"
#include "libmail/base/random.h"

namespace posthorn::queued {
namespace {

constexpr std::size_t header_to_return = 128 << 10;

// The front of a spooled message.
async::Task<std::string> read_front(int fd) {
  auto read = [fd] {
    std::string front(header_to_return, '\0');
    const ssize_t count = ::pread(fd, front.data(), front.size(), 0);
    front.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return front;
  };
  auto front = co_await async::blocking(std::move(read));
  co_return front;
}

}  // namespace

// One recipient's report and whom it goes to.
struct Reporter::Addressed {
  smtp::ReversePath sender;
  dsn::RecipientReport report;
};

dsn::ReportRequest Reporter::request_to(const smtp::Envelope& about,
                                        const smtp::ReversePath& sender) const {
  dsn::ReportRequest request;
  request.take(about);
  request.reporting_mta = options_.host.hostname;
  request.to_postmaster = !sender;
  request.to = sender ? *sender : options_.postmaster();
  if (sender != about.reverse_path) {  // a list's owner
    request.envid.reset();
    request.ret = smtp::Ret::unspecified;
  }
  request.date = wall_now();
  request.random[0] = random_u64();
  request.random[1] = random_u64();
  return request;
}

async::Task<bool> Reporter::send_one(const smtp::Envelope& about, dsn::ReportRequest request,
                                     std::string_view message, bool whole) {
  dsn::Report report;
  if (whole) {
    report = dsn::build_report(request, message);
  } else {
    dsn::Returned original;
    original.header = message;
    report = dsn::build_report(request, original);
  }
  queue::Intake& intake = store_.intake();
  const queue::MessageId id = intake.next_id();
  queue::Entry entry;
  smtp::Envelope& envelope = entry.envelope;
  envelope.id = id.text();
  envelope.trace_id = envelope.id;
  envelope.body = report.eight_bit ? smtp::Body::eight_bit_mime : smtp::Body::seven_bit;
  envelope.smtputf8 = report.smtputf8;
  envelope.arrival = request.date;
  envelope.client.local = true;
  smtp::Recipient& recipient = envelope.recipients.emplace_back(request.to);
  recipient.notify = smtp::Notify(smtp::Notify::never);
  const std::string to = smtp::format_path(request.to);
  const std::string kind(dsn::action_name(request.recipients.front().action));

  queue::Incoming incoming = intake.begin(id);
  std::string text = report.text(message);
  auto written = co_await incoming.write(std::move(text));
  Result<void, queue::CommitError> taken = written;
  if (written) taken = co_await incoming.commit(std::move(entry));
  if (!taken) {
    log_.warning(about.trace_id, "report-failed", {{"to", to}, {"why", taken.error().text()}});
    co_return false;
  }
  log_.info(about.trace_id, "report", {{"id", id.text()}, {"to", to}, {"action", kind}});
  co_return true;
}

// Those for the same sender go together.
async::Task<bool> Reporter::send(Work& work, std::vector<Addressed> reports) {
  if (reports.empty()) co_return true;
  std::string front;
  const bool whole = !work.spool;
  if (!whole) front = co_await read_front(work.spool.get());
  const std::string_view message = whole ? work.loaded->body : std::string_view(front);
  bool all = true;
  while (!reports.empty()) {
    const smtp::ReversePath sender = reports.front().sender;
    dsn::ReportRequest request = request_to(work.envelope(), sender);
    std::vector<Addressed> others;
    for (Addressed& one : reports) {
      if (one.sender == sender) {
        request.recipients.push_back(std::move(one.report));
      } else {
        others.push_back(std::move(one));
      }
    }
    reports = std::move(others);
    const bool sent = co_await send_one(work.envelope(), std::move(request), message, whole);
    all = all && sent;
  }
  co_return all;
}

// Another report would take the same way, and so on for ever.
bool Reporter::failed_at_postmaster(const Work& work,
                                    const queue::RecipientState& recipient) const {
  if (sender_of(recipient, work.envelope())) return false;
  const smtp::Recipient& original = work.envelope().recipients[recipient.original];
  return original.mailbox == options_.postmaster();
}

async::Task<bool> Reporter::report_results(Work& work) {
  std::vector<Addressed> reports;
  for (const queue::RecipientState& recipient : work.plan.state.recipients) {
    if (!owes_report(recipient.phase)) continue;
    if (failed_at_postmaster(work, recipient)) {
      log_.error(work.envelope().trace_id, "report-lost",
                 {{"to", smtp::format_path(recipient.recipient.mailbox)},
                  {"why", "the postmaster can't be told: " + recipient.last.text}});
      continue;
    }
    Addressed& one = reports.emplace_back();
    one.sender = sender_of(recipient, work.envelope());
    one.report.recipient = recipient.recipient;
    one.report.action =
        recipient.phase == queue::Phase::bounced ? dsn::Action::failed : dsn::Action::relayed;
    one.report.status = recipient.last;
    one.report.last_attempt = recipient.when;
  }
  const bool sent = co_await send(work, std::move(reports));
  if (!sent) co_return false;
  for (queue::RecipientState& recipient : work.plan.state.recipients) {
    if (recipient.phase == queue::Phase::bounced) recipient.phase = queue::Phase::reported;
    if (recipient.phase == queue::Phase::sent_owed) recipient.phase = queue::Phase::sent;
  }
  co_return true;
}

async::Task<bool> Reporter::report_delay(Work& work, WallTime retry_until) {
  std::vector<Addressed> reports;
  for (const queue::RecipientState& recipient : work.plan.state.recipients) {
    if (!is_open(recipient.phase)) continue;
    const smtp::ReversePath& sender = sender_of(recipient, work.envelope());
    const dsn::Duty duty =
        dsn::report_due(dsn::Outcome::delayed, recipient.recipient.notify, sender);
    if (duty.to != dsn::Duty::To::sender) continue;
    Addressed& one = reports.emplace_back();
    one.sender = sender;
    one.report.recipient = recipient.recipient;
    one.report.action = dsn::Action::delayed;
    one.report.status = recipient.last;
    one.report.last_attempt = recipient.when;
    one.report.will_retry_until = retry_until;
  }
  const bool sent = co_await send(work, std::move(reports));
  co_return sent;
}

async::Task<bool> Reporter::report_expansion(Work& work,
                                             std::vector<route::ExpansionReport> found) {
  std::vector<Addressed> reports;
  for (route::ExpansionReport& report : found) {
    const bool to_list = report.kind == route::ExpansionReport::Kind::delivered;
    const auto outcome = to_list ? dsn::Outcome::delivered : dsn::Outcome::expanded;
    const smtp::ReversePath& sender = work.envelope().reverse_path;
    const dsn::Duty duty = dsn::report_due(outcome, report.recipient.notify, sender);
    if (duty.to != dsn::Duty::To::sender) continue;
    Addressed& one = reports.emplace_back();
    one.sender = sender;
    one.report.recipient = std::move(report.recipient);
    one.report.action = duty.action;
    one.report.status = smtp::Status({2, 0, 0}, to_list ? "taken by the list" : "expanded");
  }
  const bool sent = co_await send(work, std::move(reports));
  co_return sent;
}

async::Task<bool> Reporter::report_refusal(smtp::Envelope envelope, std::string message,
                                           smtp::Status why) {
  dsn::ReportRequest request = request_to(envelope, envelope.reverse_path);
  for (const smtp::Recipient& recipient : envelope.recipients) {
    const dsn::Duty duty =
        dsn::report_due(dsn::Outcome::failed, recipient.notify, envelope.reverse_path);
    if (duty.to == dsn::Duty::To::nobody) continue;
    dsn::RecipientReport& one = request.recipients.emplace_back();
    one.recipient = recipient;
    one.action = dsn::Action::failed;
    one.status = why;
  }
  if (request.recipients.empty()) co_return true;
  const bool sent = co_await send_one(envelope, std::move(request), message, true);
  co_return sent;
}

}  // namespace posthorn::queued
