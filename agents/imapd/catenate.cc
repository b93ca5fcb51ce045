#include "agents/imapd/catenate.h"

#include <algorithm>

#include "agents/imapd/fetch_body.h"
#include "agents/imapd/large_message.h"
#include "libmail/base/text.h"
#include "libmail/imap/imap_url.h"

namespace posthorn::imapd {

using store::StoreError;
using store::StoreResult;

namespace {

// A whole URL has to name this server, and nobody but this user.
bool is_ours(const Session& session, const std::string& user, const imap::ImapUrl& url) {
  const std::string host = url.host.substr(0, url.host.rfind(':'));
  return (url.host.empty() || iequals(host, session.settings().host)) &&
         (url.user.empty() || url.user == user);
}

bool is_whole(const imap::ImapUrl& url) {
  return url.section == imap::Section() && !url.partial;
}

std::string cut_out(std::string text, const imap::ImapUrl& url) {
  FetchedText message(std::move(text));
  std::string held;
  const auto found = message.section(url.section, held);
  if (!found) return {};
  std::string_view octets = *found;
  if (!url.partial) return std::string(octets);
  octets.remove_prefix(std::min<std::uint64_t>(url.partial->first, octets.size()));
  return std::string(octets.substr(0, url.partial->count == 0 ? octets.npos : url.partial->count));
}

StoreResult<UrlOctets> read_url(store::Store& store, const imap::ImapUrl& url) {
  const StoreError none(StoreError::Kind::not_found, "the URL names nothing");
  const auto allowed = store.authorise(url.mailbox, store::Right::read);
  if (!allowed) return fail(allowed.error());
  if (!*allowed) return fail(none);
  const auto mailbox = store.open(url.mailbox);
  if (!mailbox) return fail(mailbox.error());
  if (auto synced = (*mailbox)->sync(store::SyncRules()); !synced)
    return fail(std::move(synced.error()));
  const std::uint32_t uids[] = {url.uid};
  if (auto sized = (*mailbox)->measure(uids, store::Need::size); !sized)
    return fail(std::move(sized.error()));
  const auto snapshot = (*mailbox)->snapshot();
  const auto row = snapshot->find(url.uid);
  if (!row || (url.uid_validity && *url.uid_validity != snapshot->uid_validity()))
    return fail(none);
  UrlOctets found;
  if (is_whole(url) && row->size >= large_message) {
    auto source = (*mailbox)->open(url.uid);
    if (!source) return fail(std::move(source.error()));
    found.size = row->size;
    found.source = std::move(*source);
    return found;
  }
  auto text = (*mailbox)->text(url.uid);
  if (!text) return fail(std::move(text.error()));
  found.octets = cut_out(std::move(*text), url);
  found.size = found.octets.size();
  // RFC 4469 5: a URL that comes to nothing can't be resolved.
  if (found.octets.empty()) return fail(none);
  return found;
}

}  // namespace

async::Task<std::optional<UrlOctets>> find_url(Session& session, std::string url) {
  auto parsed = imap::parse_imap_url(url);
  if (!parsed || !is_ours(session, session.account().user, *parsed)) co_return std::nullopt;
  if (parsed->mailbox.empty()) {
    if (session.selected() == nullptr) co_return std::nullopt;
    parsed->mailbox = session.selected()->name;
  }
  store::Store& store = session.store();
  const imap::ImapUrl& wanted = *parsed;
  auto work = [&store, &wanted] { return read_url(store, wanted); };
  auto found = co_await session.in_store(std::move(work));
  if (found) co_return std::move(*found);
  const auto kind = found.error().kind;
  if (kind != StoreError::Kind::not_found && kind != StoreError::Kind::bad_name)
    (void)session.refusal(found.error());  // a line in the log
  co_return std::nullopt;
}

}  // namespace posthorn::imapd
