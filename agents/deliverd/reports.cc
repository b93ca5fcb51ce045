#include "agents/deliverd/reports.h"

#include "libmail/base/random.h"
#include "libmail/dsn/report.h"

namespace posthorn::deliverd {

async::Task<Result<void, std::string>> report_deliveries(const Letter& letter,
                                                         const std::vector<Outcome>& outcomes,
                                                         const std::string& hostname,
                                                         ReportSink& sink) {
  const smtp::Envelope& envelope = letter.envelope;
  dsn::ReportRequest request;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (!outcomes[i].reply.positive()) continue;
    const smtp::Recipient& recipient = envelope.recipients[i];
    const auto outcome = outcomes[i].final ? dsn::Outcome::delivered : dsn::Outcome::passed_plain;
    const dsn::Duty duty = dsn::report_due(outcome, recipient.notify, envelope.reverse_path);
    if (duty.to != dsn::Duty::To::sender) continue;
    dsn::RecipientReport report;
    report.recipient = recipient;
    report.action = duty.action;
    report.status = smtp::to_status(outcomes[i].reply);
    request.recipients.push_back(std::move(report));
  }
  if (request.recipients.empty()) co_return Result<void, std::string>();

  request.take(envelope);
  request.reporting_mta = hostname;
  request.date = wall_now();
  request.random[0] = random_u64();
  request.random[1] = random_u64();
  dsn::Returned original;
  original.header = letter.header;
  const dsn::Report report = dsn::build_report(request, original);
  smtp::Mailbox to = request.to;
  std::string text = report.text({});
  auto sent = co_await sink.send(std::move(to), std::move(text), report.eight_bit, report.smtputf8);
  co_return sent;
}

}  // namespace posthorn::deliverd
