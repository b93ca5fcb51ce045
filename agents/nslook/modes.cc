#include "agents/nslook/modes.h"

#include "libmail/base/text.h"
#include "libmail/service/exit_code.h"

namespace posthorn::nslook {

namespace exit_code = service::exit_code;

namespace {

// The name and type that a trace or a chain is about.
Result<dns::Question, std::string> question_of(const Settings& settings, const std::string& text) {
  Settings plain = settings;
  plain.use_search = false;
  const auto names = candidates(plain, text);
  if (!names) return fail(names.error());
  dns::Type type = settings.types.empty() ? dns::Type::a : settings.types.front();
  if (names->is_reverse) type = dns::Type::ptr;
  return dns::Question(names->names.front(), type, settings.klass);
}

Outcome faulty(std::string fault) {
  Outcome outcome;
  outcome.text = "*** " + fault + "\n";
  outcome.fault = std::move(fault);
  outcome.exit = exit_code::usage;
  return outcome;
}

// Every question at its own chain.
class Voucher {
 public:
  Voucher(Asker& asker, const Settings& settings, dns::TrustAnchors anchors)
      : walker_(asker, settings, std::move(anchors)) {}
  async::Task<Belief> vouch(dns::Name name, dns::Type type) {
    dns::Question question(std::move(name), type);
    const Chain chain = co_await walker_.explain(std::move(question));
    Belief belief;
    belief.security = chain.security;
    belief.why = chain.reason;
    co_return belief;
  }

 private:
  ChainWalker walker_;
};

}  // namespace

async::Task<Outcome> run_trace(Asker& asker, Settings settings, ModeOptions options,
                               std::string name) {
  const auto question = question_of(settings, name);
  if (!question) co_return faulty(question.error());
  TraceSettings how;
  how.roots = settings.roots;
  how.authority_port = options.authority_port;
  how.manner = settings.manner;
  const Trace result = co_await trace(asker, *question, std::move(how));
  Outcome outcome;
  outcome.text = show(result);
  outcome.json = to_json(result);
  outcome.exit = result.is_found      ? exit_code::ok
                 : result.is_answered ? exit_code::failed
                                      : exit_code::unavailable;
  co_return outcome;
}

async::Task<Outcome> run_chain(Asker& asker, Settings settings, ModeOptions options,
                               std::string name) {
  const auto question = question_of(settings, name);
  if (!question) co_return faulty(question.error());
  ChainWalker walker(asker, settings, options.anchors);
  const Chain chain = co_await walker.explain(*question);
  Outcome outcome;
  outcome.text = show(chain);
  outcome.json = to_json(chain);
  outcome.exit = chain.security == dns::Security::bogus         ? exit_code::failed
                 : chain.security == dns::Security::unavailable ? exit_code::unavailable
                                                                : exit_code::ok;
  co_return outcome;
}

async::Task<Outcome> run_mail(Asker& asker, Settings settings, ModeOptions options,
                              std::string domain) {
  Settings plain = settings;
  plain.use_search = false;
  const auto names = candidates(plain, domain);
  if (!names || names->is_reverse) {
    co_return faulty("\"" + printable(domain) + "\" is no domain");
  }
  MailQuestion question;
  question.domain = names->names.front();
  question.selectors = options.selectors;
  question.block_lists = options.block_lists;
  question.addresses = options.addresses;
  Answers answers(asker, settings);
  Voucher voucher(asker, settings, options.anchors);
  const Vouch vouch = [&voucher](dns::Name name, dns::Type type) {
    return voucher.vouch(std::move(name), type);
  };
  const std::string shown_domain = shown(question.domain);
  WebPolicies policies(options.https_port, options.web_authorities);
  const Findings findings = co_await check_mail(answers, std::move(question), vouch, policies);
  Outcome outcome;
  outcome.text = show(findings);
  outcome.json = {{"version", 1},
                  {"domain", shown_domain},
                  {"failed", has_failed(findings)},
                  {"findings", to_json(findings)}};
  outcome.exit = has_failed(findings) ? exit_code::failed : exit_code::ok;
  co_return outcome;
}

}  // namespace posthorn::nslook
