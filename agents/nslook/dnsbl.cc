// Block lists (RFC 5782): does the list work, does it answer us, does it list us?
#include <fmt/format.h>

#include "agents/nslook/mail_report.h"
#include "libdns/wire/address.h"
#include "libmail/base/text.h"

namespace posthorn::nslook {

namespace {

// "2.0.0.127.LIST"; nothing for what is no address.
std::optional<dns::Name> listed_name(std::string_view address, const dns::Name& list) {
  const auto reverse = dns::reverse_name(address);
  if (!reverse) return std::nullopt;
  const auto labels = reverse->labels();
  dns::Name name = list;
  for (std::size_t i = labels.size() - 2; i-- > 0;) {  // without in-addr.arpa, ip6.arpa
    const auto next = name.child(labels[i]);
    if (!next) return std::nullopt;
    name = *next;
  }
  return name;
}

enum class Code { absent, listed, refuses_us, nonsense, unknown };

Code read_code(const Answer& answer) {
  if (answer.is_absent()) return Code::absent;
  if (!answer.is_found()) return Code::unknown;
  Code code = Code::listed;
  for (const dns::A& one : answer.all<dns::A>()) {
    const auto& a = one.address;
    if (a[0] != 127) return Code::nonsense;
    if (a[1] == 255 && a[2] == 255) code = Code::refuses_us;
  }
  return code;
}

std::string refusal_text(const Answer& answer) {
  for (const dns::A& one : answer.all<dns::A>()) {
    switch (one.address[3]) {
      case 252:
        return "127.255.255.252: the name of the list is misspelled";
      case 254:
        return "127.255.255.254: it doesn't answer questions by a public resolver";
      case 255:
        return "127.255.255.255: too many questions from here";
      default:
        break;
    }
  }
  return "it answers " + answer.all<dns::A>().front().text() + ": questions from here are refused";
}

async::Task<Answer> ask_list(Answers& answers, std::string address, dns::Name list) {
  const auto name = listed_name(address, list);
  Answer none;
  none.why = printable(address) + " is no address";
  if (!name) co_return none;
  co_return co_await answers.ask(*name, dns::Type::a);
}

// The test points of RFC 5782 5. False: what the list says means nothing.
async::Task<bool> is_working(Answers& answers, dns::Name list, Notes& notes) {
  const Answer never = co_await ask_list(answers, "127.0.0.1", list);
  const Answer always = co_await ask_list(answers, "127.0.0.2", list);
  const Code always_code = read_code(always);
  if (always_code == Code::refuses_us || read_code(never) == Code::refuses_us) {
    notes.fail(
        refusal_text(always.is_found() ? always : never),
        "ask by a resolver of your own (dnsd iterates); don't use the list until it answers");
    co_return false;
  }
  if (always_code == Code::unknown) {
    notes.fail("it doesn't answer: " + always.why);
    co_return false;
  }
  if (never.is_found()) {
    notes.fail("it lists everything, 127.0.0.1 too: the list has died", "stop using it");
    co_return false;
  }
  if (always_code != Code::listed) {
    notes.fail("it doesn't list its test point 127.0.0.2: the list has died, or is none",
               "stop using it");
    co_return false;
  }
  co_return true;
}

}  // namespace

async::Task<void> check_block_list(Answers& answers, std::string zone,
                                   std::vector<std::string> addresses, Findings& findings) {
  Notes notes(findings, "DNSBL " + printable(zone));
  const auto list = dns::Name::parse(zone);
  if (!list) {
    notes.fail("that is no name");
    co_return;
  }
  const bool works = co_await is_working(answers, *list, notes);
  if (!works) co_return;
  if (addresses.empty()) notes.ok("the list works; there is no address to ask about");
  for (const std::string& address : addresses) {
    const Answer answer = co_await ask_list(answers, address, *list);
    const Code code = read_code(answer);
    if (code == Code::absent) notes.ok(address + " isn't listed");
    if (code == Code::unknown) notes.warn(address + ": " + answer.why);
    if (code == Code::refuses_us) notes.fail(refusal_text(answer));
    if (code == Code::nonsense)
      notes.fail("it answers outside of 127/8: the list has died", "stop using it");
    if (code != Code::listed) continue;
    const auto name = listed_name(address, *list);
    const Answer why = co_await answers.ask(*name, dns::Type::txt);
    const auto texts = why.all<dns::Txt>();
    const std::string reason = texts.empty() ? "" : ": " + printable(texts.front().joined(), 200);
    notes.fail(
        fmt::format("{} is listed ({}){}", address, answer.all<dns::A>().front().text(), reason),
        "the list's own pages say how to be taken off");
  }
}

}  // namespace posthorn::nslook
