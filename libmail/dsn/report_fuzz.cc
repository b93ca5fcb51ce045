// Hostile octets in every place of a report: what was built must be read back with the recipient it is about.
#include <cstdlib>

#include "libmail/base/text.h"
#include "libmail/dsn/parse.h"
#include "libmail/dsn/remote.h"
#include "libmail/dsn/report.h"

using namespace posthorn;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)dsn::parse_report(text);
  (void)dsn::parse_remote_text(text);

  dsn::ReportRequest request;
  request.reporting_mta = "mx.a.test";
  request.to = smtp::Mailbox("ann", "a.test");
  // Unknown to whoever wrote the octets, as in real life.
  request.random[0] = std::hash<std::string_view>()(text);
  request.random[1] = ~request.random[0];
  request.smtputf8 = size % 2 == 1;
  request.ret = size % 4 > 1 ? smtp::Ret::full : smtp::Ret::headers;
  request.envid = std::string(text);
  dsn::RecipientReport bob;
  bob.recipient = smtp::Recipient(smtp::Mailbox("bob", "b.test"));
  bob.recipient.orcpt = smtp::OriginalRecipient(std::string(text.substr(0, 10)), std::string(text));
  bob.status = smtp::Status({5, 1, 1}, std::string(text));
  request.recipients.push_back(bob);
  const dsn::Report report = dsn::build_report(request, text);
  if (!report.smtputf8 && !is_ascii(report.head)) std::abort();
  const auto parsed = dsn::parse_report(report.text(text));
  if (!parsed || parsed->recipients.size() != 1) std::abort();
  if (parsed->recipients[0].final_recipient.address != "bob@b.test") std::abort();
  return 0;
}
