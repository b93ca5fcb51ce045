// GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208): a root for each user's mailboxes, "" for one's own and "user.ann" for another's.
#include <fmt/format.h>

#include <algorithm>

#include "agents/imapd/commands.h"

namespace posthorn::imapd {

using store::QuotaLimits;
using store::Right;

namespace {

constexpr std::uint64_t storage_unit = 1024;  // RFC 9208 5.1
constexpr std::uint64_t most_storage = UINT64_MAX / 2 / storage_unit;

// A root's INBOX, by which the store knows whose it is.
std::string mailbox_of(const Session& session, const std::string& root) {
  return root.empty() ? "INBOX" : root + session.settings().separator + "INBOX";
}

void say_usage(Session& session, const std::string& root, const store::QuotaUsage& usage) {
  std::string text;
  if (usage.limits.octets != 0)
    text += fmt::format(
        "STORAGE {} {}",
        (std::max<std::int64_t>(usage.octets, 0) + static_cast<std::int64_t>(storage_unit) - 1) /
            static_cast<std::int64_t>(storage_unit),
        usage.limits.octets / storage_unit);
  if (usage.limits.messages != 0)
    text += fmt::format("{}MESSAGE {} {}", text.empty() ? "" : " ",
                        std::max<std::int64_t>(usage.messages, 0), usage.limits.messages);
  session.out().untagged("QUOTA " + session.wire_name(root) + " (" + text + ")");
}

Task<std::optional<Reply>> say_quota(Session& session, std::string root) {
  store::Store& store = session.store();
  const std::string mailbox = mailbox_of(session, root);
  auto work = [&] { return store.quota(mailbox); };
  const auto usage = co_await session.in_store(std::move(work));
  if (!usage) co_return session.refusal(usage.error());
  say_usage(session, root, *usage);
  co_return std::nullopt;
}

Reply no_root() {
  return imap::no("NONEXISTENT", "there is no such quota root");
}

// The user's own, or that of somebody who shares with this user, or with whom an administrator deals. Something: what is said.
Task<std::optional<Reply>> find_root(Session& session, std::string root) {
  if (root.empty()) co_return std::nullopt;
  const std::string prefix = root + session.settings().separator;
  if (session.sets_quota() && !session.store().has_namespace(prefix)) co_await session.meet(root);
  if (!session.store().has_namespace(prefix)) co_return no_root();
  if (session.sets_quota()) co_return std::nullopt;
  store::Store& store = session.store();
  const std::string mailbox = mailbox_of(session, root);
  auto work = [&] { return store.authorise(mailbox, Right::administer); };
  const auto allowed = co_await session.in_store(std::move(work));
  if (!allowed || !*allowed) co_return no_root();
  co_return std::nullopt;
}

// Limits of SETQUOTA's list; what is not in it has none from then on.
Result<QuotaLimits, Reply> limits_of(const imap::SetQuota& command) {
  QuotaLimits limits;
  for (const auto& [resource, value] : command.limits) {
    const bool storage = resource == "STORAGE";
    if (!storage && resource != "MESSAGE")
      return fail(imap::no("CANNOT", "only STORAGE and MESSAGE are counted"));
    std::uint64_t& limit = storage ? limits.octets : limits.messages;
    if (limit != 0) return fail(imap::bad("a resource is named twice"));
    if (value == 0) return fail(imap::no("CANNOT", "a limit of nothing is none; leave it out"));
    if (storage && value > most_storage) return fail(imap::no("CANNOT", "that is no size"));
    limit = storage ? value * storage_unit : value;
  }
  return limits;
}

}  // namespace

Task<Reply> run(Session& session, const imap::GetQuota& command) {
  auto refused = co_await find_root(session, command.root);
  if (!refused) refused = co_await say_quota(session, command.root);
  if (refused) co_return *refused;
  co_return imap::ok("GETQUOTA done");
}

Task<Reply> run(Session& session, const imap::GetQuotaRoot& command) {
  if (command.mailbox.bad_name) co_return imap::no("NONEXISTENT", "there is no such mailbox");
  store::Store& store = session.store();
  const std::string name = command.mailbox.name;
  auto work = [&] { return store.authorise(name, Right::read); };
  const auto allowed = co_await session.in_store(std::move(work));
  if (!allowed) co_return session.refusal(allowed.error());
  if (!*allowed) co_return imap::no("NOPERM", "you may not read that mailbox");
  const auto root = store.quota_root(name);
  session.out().untagged("QUOTAROOT " + session.wire_name(name) +
                         (root ? " " + session.wire_name(*root) : std::string()));
  if (root) {
    const auto refused = co_await say_quota(session, *root);
    if (refused) co_return *refused;
  }
  co_return imap::ok("GETQUOTAROOT done");
}

Task<Reply> run(Session& session, const imap::SetQuota& command) {
  if (!session.sets_quota()) co_return imap::no("NOPERM", "only administrators set quotas");
  const auto limits = limits_of(command);
  if (!limits) co_return limits.error();
  const auto refused = co_await find_root(session, command.root);
  if (refused) co_return *refused;
  store::Store& store = session.store();
  const std::string mailbox = mailbox_of(session, command.root);
  auto work = [&] { return store.set_quota(mailbox, *limits); };
  const auto usage = co_await session.in_store(std::move(work));
  if (!usage) co_return session.refusal(usage.error());
  session.log().info("", "quota-set", {{"user", session.account().user}, {"root", command.root}});
  say_usage(session, command.root, *usage);
  co_return imap::ok("SETQUOTA done");
}

}  // namespace posthorn::imapd
