// SEARCH (RFC 9051 6.4.4, RFC 4731 ESEARCH, RFC 5182 SEARCHRES, RFC 9394 PARTIAL).
#include "agents/imapd/search.h"

#include <algorithm>
#include <chrono>

#include "agents/imapd/message_limit.h"
#include "agents/imapd/search_narrow.h"
#include "libmail/async/scope.h"
#include "libmail/base/clock.h"
#include "libmail/imap/writer.h"

namespace posthorn::imapd {
namespace {

constexpr auto slice = std::chrono::milliseconds(100);
constexpr std::uint32_t look_at_clock = 64;  // messages
constexpr std::uint32_t worth_two = 500;

// Charsets of RFC 9051 6.4.4 and whatever else a client names; Dovecot's words for the refusal.
Reply bad_charset() {
  return imap::no(imap::ResponseCode("BADCHARSET", "(US-ASCII UTF-8)"),
                  "that charset is not known");
}

// Messages, by their numbers, that one thread after the other looks at.
struct SearchPart {
  std::uint32_t next = 1;
  std::uint32_t last = 0;
  std::vector<std::uint32_t> uids;
  std::uint64_t modseq = 0;
  bool has_read = false;  // messages, not only what is kept of them
  std::optional<store::StoreError> error;
};

// Looks at messages from number `next` on for a while. An error is about the message `next`; `locked`: come again.
store::StoreResult<void> search_slice(store::OpenMailbox& mailbox, const SearchFacts& facts,
                                      const PreparedKey& key, SearchPart& part) {
  const MonoTime end = std::chrono::steady_clock::now() + slice;
  const store::MailboxView& view = facts.selected->view;
  HeadersAhead headers(mailbox, facts.snapshot);
  std::uint32_t& next = part.next;
  const std::uint32_t first = next;
  std::uint32_t looked = 0;
  for (; next <= part.last; ++next) {
    const bool costly = key.cost != PreparedKey::Cost::row;
    if ((costly || ++looked % look_at_clock == 0) && std::chrono::steady_clock::now() >= end)
      return {};
    const auto row = facts.snapshot->find(view.uids().uid_of(next));
    if (!row) continue;
    SearchedMessage message(mailbox, facts, headers, next, *row);
    const bool matches = message.matches(key);
    part.has_read = part.has_read || message.has_read();
    if (auto& error = message.error()) {
      // What was found counts: whoever waits for a lock waits from here on anew.
      if (next != first && error->kind == store::StoreError::Kind::locked) return {};
      return fail(std::move(*error));
    }
    if (!matches) continue;
    part.uids.push_back(row->uid);
    part.modseq = std::max(part.modseq, row->modseq);
  }
  return {};
}

// A search under way: in two parts side by side where messages, or what is kept of them, have to be read.
struct Searching {
  store::OpenMailbox& mailbox;
  const SearchFacts& facts;
  const PreparedKey& key;
  std::vector<SearchPart> parts;
  bool failed = false;
  std::size_t running = 0;
  async::Event ended;  // a part

