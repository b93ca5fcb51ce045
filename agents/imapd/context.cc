// CONTEXT=SEARCH and CONTEXT=SORT (RFC 5267): UPDATE, ADDTO, REMOVEFROM and CANCELUPDATE.
#include "agents/imapd/context.h"

#include <algorithm>
#include <set>

#include "agents/imapd/search.h"
#include "libmail/imap/writer.h"

namespace posthorn::imapd {

ContextChange context_change(const std::vector<std::uint32_t>& told,
                             const std::vector<std::uint32_t>& now) {
  const std::set<std::uint32_t> before(told.begin(), told.end());
  const std::set<std::uint32_t> after(now.begin(), now.end());
  ContextChange change;
  for (std::size_t i = told.size(); i-- > 0;)
    if (!after.contains(told[i])) change.removed.push_back({i + 1, told[i]});
  for (std::size_t i = 0; i < now.size(); ++i)
    if (!before.contains(now[i])) change.added.push_back({i + 1, now[i]});
  return change;
}

namespace {

using Kind = imap::SearchKey::Kind;
using Step = ContextChange::Step;

// RFC 5267 4.3: message numbers are those of the moment of the command.
void settle_numbers(const Selected& selected, imap::SearchKey& key) {
  const bool saved = (key.kind == Kind::numbers || key.kind == Kind::uids) && key.set.is_saved();
  if (key.kind == Kind::numbers || saved) {
    const auto uids = uids_of(selected, key.set, false);
    imap::SequenceSet set;
    if (uids)
      for (const std::uint32_t uid : *uids) set.add(imap::SequenceSet::Range{uid, uid});
    key.kind = Kind::uids;
    // No message has the last UID that there is.
    if (set.empty()) set.add(imap::SequenceSet::Range{UINT32_MAX, UINT32_MAX});
    key.set = std::move(set);
  }
  for (imap::SearchKey& child : key.children) settle_numbers(selected, child);
}

std::string steps_text(const Selected& selected, const SearchContext& context, const char* word,
                       std::vector<Step> steps) {
  if (steps.empty()) return {};
  const auto name = [&](std::uint32_t uid) {
    return context.by_uid ? uid : selected.view.uids().sequence_of(uid).value_or(0);
  };
  std::string text = std::string(" ") + word + " (";
  if (context.criteria.empty()) {
    std::sort(steps.begin(), steps.end(),
              [](const Step& a, const Step& b) { return a.uid < b.uid; });
    std::vector<std::uint32_t> names;
    names.reserve(steps.size());
    for (const Step& step : steps) names.push_back(name(step.uid));
    return text + "0 " + ordered_set_text(names) + ")";
  }
  for (const Step& step : steps)
    text.append(&step == steps.data() ? "" : " ")
        .append(std::to_string(step.position))
        .append(" ")
        .append(std::to_string(name(step.uid)));
  return text + ")";
}

void say(Session& session, const SearchContext& context, const std::string& changes) {
  if (changes.empty()) return;
  imap::Writer tag;
  tag.string(context.tag);
  session.out().untagged("ESEARCH (TAG " + tag.take() + ")" + (context.by_uid ? " UID" : "") +
                         changes);
}

void say_removed(Session& session, SearchContext& context, const std::vector<std::uint32_t>& now) {
  const ContextChange change = context_change(context.uids, now);
  say(session, context, steps_text(*session.selected(), context, "REMOVEFROM", change.removed));
  context.uids = now;
}

}  // namespace

bool context_exists(Session& session, const std::optional<imap::ReturnOptions>& returns) {
  if (!returns || !returns->update || session.selected() == nullptr) return false;
  const auto& contexts = session.selected()->contexts;
  return std::any_of(contexts.begin(), contexts.end(), [&session](const SearchContext& context) {
    return context.tag == session.tag();
  });
}

void keep_context(Session& session, const std::optional<imap::ReturnOptions>& returns,
                  SearchContext context) {
  if (!returns || !returns->update) return;
  Selected& selected = *session.selected();
  context.tag = session.tag();
  if (selected.contexts.size() >= most_contexts) {
    imap::Writer tag;
    tag.string(context.tag);
    session.out().untagged("NO [NOUPDATE " + tag.take() +
                           "] too many searches are kept up to date");
    return;
  }
  settle_numbers(selected, context.key);
  selected.contexts.push_back(std::move(context));
}

// Before EXPUNGE, while message numbers are what they were.
void announce_vanishing(Session& session, const store::Snapshot& snapshot) {
  for (SearchContext& context : session.selected()->contexts) {
    std::vector<std::uint32_t> left;
    left.reserve(context.uids.size());
    for (const std::uint32_t uid : context.uids)
      if (snapshot.find(uid)) left.push_back(uid);
    if (left.size() != context.uids.size()) say_removed(session, context, left);
  }
}

// Behind EXISTS and FETCH.
Task<void> announce_contexts(Session& session, std::vector<std::uint32_t> touched) {
  if (touched.empty()) co_return;
  const Selected* selected = session.selected();
  for (std::size_t i = 0; session.selected() == selected && i < selected->contexts.size(); ++i) {
    const SearchContext& known = selected->contexts[i];
    imap::SequenceSet set;
    for (const std::uint32_t uid : touched) set.add(imap::SequenceSet::Range{uid, uid});
    const imap::SearchKey key =
        imap::SearchKey::all_of({imap::SearchKey::of_uids(std::move(set)), known.key});
    const Found found = co_await find_messages(session, key, known.charset);
    // What can't be read now is looked at when it changes again.
    if (found.refused || session.selected() != selected) continue;
    SearchContext& context = session.selected()->contexts[i];
    std::vector<std::uint32_t> still;
    for (const std::uint32_t uid : context.uids)
      if (std::binary_search(found.uids.begin(), found.uids.end(), uid) ||
          !std::binary_search(touched.begin(), touched.end(), uid))
        still.push_back(uid);
    if (still.size() != context.uids.size()) say_removed(session, context, still);
    const std::set<std::uint32_t> known_already(still.begin(), still.end());
    std::vector<std::uint32_t> now = still;
    for (const std::uint32_t uid : found.uids)
      if (!known_already.contains(uid)) now.push_back(uid);
    if (now.size() == still.size()) continue;
    std::sort(now.begin(), now.end());
    if (!context.criteria.empty()) {
      auto sorted = co_await sort_messages(session, now, context.criteria);
      if (!sorted || session.selected() != selected) continue;
      now = std::move(*sorted);
    }
    SearchContext& grown = session.selected()->contexts[i];
    const ContextChange change = context_change(grown.uids, now);
    say(session, grown, steps_text(*session.selected(), grown, "ADDTO", change.added));
    grown.uids = std::move(now);
  }
}

Task<Reply> run(Session& session, const imap::CancelUpdate& command) {
  Selected* selected = session.selected();
  std::size_t gone = 0;
  if (selected != nullptr)
    gone = std::erase_if(selected->contexts, [&command](const SearchContext& context) {
      return std::find(command.tags.begin(), command.tags.end(), context.tag) != command.tags.end();
    });
  const Reply reply = gone == 0 ? imap::bad("no search of that tag is kept up to date")
                                : imap::ok("CANCELUPDATE done");
  co_return reply;
}

}  // namespace posthorn::imapd
