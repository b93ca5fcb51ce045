// GETQUOTA and GETQUOTAROOT (RFC 9208): one root, "", for all mailboxes of an account.
#include <fmt/format.h>

#include <algorithm>

#include "agents/imapd/commands.h"

namespace posthorn::imapd {
namespace {

Task<std::optional<Reply>> say_quota(Session& session) {
  store::Store& store = session.store();
  auto work = [&store] { return store.quota(); };
  const auto usage = co_await session.in_store(std::move(work));
  if (!usage) co_return session.refusal(usage.error());
  std::string text;
  // STORAGE counts units of 1024 octets.
  if (usage->limits.octets != 0)
    text += fmt::format("STORAGE {} {}", (std::max<std::int64_t>(usage->octets, 0) + 1023) / 1024,
                        usage->limits.octets / 1024);
  if (usage->limits.messages != 0)
    text += fmt::format("{}MESSAGE {} {}", text.empty() ? "" : " ",
                        std::max<std::int64_t>(usage->messages, 0), usage->limits.messages);
  session.out().untagged("QUOTA \"\" (" + text + ")");
  co_return std::nullopt;
}

}  // namespace

Task<Reply> run(Session& session, const imap::GetQuota& command) {
  if (!command.root.empty()) co_return imap::no("NONEXISTENT", "there is no such quota root");
  const auto refused = co_await say_quota(session);
  if (refused) co_return *refused;
  co_return imap::ok("GETQUOTA done");
}

Task<Reply> run(Session& session, const imap::GetQuotaRoot& command) {
  if (command.mailbox.bad_name) co_return imap::no("NONEXISTENT", "there is no such mailbox");
  store::Store& store = session.store();
  const std::string name = command.mailbox.name;
  auto work = [&] { return store.authorise(name, store::Right::read); };
  const auto allowed = co_await session.in_store(std::move(work));
  if (!allowed) co_return session.refusal(allowed.error());
  if (!*allowed) co_return imap::no("NONEXISTENT", "there is no such mailbox");
  session.out().untagged("QUOTAROOT " + session.wire_name(name) + " \"\"");
  const auto refused = co_await say_quota(session);
  if (refused) co_return *refused;
  co_return imap::ok("GETQUOTAROOT done");
}

Task<Reply> run(Session& session, const imap::MyRights& command) {
  if (command.mailbox.bad_name) co_return imap::no("NONEXISTENT", "there is no such mailbox");
  store::Store& store = session.store();
  const std::string name = command.mailbox.name;
  auto work = [&] { return store.rights(name); };
  const auto rights = co_await session.in_store(std::move(work));
  if (!rights) co_return session.refusal(rights.error());
  if (!rights->has(store::Right::lookup))
    co_return imap::no("NONEXISTENT", "there is no such mailbox");
  session.out().untagged("MYRIGHTS " + session.wire_name(name) + " " + rights->letters());
  co_return imap::ok("MYRIGHTS done");
}

}  // namespace posthorn::imapd
