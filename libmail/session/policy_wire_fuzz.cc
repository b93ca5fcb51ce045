// An answer of a policy server in any cut is the same; what is made of it is one line wherever it goes.
#include <cstdint>
#include <string>
#include <string_view>

#include "libmail/session/policy_wire.h"

using namespace posthorn;
using namespace posthorn::session;

namespace {

void look_at(std::string_view text) {
  const auto action = parse_policy_action(text);
  if (!action) return;
  const std::string line = smtp::format_reply(action->reply);
  if (action->kind == PolicyAction::Kind::refuse) {
    check(action->reply.negative(), "a refusal refuses");
    check(line.find('\n') == line.size() - 1, "a refusal is one line");
  }
  check(action->text.find_first_of("\r\n") == std::string::npos, "a text is one line");
  if (action->kind == PolicyAction::Kind::redirect || action->kind == PolicyAction::Kind::bcc) {
    const auto again =
        smtp::parse_mailbox(smtp::format_mailbox(action->address), smtp::Utf8::allowed);
    check(again && *again == action->address, "an address is one");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view wire(reinterpret_cast<const char*>(data), size);
  std::string_view whole = wire;
  const auto taken = take_policy_answer(whole);
  if (!taken) {
    check(whole.size() == wire.size() && size <= max_policy_answer, "there is an end to waiting");
    return 0;
  }
  for (std::size_t length = 0; length < size && length < 300; ++length) {
    std::string_view part = wire.substr(0, length);
    const auto early = take_policy_answer(part);
    if (early) check(*early == *taken || !*early, "a cut changes nothing");
  }
  if (!*taken) return 0;
  check(whole.size() < wire.size(), "an answer is used");
  look_at(**taken);
  return 0;
}
