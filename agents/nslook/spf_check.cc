// SPF with its counters: every include and redirect is followed, as the strictest receiver would.
#include <fmt/format.h>

#include <algorithm>

#include "agents/nslook/mail_report.h"
#include "agents/nslook/spf.h"
#include "libmail/base/text.h"

namespace posthorn::nslook {

namespace {

// RFC 7208 4.6.4.
constexpr std::size_t most_look_ups = 10;
constexpr std::size_t most_void = 2;
constexpr std::size_t most_hosts = 10;  // of one "mx"
// Where counting ends: a record that includes itself is bad enough.
constexpr std::size_t counted = 40;

struct Walk {
  Answers& answers;
  Findings& findings;
  std::size_t look_ups = 0;
  std::vector<std::string> voids;       // "a:mail.example.org"
  std::vector<std::string> open;        // domains on the way down
  std::vector<std::string> unknowable;  // terms that depend on the message
};

async::Task<void> walk_domain(Walk& walk, std::string domain, bool is_included);

void count_void(Walk& walk, const SpfTerm& term, const Answer& answer) {
  if (answer.is_absent()) walk.voids.push_back(term.text);
}

async::Task<void> walk_mx(Walk& walk, const SpfTerm& term, dns::Name name, Notes& notes) {
  const Answer answer = co_await walk.answers.ask(std::move(name), dns::Type::mx);
  count_void(walk, term, answer);
  const std::size_t hosts = answer.records.size();
  if (hosts > most_hosts) {
    notes.fail(
        fmt::format("\"{}\" leads to {} hosts, over the limit of {}", term.text, hosts, most_hosts),
        "receivers answer permerror (RFC 7208 4.6.4)");
  }
}

async::Task<void> walk_addresses(Walk& walk, const SpfTerm& term, dns::Name name) {
  const Answer v4 = co_await walk.answers.ask(name, dns::Type::a);
  if (!v4.is_absent() || term.name == "exists") {
    count_void(walk, term, v4);
    co_return;
  }
  const Answer v6 = co_await walk.answers.ask(name, dns::Type::aaaa);
  count_void(walk, term, v6);
}

async::Task<void> walk_term(Walk& walk, const SpfTerm& term, std::string domain, Notes& notes) {
  ++walk.look_ups;
  const auto target = spf_target(term, domain);
  if (!target || term.name == "ptr") {
    walk.unknowable.push_back(term.text);
    co_return;
  }
  if (term.name == "include" || term.name == "redirect") {
    co_await walk_domain(walk, *target, true);
    co_return;
  }
  const auto name = dns::Name::parse(*target);
  if (!name) {
    notes.fail("\"" + term.text + "\": " + printable(*target) + " is no name");
    co_return;
  }
  if (term.name == "mx") co_await walk_mx(walk, term, *name, notes);
  if (term.name != "mx") co_await walk_addresses(walk, term, *name);
}

void judge_end(const SpfRecord& record, Notes& notes) {
  const SpfTerm* all = record.find("all");
  if (all == nullptr) {
    if (record.find("redirect") == nullptr) {
      notes.warn("nothing is said about all other addresses: they are neutral",
                 "end it with -all or ~all");
    }
    return;
  }
  if (all->qualifier == '+') notes.fail("\"+all\" lets everybody send", "end it with -all or ~all");
  if (all->qualifier == '?') notes.warn("\"?all\" says nothing", "end it with -all or ~all");
  if (&record.terms.back() != all) {
    const bool mechanism =
        std::any_of(record.terms.begin(), record.terms.end(),
                    [all](const SpfTerm& term) { return &term > all && !term.is_modifier; });
    if (mechanism) notes.warn("terms behind \"all\" are never looked at", "put all at the end");
  }
}

// Everything that a receiver might come to, in the order of the record.
async::Task<void> walk_record(Walk& walk, const SpfRecord& record, std::string domain,
                              Notes& notes) {
  const bool has_all = record.find("all") != nullptr;
  for (const SpfTerm& term : record.terms) {
    if (!term.needs_look_up() || walk.look_ups >= counted) continue;
    if (term.name == "redirect" && has_all) continue;  // RFC 7208 6.1
    if (term.name == "ptr") notes.warn("\"ptr\" is slow and shouldn't be used (RFC 7208 5.5)");
    co_await walk_term(walk, term, domain, notes);
  }
}

async::Task<void> walk_domain(Walk& walk, std::string domain, bool is_included) {
  Notes notes(walk.findings, is_included ? "SPF " + printable(domain) : "SPF");
  const auto name = dns::Name::parse(domain);
  if (!name) {
    notes.fail("\"" + printable(domain) + "\" is no name");
    co_return;
  }
  if (std::ranges::find(walk.open, lower(domain)) != walk.open.end()) {
    notes.fail("it includes itself", "receivers answer permerror");
    co_return;
  }
  const Answer answer = co_await walk.answers.ask(*name, dns::Type::txt);
  std::vector<std::string> records;
  for (const dns::Txt& txt : answer.all<dns::Txt>()) {
    if (is_spf(txt.joined())) records.push_back(txt.joined());
  }
  if (is_included && answer.is_absent()) walk.voids.push_back("TXT of " + printable(domain));
  if (records.empty()) {
    const std::string why = answer.presence == Presence::unknown ? answer.why : "no SPF record";
    const std::string hint = is_included
                                 ? "receivers answer permerror (RFC 7208 5.2)"
                                 : "publish one; \"v=spf1 -all\" if the domain sends no mail";
    notes.fail(why, hint);
    co_return;
  }
  if (records.size() > 1) {
    notes.fail(fmt::format("{} SPF records", records.size()),
               "there may be one only (RFC 7208 3.2)");
    co_return;
  }
  const auto record = parse_spf(records[0]);
  if (!record) {
    notes.fail(record.error(), "receivers answer permerror");
    co_return;
  }
  const std::size_t before = walk.look_ups;
  walk.open.push_back(lower(domain));
  Findings inner;  // stands behind the line of the record that it is about
  Walk below{walk.answers, inner, walk.look_ups, walk.voids, walk.open, walk.unknowable};
  co_await walk_record(below, *record, domain, notes);
  walk.look_ups = below.look_ups;
  walk.voids = std::move(below.voids);
  walk.unknowable = std::move(below.unknowable);
  walk.open.pop_back();
  const std::size_t cost = walk.look_ups - before;
  notes.ok(fmt::format("{} ({} look-up{})", printable(records[0]), cost, cost == 1 ? "" : "s"));
  if (!is_included) judge_end(*record, notes);
  walk.findings.insert(walk.findings.end(), inner.begin(), inner.end());
}

}  // namespace

async::Task<void> check_spf(Answers& answers, dns::Name domain, Findings& findings) {
  Walk walk{answers, findings, 0, {}, {}, {}};
  co_await walk_domain(walk, domain.text(), false);
  if (walk.look_ups == 0) co_return;
  Notes notes(findings, "SPF");
  const std::string text = fmt::format(
      "{}{} of {} look-ups", walk.look_ups >= counted ? "over " : "", walk.look_ups, most_look_ups);
  if (walk.look_ups > most_look_ups) {
    notes.fail(text,
               "receivers answer permerror: put addresses in place of includes (RFC 7208 4.6.4)");
  } else {
    notes.ok(text);
  }
  if (walk.voids.size() > most_void) {
    notes.fail(fmt::format("{} look-ups find nothing, over the limit of {}: {}", walk.voids.size(),
                           most_void, fmt::join(walk.voids, ", ")),
               "remove those terms");
  } else if (!walk.voids.empty()) {
    notes.warn(fmt::format("these find nothing: {}", fmt::join(walk.voids, ", ")),
               "remove those terms");
  }
  if (!walk.unknowable.empty()) {
    notes.note(fmt::format("depends on the message: {}", fmt::join(walk.unknowable, ", ")));
  }
}

}  // namespace posthorn::nslook
