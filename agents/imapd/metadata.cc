// GETMETADATA and SETMETADATA (RFC 5464).
#include "agents/imapd/metadata.h"

#include <algorithm>

#include "agents/imapd/commands.h"
#include "agents/imapd/filters.h"
#include "libmail/imap/metadata.h"

namespace posthorn::imapd {

using store::Annotations;
using store::MetadataRefusal;
using store::Right;
using store::StoreError;
using store::StoreResult;

namespace {

Reply too_large() {
  return imap::no(
      imap::ResponseCode("METADATA", "MAXSIZE " + std::to_string(store::metadata_limits.value)),
      "the value is too large");
}

// RFC 5464 3.3, and w for what others will read.
bool may_annotate(const store::Rights& rights, bool write_shared) {
  const bool some = rights.has(Right::read) || rights.has(Right::write_seen) ||
                    rights.has(Right::write) || rights.has(Right::insert) ||
                    rights.has(Right::post);
  return rights.has(Right::lookup) && some && (!write_shared || rights.has(Right::write));
}

// The server's shared entries are the operator's; nobody else sets them.
void add_server_entries(const WorkerSettings& settings, Annotations& all) {
  if (!settings.server_comment.empty()) all["/shared/comment"] = settings.server_comment;
  if (!settings.server_admin.empty()) all["/shared/admin"] = settings.server_admin;
  for (const auto& [name, criteria] : settings.filters)
    all[std::string("/shared/").append(filter_values).append(name)] = criteria;
}

// A filter that no search could use is not taken (RFC 5466 3.2).
std::optional<Reply> refuse_filters(const imap::SetMetadata& command) {
  const std::string root = std::string("/private/").append(filter_values);
  if (!command.mailbox.name.empty()) return std::nullopt;
  for (const auto& [entry, value] : command.entries) {
    if (!value || !entry.starts_with(root)) continue;
    const std::string fault = filter_fault(entry.substr(root.size()), *value);
    if (!fault.empty()) return imap::no("CANNOT", fault);
  }
  return std::nullopt;
}

bool is_shared(const std::string& entry) {
  return entry.starts_with("/shared");
}

}  // namespace

Task<StoreResult<Annotations>> read_metadata(Session& session, std::string mailbox) {
  store::Store& store = session.store();
  auto work = [&store, &mailbox]() -> StoreResult<Annotations> {
    if (mailbox.empty()) return store.metadata(mailbox);
    const auto rights = store.rights(mailbox);
    if (!rights) return fail(rights.error());
    if (!may_annotate(*rights, false))
      return fail(StoreError(StoreError::Kind::not_found, "no right to read"));
    return store.metadata(mailbox);
  };
  auto all = co_await session.in_store(std::move(work));
  if (all && mailbox.empty()) add_server_entries(session.settings(), *all);
  co_return std::move(all);
}

std::size_t say_metadata(Session& session, const std::string& mailbox, const Annotations& all,
                         const imap::GetMetadata& asked) {
  std::size_t longest_left_out = 0;
  std::vector<imap::MetadataValue> values;
  for (const std::string& entry : asked.entries) {
    // An entry is answered once, by the first that asks for it.
    const auto add = [&](const std::string& name, std::optional<std::string> value) {
      const bool said = std::any_of(values.begin(), values.end(),
                                    [&](const auto& known) { return known.first == name; });
      if (!said) values.emplace_back(name, std::move(value));
    };
    bool found = false;
    for (auto at = all.lower_bound(entry); at != all.end() && at->first.starts_with(entry); ++at) {
      if (!imap::is_within(at->first, entry, asked.depth)) continue;
      found = true;
      if (asked.max_size && at->second.size() > *asked.max_size) {
        longest_left_out = std::max(longest_left_out, at->second.size());
      } else {
        add(at->first, at->second);
      }
    }
    if (!found && asked.depth == imap::GetMetadata::Depth::zero) add(entry, std::nullopt);
  }
  if (!values.empty())
    session.out().untagged(imap::metadata_text(
        mailbox.empty() ? "\"\"" : session.wire_name(mailbox), values, session.enabled().utf8));
  return longest_left_out;
}

Task<Reply> run(Session& session, const imap::GetMetadata& command) {
  if (command.mailbox.bad_name) co_return imap::no("NONEXISTENT", "there is no such mailbox");
  const auto all = co_await read_metadata(session, command.mailbox.name);
  if (!all) co_return session.refusal(all.error());
  const std::size_t left_out = say_metadata(session, command.mailbox.name, *all, command);
  if (left_out == 0) co_return imap::ok("GETMETADATA done");
  co_return imap::ok(imap::ResponseCode("METADATA", "LONGENTRIES " + std::to_string(left_out)),
                     "GETMETADATA done, but for what is larger than MAXSIZE");
}

Task<Reply> run(Session& session, const imap::SetMetadata& command) {
  if (command.mailbox.bad_name) co_return imap::no("NONEXISTENT", "there is no such mailbox");
  const std::string mailbox = command.mailbox.name;
  const bool shared = std::any_of(command.entries.begin(), command.entries.end(),
                                  [](const auto& entry) { return is_shared(entry.first); });
  for (const auto& [entry, value] : command.entries) {
    if (entry == "/shared" || entry == "/private")
      co_return imap::no("CANNOT", "an entry has a name behind /shared/ or /private/");
    if (value && value->size() > store::metadata_limits.value) co_return too_large();
  }
  if (auto refused = refuse_filters(command)) co_return std::move(*refused);
  if (mailbox.empty() && shared)
    co_return imap::no("NOPERM", "what the server says to all is set by its operator");
  store::Store& store = session.store();
  bool allowed = true;
  auto work = [&]() -> StoreResult<MetadataRefusal> {
    if (!mailbox.empty()) {
      const auto rights = store.rights(mailbox);
      if (!rights) return fail(rights.error());
      if (!rights->has(Right::lookup))
        return fail(StoreError(StoreError::Kind::not_found, "no right to see it"));
      allowed = may_annotate(*rights, shared);
      if (!allowed) return MetadataRefusal::none;
    }
    return store.set_metadata(mailbox, command.entries);
  };
  const auto done = co_await session.in_store(std::move(work));
  if (!done) co_return session.refusal(done.error());
  if (!allowed) co_return imap::no("NOPERM", "you may not annotate it so");
  if (*done == MetadataRefusal::too_large) co_return too_large();
  if (*done == MetadataRefusal::too_many)
    co_return imap::no(imap::ResponseCode("METADATA", "TOOMANY"), "there are too many annotations");
  AccountEvent event(AccountEvent::Kind::metadata, mailbox);
  for (const auto& change : command.entries) event.entries.push_back(change.first);
  session.tell(event);
  co_return imap::ok("SETMETADATA done");
}

Reply refuse_large_metadata() {
  return too_large();
}

}  // namespace posthorn::imapd
