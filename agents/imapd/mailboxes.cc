// CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE (RFC 9051 6.3.4 to 6.3.8, RFC 6154, RFC 8474).
#include "agents/imapd/commands.h"

namespace posthorn::imapd {

using store::Right;
using store::StoreResult;

namespace {

Reply bad_name(const imap::MailboxName& mailbox) {
  return imap::no(
      "CANNOT", "no mailbox can have that name: " + std::string(imap::text_of(*mailbox.bad_name)));
}

Reply no_right(const char* what) {
  return imap::no("NOPERM", std::string("you may not ") + what);
}

}  // namespace

Task<Reply> run(Session& session, const imap::Create& command) {
  if (command.mailbox.bad_name) co_return bad_name(command.mailbox);
  const char separator = session.settings().separator;
  std::string name = command.mailbox.name;
  if (name.ends_with(separator)) name.pop_back();
  if (imap::is_inbox(name)) co_return imap::no("ALREADYEXISTS", "there is always an INBOX");
  if (const auto checked = imap::check_new_name(name, separator); !checked)
    co_return imap::no(
        "CANNOT", "no mailbox can have that name: " + std::string(imap::text_of(checked.error())));
  store::Store& store = session.store();
  struct Made {
    bool allowed = false;
    std::string guid;
  };
  auto work = [&]() -> StoreResult<Made> {
    Made made;
    const auto allowed = store.may_create(name);
    if (!allowed) return fail(allowed.error());
    made.allowed = *allowed;
    if (!made.allowed) return made;
    auto created = store.create(name, command.special_use);
    if (!created) return fail(std::move(created.error()));
    auto mailbox = store.open(name);
    if (mailbox) {
      (void)(*mailbox)->sync(store::SyncRules());
      made.guid = (*mailbox)->guid();
    }
    return made;
  };
  const auto made = co_await session.in_store(std::move(work));
  if (!made) co_return session.refusal(made.error());
  if (!made->allowed) co_return no_right("make mailboxes there");
  session.tell(AccountEvent(AccountEvent::Kind::created, name));
  if (made->guid.empty()) co_return imap::ok("CREATE done");
  co_return imap::ok(imap::ResponseCode("MAILBOXID", "(F" + made->guid + ")"), "CREATE done");
}

Task<Reply> run(Session& session, const imap::Delete& command) {
  if (command.mailbox.bad_name) co_return imap::no("NONEXISTENT", "there is no such mailbox");
  const std::string name = command.mailbox.name;
  if (imap::is_inbox(name)) co_return imap::no("CANNOT", "the INBOX stays");
  store::Store& store = session.store();
  auto ask = [&] { return store.authorise(name, Right::delete_mailbox); };
  const auto allowed = co_await session.in_store(std::move(ask));
  if (!allowed) co_return session.refusal(allowed.error());
  if (!*allowed) co_return no_right("delete it");
  if (session.selected() != nullptr && session.selected()->name == name) {
    session.unselect();
    session.out().untagged("OK [CLOSED] the mailbox that was selected");
  }
  auto work = [&] { return store.remove(name); };
  const auto done = co_await session.in_store(std::move(work));
  if (!done) co_return session.refusal(done.error());
  session.tell(AccountEvent(AccountEvent::Kind::deleted, name));
  co_return imap::ok("DELETE done");
}

Task<Reply> run(Session& session, const imap::Rename& command) {
  if (command.from.bad_name) co_return imap::no("NONEXISTENT", "there is no such mailbox");
  if (command.to.bad_name) co_return bad_name(command.to);
  const char separator = session.settings().separator;
  const std::string from = command.from.name;
  std::string to = command.to.name;
  if (to.ends_with(separator)) to.pop_back();
  if (imap::is_inbox(to)) co_return imap::no("ALREADYEXISTS", "there is always an INBOX");
  if (const auto checked = imap::check_new_name(to, separator); !checked)
    co_return imap::no(
        "CANNOT", "no mailbox can have that name: " + std::string(imap::text_of(checked.error())));
  // RENAME INBOX moves messages, not the mailbox.
  if (!imap::is_inbox(from) && to.starts_with(from + separator))
    co_return imap::no("CANNOT", "a mailbox can't be moved below itself");
  store::Store& store = session.store();
  auto work = [&]() -> StoreResult<bool> {
    auto allowed = store.authorise(from, Right::delete_mailbox);
    if (!allowed || !*allowed) return allowed;
    allowed = store.may_create(to);
    if (!allowed || !*allowed) return allowed;
    auto renamed = store.rename(from, to);
    if (!renamed) return fail(std::move(renamed.error()));
    return true;
  };
  const auto done = co_await session.in_store(std::move(work));
  if (!done) co_return session.refusal(done.error());
  if (!*done) co_return no_right("rename it so");
  AccountEvent event(AccountEvent::Kind::renamed, to);
  event.old_name = from;
  session.tell(event);
  co_return imap::ok("RENAME done");
}

Task<Reply> run(Session& session, const imap::Subscribe& command) {
  if (command.mailbox.bad_name) co_return bad_name(command.mailbox);
  store::Store& store = session.store();
  const std::string name = command.mailbox.name;
  const bool on = command.on;
  auto work = [&store, &name, on] { return store.subscribe(name, on); };
  const auto done = co_await session.in_store(std::move(work));
  if (!done) co_return session.refusal(done.error());
  AccountEvent event(AccountEvent::Kind::subscription, name);
  event.subscribed = on;
  session.tell(event);
  co_return imap::ok(on ? "SUBSCRIBE done" : "UNSUBSCRIBE done");
}

}  // namespace posthorn::imapd
