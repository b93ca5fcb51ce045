// SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS (RFC 4314).
#include <algorithm>

#include "agents/imapd/commands.h"
#include "libmail/base/text.h"

namespace posthorn::imapd {

using store::Acl;
using store::AclEntry;
using store::Right;
using store::Rights;
using store::StoreResult;

namespace {

constexpr std::size_t longest_identifier = 255;
constexpr std::string_view known_rights = "lrswipkxteacd";

// Identifiers as clients write them, with "-" in front for rights that are taken away, and "$" for groups, as Dovecot has them.
// Nothing: it can't be one.
std::optional<AclEntry> entry_of(std::string_view identifier) {
  AclEntry entry;
  entry.negative = identifier.starts_with('-');
  if (entry.negative) identifier.remove_prefix(1);
  const bool bad = std::any_of(identifier.begin(), identifier.end(), [](char c) {
    return static_cast<unsigned char>(c) < 32 || c == 127 || c == '"' || c == '\\';
  });
  if (bad || identifier.empty() || identifier == "$" || identifier.size() > longest_identifier ||
      !is_utf8(identifier))
    return std::nullopt;
  if (identifier == "anyone" || identifier == "authenticated" || identifier == "owner")
    entry.identifier = identifier;
  else if (identifier.front() == '$')
    entry.identifier = "group=" + std::string(identifier.substr(1));
  else
    entry.identifier = "user=" + std::string(identifier);
  return entry;
}

std::string identifier_text(const AclEntry& entry) {
  std::string text = entry.negative ? "-" : "";
  std::string_view identifier = entry.identifier;
  if (identifier.starts_with("user=")) return text.append(identifier.substr(5));
  if (identifier.starts_with("group=")) return text.append("$").append(identifier.substr(6));
  return text.append(identifier);
}

std::string wire(Session& session, const std::string& text) {
  imap::Writer writer(imap::Writer::Literals::server, session.enabled().utf8);
  writer.astring(text);
  return writer.take();
}

Rights rights_of(const Acl& acl, const AclEntry& like) {
  for (const AclEntry& entry : acl.entries())
    if (entry.identifier == like.identifier && entry.negative == like.negative) return entry.rights;
  return {};
}

Reply no_mailbox() {
  return imap::no("NONEXISTENT", "there is no such mailbox");
}

// Whether the user may read and change the rights there; else what is said. Behind it the mailbox is there.
Task<std::optional<Reply>> may_administer(Session& session, const imap::MailboxName& mailbox) {
  if (mailbox.bad_name) co_return no_mailbox();
  store::Store& store = session.store();
  const std::string name = mailbox.name;
  auto work = [&]() -> StoreResult<bool> {
    auto allowed = store.authorise(name, Right::administer);
    if (!allowed || !*allowed) return allowed;
    auto there = store.acl(name);
    if (!there) return fail(std::move(there.error()));
    return true;
  };
  const auto allowed = co_await session.in_store(std::move(work));
  if (!allowed) co_return session.refusal(allowed.error());
  if (!*allowed) co_return imap::no("NOPERM", "you may not see or change the rights there");
  co_return std::nullopt;
}

Task<Reply> change(Session& session, std::string name, std::function<void(Acl&)> change,
                   const char* done_text) {
  store::Store& store = session.store();
  auto work = [&] { return store.change_acl(name, change); };
  const auto done = co_await session.in_store(std::move(work));
  if (!done) co_return session.refusal(done.error());
  co_return imap::ok(done_text);
}

}  // namespace

Task<Reply> run(Session& session, const imap::SetAcl& command) {
  auto entry = entry_of(command.identifier);
  if (!entry) co_return imap::bad("nobody can have that identifier");
  if (command.rights.find_first_not_of(known_rights) != std::string::npos)
    co_return imap::bad("rights are letters of lrswipkxtea");
  const auto refused = co_await may_administer(session, command.mailbox);
  if (refused) co_return *refused;
  const Rights said = Rights::parse(command.rights);
  const auto how = command.how;
  auto work = [entry = *entry, said, how](Acl& acl) mutable {
    Rights rights = rights_of(acl, entry);
    if (how == imap::SetAcl::How::replace) rights = said;
    if (how == imap::SetAcl::How::add) rights.add(said);
    if (how == imap::SetAcl::How::remove) rights.remove(said);
    entry.rights = rights;
    acl.set(std::move(entry));
  };
  auto reply = co_await change(session, command.mailbox.name, std::move(work), "SETACL done");
  co_return reply;
}

Task<Reply> run(Session& session, const imap::DeleteAcl& command) {
  const auto entry = entry_of(command.identifier);
  if (!entry) co_return imap::bad("nobody can have that identifier");
  const auto refused = co_await may_administer(session, command.mailbox);
  if (refused) co_return *refused;
  auto work = [entry = *entry](Acl& acl) { acl.set(entry); };
  auto reply = co_await change(session, command.mailbox.name, std::move(work), "DELETEACL done");
  co_return reply;
}

Task<Reply> run(Session& session, const imap::GetAcl& command) {
  const auto refused = co_await may_administer(session, command.mailbox);
  if (refused) co_return *refused;
  store::Store& store = session.store();
  const std::string name = command.mailbox.name;
  auto work = [&] { return store.acl(name); };
  const auto acl = co_await session.in_store(std::move(work));
  if (!acl) co_return session.refusal(acl.error());
  std::string text = "ACL " + session.wire_name(name);
  for (const AclEntry& entry : acl->entries())
    text += " " + wire(session, identifier_text(entry)) + " " +
            wire(session, entry.rights.letters_with_old());
  session.out().untagged(text);
  co_return imap::ok("GETACL done");
}

Task<Reply> run(Session& session, const imap::ListRights& command) {
  const auto entry = entry_of(command.identifier);
  if (!entry) co_return imap::bad("nobody can have that identifier");
  const auto refused = co_await may_administer(session, command.mailbox);
  if (refused) co_return *refused;
  const std::string name = command.mailbox.name;
  // Nothing is tied to anything else, and the owner can't be locked out.
  const std::string owner = session.store().owner_of(name);
  const bool is_owner = !entry->negative && !owner.empty() &&
                        (entry->identifier == "owner" || entry->identifier == "user=" + owner);
  const std::string always = is_owner ? Rights::of_owner().letters() : std::string();
  std::string text = "LISTRIGHTS " + session.wire_name(name) + " " +
                     wire(session, command.identifier) + " " + (always.empty() ? "\"\"" : always);
  for (const char letter : known_rights)
    if (always.find(letter) == std::string::npos) text.append(" ").push_back(letter);
  session.out().untagged(text);
  co_return imap::ok("LISTRIGHTS done");
}

Task<std::optional<Reply>> say_my_rights(Session& session, std::string name) {
  store::Store& store = session.store();
  auto work = [&] { return store.rights(name); };
  const auto rights = co_await session.in_store(std::move(work));
  if (!rights) co_return session.refusal(rights.error());
  // RFC 4314 4: who has none of these can't know that it is there.
  const bool any = std::any_of(std::begin(Rights::of_any_use), std::end(Rights::of_any_use),
                               [&rights](Right right) { return rights->has(right); });
  if (!any) co_return no_mailbox();
  session.out().untagged("MYRIGHTS " + session.wire_name(name) + " " + rights->letters_with_old());
  co_return std::nullopt;
}

Task<Reply> run(Session& session, const imap::MyRights& command) {
  if (command.mailbox.bad_name) co_return no_mailbox();
  store::Store& store = session.store();
  const std::string name = command.mailbox.name;
  auto work = [&] { return store.acl(name); };
  const auto there = co_await session.in_store(std::move(work));
  if (!there) co_return session.refusal(there.error());
  const auto refused = co_await say_my_rights(session, name);
  if (refused) co_return *refused;
  co_return imap::ok("MYRIGHTS done");
}

}  // namespace posthorn::imapd
