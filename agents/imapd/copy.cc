// COPY and MOVE (RFC 9051 6.4.7, 6.4.8) with COPYUID (RFC 4315).
#include "agents/imapd/commands.h"
#include "agents/imapd/message_limit.h"

namespace posthorn::imapd {

using store::Right;
using store::StoreError;
using store::StoreResult;

namespace {

struct Transfer {
  bool allowed = true;
  store::Copied copied;
};

// over_quota if copies do not fit.
StoreResult<void> has_room(store::Store& store, store::OpenMailbox& from,
                           const std::vector<std::uint32_t>& uids, const std::string& to) {
  const auto usage = store.quota(to);
  if (!usage) return fail(usage.error());
  if (!usage->limits.any()) return {};
  if (auto measured = from.measure(uids, store::Need::size); !measured) return measured;
  const auto snapshot = from.snapshot();
  std::uint64_t octets = 0;
  for (const std::uint32_t uid : uids)
    if (const auto row = snapshot->find(uid)) octets += row->size;
  if (!usage->fits(octets, uids.size()))
    return fail(StoreError(StoreError::Kind::over_quota, "no room for copies"));
  return {};
}

StoreResult<Transfer> transfer(store::Store& store, store::OpenMailbox& from,
                               const std::string& name, const std::vector<std::uint32_t>& uids,
                               const std::string& to, bool move) {
  Transfer done;
  const auto allowed = store.authorise(to, Right::insert);
  if (!allowed) return fail(allowed.error());
  done.allowed = *allowed;
  if (!done.allowed) return done;
  const auto rights = store.rights(to);
  if (!rights) return fail(rights.error());
  store::CopyRules rules;
  rules.flags = changeable_flags(*rights);
  rules.keywords = rights->has(Right::write);
  // A move within one account changes no sum.
  if (!move || store.quota_root(name) != store.quota_root(to)) {
    const auto room = has_room(store, from, uids, to);
    if (!room) return fail(room.error());
  }
  auto target = store.open(to);
  if (!target) return fail(std::move(target.error()));
  auto copied = move ? from.move_to(**target, uids, rules) : from.copy_to(**target, uids, rules);
  if (!copied) return fail(std::move(copied.error()));
  done.copied = std::move(*copied);
  return done;
}

}  // namespace

Task<Reply> run(Session& session, const imap::Copy& command) {
  Selected& selected = *session.selected();
  const auto uids = uids_of(selected, command.messages, command.uid);
  if (!uids) co_return imap::bad("there is no such message number");
  if (command.to.bad_name) co_return imap::no("TRYCREATE", "there is no such mailbox");
  if (const auto many = refuse_many(session, uids->size())) co_return *many;
  const char* done_text = command.move ? "MOVE done" : "COPY done";
  if (uids->empty()) co_return imap::ok(done_text);
  const auto stopped = co_await session.look_again();
  if (stopped) co_return *stopped;
  if (command.move &&
      (selected.read_only || !selected.may(Right::delete_message) || !selected.may(Right::expunge)))
    co_return imap::no("NOPERM", "messages can't be moved out of this mailbox");
  const std::string name = selected.name;
  store::Store& store = session.store();
  auto mailbox = selected.mailbox;
  const std::string to = command.to.name;
  const bool move = command.move;
  auto work = [&] { return transfer(store, *mailbox, name, *uids, to, move); };
  auto done = co_await session.in_store(std::move(work));
  if (!done && done.error().kind == StoreError::Kind::not_found)
    co_return imap::no("TRYCREATE", "there is no such mailbox");
  if (!done) co_return session.refusal(done.error());
  if (!done->allowed) co_return imap::no("NOPERM", "you may not put messages there");
  const store::Copied& copied = done->copied;
  if (session.selected()->name == to)
    session.selected()->own_new.insert(session.selected()->own_new.end(), copied.target.begin(),
                                       copied.target.end());
  imap::ResponseCode code;
  if (!copied.source.empty())
    code = imap::ResponseCode("COPYUID", std::to_string(copied.uid_validity) + " " +
                                             ordered_set_text(copied.source) + " " +
                                             ordered_set_text(copied.target));
  if (!move) {
    co_await session.announce(command.uid);
    co_return imap::ok(std::move(code), done_text);
  }
  // RFC 6851 4.3: COPYUID comes before the EXPUNGEs.
  if (!copied.source.empty()) session.out().status("*", imap::ok(std::move(code), "moved"));
  co_await session.announce_known(true, true);
  co_return imap::ok(done_text);
}

}  // namespace posthorn::imapd
