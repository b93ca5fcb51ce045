#include "agents/nslook/mail_report.h"

namespace posthorn::nslook {

async::Task<Texts> find_texts(Answers& answers, dns::Name name, std::string version) {
  Texts texts;
  texts.answer = co_await answers.ask(std::move(name), dns::Type::txt);
  for (const dns::Txt& txt : texts.answer.all<dns::Txt>()) {
    const std::string text = txt.joined();
    const bool fits =
        text.starts_with(version) && (text.size() == version.size() ||
                                      text[version.size()] == ' ' || text[version.size()] == ';');
    if (fits) texts.found.push_back(text);
  }
  co_return texts;
}

async::Task<Findings> check_mail(Answers& answers, MailQuestion question, Vouch vouch,
                                 PolicySource& policies) {
  Findings findings;
  auto addresses = co_await check_hosts(answers, question.domain, vouch, findings);
  for (const std::string& address : question.addresses) {
    co_await check_reverse(answers, address, true, findings);
  }
  co_await check_spf(answers, question.domain, findings);
  co_await check_dmarc(answers, question.domain, findings);
  for (const std::string& selector : question.selectors) {
    co_await check_dkim(answers, question.domain, selector, findings);
  }
  co_await check_mta_sts(answers, question.domain, policies, findings);
  co_await check_tls_reports(answers, question.domain, findings);
  if (!question.addresses.empty()) addresses = question.addresses;
  for (const std::string& zone : question.block_lists) {
    co_await check_block_list(answers, zone, addresses, findings);
  }
  co_return findings;
}

}  // namespace posthorn::nslook
