// SORT (RFC 5256, RFC 5957 DISPLAY, RFC 5267 ESORT).
#include <algorithm>

#include "agents/imapd/message_keys.h"
#include "agents/imapd/search.h"

namespace posthorn::imapd {

using Key = imap::SortCriterion::Key;

namespace {

int compare(const MessageKeys& a, const MessageKeys& b, Key key) {
  const auto order = [](const auto& x, const auto& y) { return x < y ? -1 : y < x ? 1 : 0; };
  switch (key) {
    case Key::arrival:
      return order(a.arrival, b.arrival);
    case Key::size:
      return order(a.size, b.size);
    case Key::date:
      return order(a.sent, b.sent);
    case Key::subject:
      return order(a.subject, b.subject);
    case Key::from:
      return order(a.from, b.from);
    case Key::to:
      return order(a.to, b.to);
    case Key::cc:
      return order(a.cc, b.cc);
    case Key::display_from:
      return order(a.display_from, b.display_from);
    case Key::display_to:
      return order(a.display_to, b.display_to);
  }
  return 0;
}

// RFC 5256 section 3: what no criterion parts stays in the order of the mailbox.
bool comes_first(const MessageKeys& a, const MessageKeys& b,
                 const std::vector<imap::SortCriterion>& criteria) {
  for (const imap::SortCriterion& criterion : criteria) {
    const int order = compare(a, b, criterion.key);
    if (order != 0) return criterion.reverse ? order > 0 : order < 0;
  }
  return a.uid < b.uid;
}

bool is_about_addresses(Key key) {
  return key != Key::arrival && key != Key::size && key != Key::date && key != Key::subject;
}

MessageKeys::Needs needs_of(const std::vector<imap::SortCriterion>& criteria) {
  MessageKeys::Needs needs;
  for (const imap::SortCriterion& criterion : criteria) {
    needs.size = needs.size || criterion.key == Key::size;
    needs.arrival = needs.arrival || criterion.key == Key::arrival;
    needs.date = needs.date || criterion.key == Key::date;
    needs.subject = needs.subject || criterion.key == Key::subject;
    needs.addresses = needs.addresses || is_about_addresses(criterion.key);
  }
  return needs;
}

std::string name_of(const std::vector<imap::SortCriterion>& criteria) {
  std::string name;
  for (const imap::SortCriterion& criterion : criteria)
    name += std::to_string(static_cast<int>(criterion.key)) + (criterion.reverse ? "-" : "+");
  return name;
}

// UIDs. Keys are large: what is moved about is where they lie.
std::vector<std::uint32_t> in_order(const std::vector<MessageKeys>& keys,
                                    const std::vector<imap::SortCriterion>& criteria) {
  std::vector<const MessageKeys*> order;
  order.reserve(keys.size());
  for (const MessageKeys& key : keys) order.push_back(&key);
  std::sort(order.begin(), order.end(), [&](const MessageKeys* a, const MessageKeys* b) {
    return comes_first(*a, *b, criteria);
  });
  std::vector<std::uint32_t> uids;
  uids.reserve(order.size());
  for (const MessageKeys* key : order) uids.push_back(key->uid);
  return uids;
}

}  // namespace

Task<store::StoreResult<std::vector<std::uint32_t>>> sort_messages(
    Session& session, std::vector<std::uint32_t> uids, std::vector<imap::SortCriterion> criteria) {
  auto mailbox = session.selected()->mailbox;
  auto& kept = session.accounts().kept_sorts();
  std::string question = question_about(*mailbox, name_of(criteria));
  if (const auto* known = kept.find(question, uids)) co_return *known;
  auto read = co_await read_keys(session, uids, needs_of(criteria));
  if (!read) co_return fail(std::move(read.error()));
  const std::vector<MessageKeys>& keys = *read;
  auto work = [&keys, &criteria] { return in_order(keys, criteria); };
  auto sorted = co_await async::blocking(std::move(work));
  if (!session.is_over()) kept.keep(std::move(question), std::move(uids), sorted);
  co_return sorted;
}

Task<Reply> run(Session& session, const imap::Sort& command) {
  if (context_exists(session, command.returns))
    co_return imap::bad("a search of that tag is kept up to date already");
  const Found found = co_await find_messages(session, command.key, command.charset);
  if (found.refused) co_return refused(session, command.returns, *found.refused);
  auto sorted = co_await sort_messages(session, found.uids, command.criteria);
  if (!sorted) co_return refused(session, command.returns, session.refusal(sorted.error()));
  const std::vector<std::uint32_t>& uids = *sorted;
  const bool with_modseq = speaks_of_modseq(command.key);
  if (command.returns) {
    say_extended(session, *session.selected(), "", *command.returns, found, uids, command.uid,
                 with_modseq);
    SearchContext context;
    context.by_uid = command.uid;
    context.key = command.key;
    context.charset = command.charset;
    context.criteria = command.criteria;
    context.uids = uids;
    keep_context(session, command.returns, std::move(context));
  } else {
    std::string& text = session.out().text();
    text += "* SORT";
    const store::UidRuns& view = session.selected()->view.uids();
    for (const std::uint32_t uid : uids)
      text.append(" ").append(std::to_string(command.uid ? uid : *view.sequence_of(uid)));
    if (with_modseq && !uids.empty())
      text.append(" (MODSEQ ").append(std::to_string(found.modseq)).append(")");
    text += "\r\n";
  }
  co_await session.announce_known(command.uid);
  co_return imap::ok(found.limited, "SORT done");
}

}  // namespace posthorn::imapd
