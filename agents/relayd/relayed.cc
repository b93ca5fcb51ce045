#include "agents/relayd/relayed.h"

#include "libmail/async/files.h"
#include "libmail/async/socket.h"
#include "libmail/base/random.h"
#include "libmail/dsn/report.h"
#include "libmail/queue/drop.h"

namespace posthorn::relayd {

using async::Task;

namespace {

Result<std::string, IoError> write_report(const queue::Layout& queue, const std::string& name,
                                          const std::string& batch) {
  queue::RealFiles files;
  if (auto dropped = queue::drop_batch(files, queue.drop(), name, batch); !dropped)
    return fail(dropped.error());
  async::nudge(queue.nudge());
  return name;
}

}  // namespace

bool wants_relayed(const smtp::Recipient& recipient, const smtp::ReversePath& sender) {
  const dsn::Duty duty = dsn::report_due(dsn::Outcome::passed_plain, recipient.notify, sender);
  return duty.to == dsn::Duty::To::sender && duty.action == dsn::Action::relayed;
}

void RelayedReports::configure(const std::string& queue, std::string hostname) {
  queue_.reset();
  if (!queue.empty()) queue_.emplace(queue);
  hostname_ = std::move(hostname);
}

Task<void> RelayedReports::drop(const smtp::Envelope& envelope,
                                std::vector<RelayedRecipient> recipients, std::string header) {
  dsn::ReportRequest request;
  request.reporting_mta = hostname_;
  request.take(envelope);
  request.date = wall_now();
  for (std::uint64_t& word : request.random) word = random_u64();
  for (RelayedRecipient& one : recipients) {
    dsn::RecipientReport report;
    report.recipient = std::move(one.recipient);
    report.action = dsn::Action::relayed;
    report.status = std::move(one.status);
    report.last_attempt = request.date;
    request.recipients.push_back(std::move(report));
  }
  dsn::Returned original;
  original.header = header;
  const dsn::Report report = dsn::build_report(request, original);
  const std::string text = report.text({});

  smtp::Envelope batch;
  batch.body = report.eight_bit ? smtp::Body::eight_bit_mime : smtp::Body::seven_bit;
  batch.smtputf8 = report.smtputf8;
  smtp::Recipient sender(request.to);
  sender.notify = smtp::Notify(smtp::Notify::never);
  batch.recipients.push_back(std::move(sender));
  const std::string name = ids_.next(request.date).str();
  const std::string whole = queue::format_batch(batch, text);
  auto work = [this, &name, &whole] { return write_report(*queue_, name, whole); };
  const auto written = co_await async::blocking(std::move(work));
  if (written) {
    log_.info(envelope.trace_id, "report-dropped", {{"action", "relayed"}, {"file", *written}});
  } else {
    log_.error(envelope.trace_id, "report-lost", {{"why", written.error().text()}});
  }
}

}  // namespace posthorn::relayd
