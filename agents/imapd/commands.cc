#include "agents/imapd/commands.h"

#include <algorithm>
#include <type_traits>

#include "agents/imapd/filters.h"

namespace posthorn::imapd {
namespace {

// Commands about messages need a mailbox that is selected.
enum class Needs { user, mailbox };

Needs needs(const imap::Command& command) {
  const auto& body = command.body;
  if (const auto* simple = std::get_if<imap::Simple>(&body)) {
    switch (*simple) {
      case imap::Simple::check:
      case imap::Simple::close:
      case imap::Simple::expunge:
      case imap::Simple::unselect:
        return Needs::mailbox;
      default:
        return Needs::user;
    }
  }
  if (const auto* search = std::get_if<imap::Search>(&body))
    return search->sources ? Needs::user : Needs::mailbox;
  const bool about_messages =
      std::holds_alternative<imap::Store>(body) || std::holds_alternative<imap::Copy>(body) ||
      std::holds_alternative<imap::UidExpunge>(body) || std::holds_alternative<imap::Fetch>(body) ||
      std::holds_alternative<imap::Sort>(body) || std::holds_alternative<imap::Thread>(body);
  return about_messages ? Needs::mailbox : Needs::user;
}

bool has_numbers(const imap::SearchKey& key) {
  return (key.kind == imap::SearchKey::Kind::numbers && !key.set.is_saved()) ||
         std::any_of(key.children.begin(), key.children.end(), has_numbers);
}

// Speaks of message numbers, which a client of UIDONLY has given up (RFC 9586).
bool speaks_of_numbers(const imap::Command& command) {
  return std::visit(
      [](const auto& body) {
        using Body = std::decay_t<decltype(body)>;
        if constexpr (std::is_same_v<Body, imap::Search> || std::is_same_v<Body, imap::Sort> ||
                      std::is_same_v<Body, imap::Thread>) {
          return !body.uid || has_numbers(body.key);
        } else if constexpr (requires { body.uid; }) {
          return !body.uid;
        } else {
          return false;
        }
      },
      command.body);
}

template <class Command>
concept Runs = requires(Session& session, const Command& command) { run(session, command); };

Task<Reply> say(Reply reply) {
  co_return reply;
}

Task<Reply> run_body(Session& session, const imap::Command& command) {
  return std::visit(
      [&session](const auto& body) -> Task<Reply> {
        if constexpr (Runs<std::decay_t<decltype(body)>>) {
          return run(session, body);
        } else {
          return say(imap::bad("there is no such command here"));
        }
      },
      command.body);
}

Task<Reply> run_filtered(Session& session, imap::Command& command) {
  const auto refused = co_await put_in_filters(session, command);
  if (refused) co_return *refused;
  if (session.enabled().uid_only && speaks_of_numbers(command)) co_return uid_required();
  Task<Reply> task = run_body(session, command);
  Reply reply = co_await task;
  co_return reply;
}

}  // namespace

Reply uid_required() {
  return {imap::Condition::bad, imap::ResponseCode("UIDREQUIRED"),
          "no message numbers after ENABLE UIDONLY"};
}

Task<Reply> run_any(Session& session, imap::Command& command) {
  if (needs(command) == Needs::mailbox && session.selected() == nullptr)
    return say(imap::bad("no mailbox is selected"));
  if (needs(command) == Needs::mailbox && !session.uids_are_good())
    return say(Session::uids_are_bad());
  if (session.enabled().uid_only && speaks_of_numbers(command)) return say(uid_required());
  return names_filters(command) ? run_filtered(session, command) : run_body(session, command);
}

}  // namespace posthorn::imapd