  Searching(store::OpenMailbox& where, const SearchFacts& known, const PreparedKey& what)
      : mailbox(where), facts(known), key(what) {}
  void divide(std::uint32_t first, std::uint32_t last) {
    const bool in_two =
        key.cost != PreparedKey::Cost::row && last >= first && last - first >= worth_two;
    const std::uint32_t middle = in_two ? first + (last - first) / 2 : last;
    parts.resize(in_two ? 2 : 1);
    parts.front().next = first;
    parts.front().last = middle;
    if (!in_two) return;
    parts.back().next = middle + 1;
    parts.back().last = last;
  }
};

Task<void> search_part(Session& session, Searching& searching, SearchPart& part) {
  while (part.next <= part.last && !session.is_over() && !searching.failed) {
    auto work = [&] {
      return search_slice(searching.mailbox, searching.facts, searching.key, part);
    };
    auto searched = co_await session.in_store(std::move(work));
    if (searched) continue;
    part.error = std::move(searched.error());
    searching.failed = true;
  }
  --searching.running;
  searching.ended.set();
}

// All parts; the client hears every ten seconds that it goes on.
Task<void> search_parts(Session& session, Searching& searching, std::size_t all) {
  async::Scope scope;
  searching.running = searching.parts.size();
  for (SearchPart& part : searching.parts) scope.spawn(search_part(session, searching, part));
  auto told = async::Deadline::in(std::chrono::seconds(10));
  while (searching.running != 0) {
    searching.ended.reset();
    (void)co_await searching.ended.wait_until(told);
    if (searching.running == 0 || !told.passed()) continue;
    std::size_t left = 0;
    for (const SearchPart& part : searching.parts) left += part.last + 1 - part.next;
    imap::Writer tag;
    tag.string(session.tag());
    session.out().untagged("OK [INPROGRESS (" + tag.take() + " " + std::to_string(all - left) +
                           " " + std::to_string(all) + ")] searching");
    co_await session.out().flush();
    told = async::Deadline::in(std::chrono::seconds(10));
  }
  co_await scope.join();
}

// Sizes or dates that the snapshot lacks.
store::StoreResult<void> measure(store::OpenMailbox& mailbox, SearchFacts& facts, Measures needs) {
  const auto lacks = [&facts](std::uint16_t flag) {
    std::vector<std::uint32_t> unknown;
    for (const auto& chunk : facts.snapshot->chunks())
      for (std::uint32_t i = 0; i < chunk->count; ++i)
        if ((chunk->flags[i] & flag) == 0) unknown.push_back(chunk->uid[i]);
    return unknown;
  };
  if (needs.size) {
    auto sized = mailbox.measure(lacks(store::flag::has_size), store::Need::size);
    if (!sized) return sized;
  }
  if (needs.date || needs.save_date) {
    std::vector<std::uint32_t> undated = lacks(store::flag::has_date);
    const auto is_known = [&](std::uint32_t uid) { return facts.snapshot->find(uid)->saved != 0; };
    if (!needs.date) std::erase_if(undated, is_known);
    auto dated = mailbox.measure(undated, store::Need::date);
    if (!dated) return dated;
  }
  facts.snapshot = mailbox.snapshot();
  return {};
}

std::vector<std::uint32_t> part_of(const std::vector<std::uint32_t>& all,
                                   const imap::PartialRange& range) {
  const std::size_t first = std::min<std::size_t>(range.first - 1, all.size());
  const std::size_t last = std::min<std::size_t>(range.last, all.size());
  const auto at = [&all](std::size_t i) { return all.begin() + static_cast<std::ptrdiff_t>(i); };
  if (!range.from_end) return {at(first), at(last)};
  return {at(all.size() - last), at(all.size() - first)};
}

// RFC 5182 2.1: with MIN or MAX alone only those are kept.
void save_result(Selected& selected, const imap::ReturnOptions& returns,
                 const std::vector<std::uint32_t>& uids) {
  selected.saved.clear();
  if (uids.empty()) return;
  if ((returns.min || returns.max) && !returns.all && !returns.count && !returns.partial) {
    if (returns.min) selected.saved.add(*std::min_element(uids.begin(), uids.end()));
    if (returns.max) selected.saved.add(*std::max_element(uids.begin(), uids.end()));
    return;
  }
  std::vector<std::uint32_t> sorted = uids;
  std::sort(sorted.begin(), sorted.end());
  selected.saved = set_of(sorted);
}

}  // namespace

Reply refused(Session& session, const std::optional<imap::ReturnOptions>& returns,
              const Reply& reply) {
  if (returns && returns->save) session.selected()->saved.clear();
  return reply;
}

bool speaks_of_modseq(const imap::SearchKey& key) {
  return key.kind == imap::SearchKey::Kind::modseq ||
         std::any_of(key.children.begin(), key.children.end(), speaks_of_modseq);
}

Measures measures_of(const imap::SearchKey& key) {
  using Kind = imap::SearchKey::Kind;
  Measures needs;
  switch (key.kind) {
    case Kind::larger:
    case Kind::smaller:
      needs.size = true;
      break;
    case Kind::older:
    case Kind::younger:
    case Kind::before:
    case Kind::on:
    case Kind::since:
    case Kind::sent_before:
    case Kind::sent_on:
    case Kind::sent_since:
      needs.date = true;
      break;
    case Kind::saved_before:
    case Kind::saved_on:
    case Kind::saved_since:
      needs.save_date = true;
      break;
    default:
      break;
  }
  for (const imap::SearchKey& child : key.children) {
    const Measures more = measures_of(child);
    needs.size = needs.size || more.size;
    needs.date = needs.date || more.date;
    needs.save_date = needs.save_date || more.save_date;
  }
  return needs;
}

// MESSAGELIMIT (RFC 9738): of the messages that the command names by UID or number, or of all, the last so many are looked at. The
// number of the first of these.
std::uint32_t first_to_search(Session& session, const imap::SearchKey& key,
                              imap::ResponseCode& limited) {
  if (session.settings().message_limit == 0) return 1;
  using Kind = imap::SearchKey::Kind;
  const imap::SearchKey* named = &key;
  if (key.kind == Kind::both) {
    const auto at = std::find_if(key.children.begin(), key.children.end(), [](const auto& child) {
      return child.kind == Kind::uids || child.kind == Kind::numbers;
    });
    if (at != key.children.end()) named = &*at;
  }
  const bool by_name = named->kind == Kind::uids || named->kind == Kind::numbers;
  const Selected& selected = *session.selected();
  auto uids = uids_of(selected, by_name ? named->set : imap::SequenceSet::all(),
                      !by_name || named->kind == Kind::uids);
  if (!uids) return 1;
  limited = limit_messages(session, *uids);
  return limited.name.empty() ? 1 : *selected.view.uids().sequence_of(uids->front());
}

Task<Found> find_messages(Session& session, const imap::SearchKey& key, std::string charset) {
  Found found = co_await find_messages(session, *session.selected(), key, std::move(charset));
  co_return found;
}

Task<Found> find_messages(Session& session, const Selected& selected, const imap::SearchKey& key,
                          std::string charset) {
  Found found;
  auto mailbox = selected.mailbox;
  SearchFacts facts;
  facts.selected = &selected;
  facts.snapshot = mailbox->snapshot();
  facts.now =
      std::chrono::duration_cast<std::chrono::seconds>(wall_now().time_since_epoch()).count();
  if (speaks_of_modseq(key)) session.enabled().condstore = true;
  if (const Measures needs = measures_of(key); needs.size || needs.date || needs.save_date) {
    auto work = [&] { return measure(*mailbox, facts, needs); };
    const auto measured = co_await session.in_store(std::move(work));
    if (!measured) {
      found.refused = session.refusal(measured.error());
      co_return found;
    }
  }
  auto prepared = prepare_key(key, charset, facts);
  if (!prepared) {
    found.refused = bad_charset();
    co_return found;
  }
  bool index_lacks = false;
  if (session.settings().search_index && looks_for_text(*prepared)) {
    std::string remark;
    auto ask = [&] { return narrow(*mailbox, *prepared, remark); };
    index_lacks = co_await async::blocking(std::move(ask));
    if (!remark.empty()) session.log().warning("", "search-index", {{"why", remark}});
  }
  Searching searching(*mailbox, facts, *prepared);
  searching.divide(first_to_search(session, key, found.limited), selected.view.size());
  co_await search_parts(session, searching, selected.view.size());
  for (SearchPart& part : searching.parts) {
    if (part.error) {
      found.refused = session.refusal(*part.error);
      co_return found;
    }
    found.uids.insert(found.uids.end(), part.uids.begin(), part.uids.end());
    found.modseq = std::max(found.modseq, part.modseq);
  }
  const bool has_read = std::any_of(searching.parts.begin(), searching.parts.end(),
                                    [](const SearchPart& part) { return part.has_read; });
  if (index_lacks && has_read) session.accounts().search_filler().searched(mailbox);
  co_return found;
}

void say_extended(Session& session, Selected& selected, const std::string& where,
                  const imap::ReturnOptions& returns, const Found& found,
                  const std::vector<std::uint32_t>& uids, bool by_uid, bool with_modseq) {
  const auto name = [&](std::uint32_t uid) {
    return std::to_string(by_uid ? uid : *selected.view.uids().sequence_of(uid));
  };
  const auto text_of = [&](const std::vector<std::uint32_t>& some) {
    if (by_uid) return ordered_set_text(some);
    std::vector<std::uint32_t> numbers;
    numbers.reserve(some.size());
    for (const std::uint32_t uid : some) numbers.push_back(*selected.view.uids().sequence_of(uid));
    return ordered_set_text(numbers);
  };
  if (returns.save) save_result(selected, returns, uids);
  const bool only_save = returns.save && !returns.min && !returns.max && !returns.all &&
                         !returns.count && !returns.partial;
  if (only_save) return;
  imap::Writer tag;
  tag.string(session.tag());
  std::string text = "ESEARCH (TAG " + tag.take() + where + ")";
  if (by_uid) text += " UID";
  if (!uids.empty()) {
    if (returns.min) text += " MIN " + name(uids.front());
    if (returns.max) text += " MAX " + name(uids.back());
    if (returns.all) text += " ALL " + text_of(uids);
  }
  if (returns.count) text += " COUNT " + std::to_string(uids.size());
  if (returns.partial) {
    const auto some = part_of(uids, *returns.partial);
    text += " PARTIAL (" + imap::partial_range_text(*returns.partial) + " " +
            (some.empty() ? "NIL" : text_of(some)) + ")";
  }
  if (with_modseq && !uids.empty()) text += " MODSEQ " + std::to_string(found.modseq);
  session.out().untagged(text);
}

Task<Reply> run(Session& session, const imap::Search& command) {
  if (command.sources) {
    auto reply = co_await search_many(session, command);
    co_return reply;
  }
  if (context_exists(session, command.returns))
    co_return imap::bad("a search of that tag is kept up to date already");
  const bool with_modseq = speaks_of_modseq(command.key);
  const Found found = co_await find_messages(session, command.key, command.charset);
  if (found.refused) co_return refused(session, command.returns, *found.refused);
  if (command.returns || session.enabled().rev2) {
    imap::ReturnOptions returns;
    returns.all = true;
    if (command.returns) returns = *command.returns;
    say_extended(session, *session.selected(), "", returns, found, found.uids, command.uid,
                 with_modseq);
    SearchContext context;
    context.by_uid = command.uid;
    context.key = command.key;
    context.charset = command.charset;
    context.uids = found.uids;
    keep_context(session, command.returns, std::move(context));
  } else {
    std::string& text = session.out().text();
    text += "* SEARCH";
    const store::UidRuns& view = session.selected()->view.uids();
    for (const std::uint32_t uid : found.uids)
      text.append(" ").append(std::to_string(command.uid ? uid : *view.sequence_of(uid)));
    if (with_modseq && !found.uids.empty())
      text.append(" (MODSEQ ").append(std::to_string(found.modseq)).append(")");
    text += "\r\n";
  }
  co_await session.announce_known(command.uid);
  co_return imap::ok(found.limited, "SEARCH done");
}

}  // namespace posthorn::imapd
