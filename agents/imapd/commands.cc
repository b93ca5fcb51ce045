#include "agents/imapd/commands.h"

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

template <class Command>
concept Runs = requires(Session& session, const Command& command) { run(session, command); };

Task<Reply> say(Reply reply) {
  co_return reply;
}

}  // namespace

Task<Reply> run_any(Session& session, const imap::Command& command) {
  if (needs(command) == Needs::mailbox && session.selected() == nullptr)
    return say(imap::bad("no mailbox is selected"));
  if (needs(command) == Needs::mailbox && !session.uids_are_good())
    return say(Session::uids_are_bad());
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

}  // namespace posthorn::imapd
