// A question to a policy server and its answer, without I/O: Postfix's policy delegation protocol (SMTPD_POLICY_README),
// with the actions of access(5).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/base/result.h"
#include "libmail/smtp/envelope.h"
#include "libmail/smtp/reply.h"
#include "libmail/smtp/server.h"

namespace posthorn::session {

// Octets of an answer with all its attributes. One that goes on behind them is no answer.
inline constexpr std::size_t max_policy_answer = 16384;

// When a server is asked: the session has come so far, and waits.
enum class PolicyStage : std::uint8_t { connect, hello, mail, rcpt, data, end_of_message };

// What is asked about. `envelope` from mail on, `recipient` at rcpt; they and `session` outlive the call.
struct PolicyQuestion {
  PolicyStage stage;
  const smtp::SessionInfo& session;
  const smtp::Envelope* envelope = nullptr;
  const smtp::Recipient* recipient = nullptr;
  std::string_view instance;  // the same for all questions about one message

  PolicyQuestion(PolicyStage when, const smtp::SessionInfo& whose, std::string_view which)
      : stage(when), session(whose), instance(which) {}
};

// "request=smtpd_access_policy\n" ... "\n". Every attribute of Postfix 3.7 that a server of ours can know; the others
// are there, and empty, as Postfix has them. No value holds a line end or NUL, whatever a client said.
[[nodiscard]] std::string format_policy_request(const PolicyQuestion& question);

// An answer at the beginning of `octets`, which is moved behind it: the text of its action. Nothing yet: nullopt, octets
// unmoved. An error: what came is no answer, and the connection is of no use any more.
[[nodiscard]] std::optional<Result<std::string, std::string>> take_policy_answer(
    std::string_view& octets);

struct PolicyAction {
  enum class Kind : std::uint8_t {
    dunno,            // the next server is asked
    ok,               // the others are not
    refuse,           // reply: REJECT, DEFER, 4NN, 5NN
    defer_if_permit,  // reply, unless it is refused for good anyway
    defer_if_reject,  // reply, if it is refused for good
    discard,          // taken, and thrown away
    prepend,          // text is a header field
    hold,             // queued, and kept there; text says why
    redirect,         // to `address` alone
    bcc,              // to `address`, too
    warn,             // text is for the log
    info,
  };
  Kind kind = Kind::dunno;
  smtp::Reply reply;
  std::string text;
  smtp::Mailbox address;

  PolicyAction() = default;
  explicit PolicyAction(Kind what) : kind(what) {}
};
// "DUNNO", "REJECT no thanks", "450 4.7.1 later". The error says what isn't known here (FILTER:
// filters are milters).
[[nodiscard]] Result<PolicyAction, std::string> parse_policy_action(std::string_view text);

}  // namespace posthorn::session
