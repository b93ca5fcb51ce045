#include "agents/imapd/selected.h"

namespace posthorn::imapd {
namespace {

struct FlagName {
  std::uint16_t bit;
  imap::SystemFlag flag;
  const char* name;
};
constexpr FlagName flag_names[] = {
    {store::flag::answered, imap::SystemFlag::answered, "\\Answered"},
    {store::flag::flagged, imap::SystemFlag::flagged, "\\Flagged"},
    {store::flag::deleted, imap::SystemFlag::deleted, "\\Deleted"},
    {store::flag::seen, imap::SystemFlag::seen, "\\Seen"},
    {store::flag::draft, imap::SystemFlag::draft, "\\Draft"},
};

}  // namespace

std::uint32_t Selected::largest_uid() const {
  return view.size() == 0 ? 0 : view.uids().uid_of(view.size());
}

std::optional<std::vector<std::uint32_t>> uids_of(const Selected& selected,
                                                  const imap::SequenceSet& set, bool by_uid) {
  std::vector<std::uint32_t> found;
  const store::UidRuns& runs = selected.view.uids();
  if (!by_uid && !set.is_saved()) {
    // RFC 9051 9 has no "*" in an empty mailbox; clients say FETCH 1:* all the same.
    if (set.has_star() && selected.view.size() == 0) return found;
    const imap::NumberSet numbers = set.resolve(selected.view.size());
    if (numbers.largest() > selected.view.size()) return std::nullopt;
    found.reserve(numbers.count());
    numbers.for_each([&](std::uint32_t number) { found.push_back(runs.uid_of(number)); });
    return found;
  }
  const imap::NumberSet wanted =
      set.is_saved() ? selected.saved : set.resolve(selected.largest_uid());
  // Both are sorted runs: merged, so that 1:4294967295 costs what the mailbox holds.
  std::size_t at = 0;
  for (const imap::NumberRange& range : wanted.ranges()) {
    while (at < runs.runs().size() &&
           runs.runs()[at].first + (runs.runs()[at].count - 1) < range.first)
      ++at;
    for (std::size_t i = at; i < runs.runs().size() && runs.runs()[i].first <= range.last; ++i) {
      const auto& run = runs.runs()[i];
      const std::uint32_t last = std::min(range.last, run.first + (run.count - 1));
      for (std::uint64_t uid = std::max(range.first, run.first); uid <= last; ++uid)
        found.push_back(static_cast<std::uint32_t>(uid));
    }
  }
  return found;
}

imap::NumberSet set_of(const std::vector<std::uint32_t>& ascending) {
  imap::NumberSet set;
  for (const std::uint32_t number : ascending) set.add(number);
  return set;
}

imap::NumberSet named(const Selected& selected, const std::vector<std::uint32_t>& uids,
                      bool by_uid) {
  if (by_uid) return set_of(uids);
  imap::NumberSet set;
  for (const std::uint32_t uid : uids)
    if (const auto number = selected.view.uids().sequence_of(uid)) set.add(*number);
  return set;
}

std::string ordered_set_text(const std::vector<std::uint32_t>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t end = i + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1) ++end;
    if (!text.empty()) text += ',';
    text += std::to_string(numbers[i]);
    if (end - i > 1) text += ':' + std::to_string(numbers[end - 1]);
    i = end;
  }
  return text;
}

std::string flags_text(const store::MessageRow& row, const std::vector<std::string>& keywords,
                       bool recent) {
  std::string text;
  const auto add = [&text](std::string_view name) {
    if (!text.empty()) text += ' ';
    text += name;
  };
  for (const FlagName& flag : flag_names)
    if ((row.flags & flag.bit) != 0) add(flag.name);
  if (recent) add("\\Recent");
  for (std::size_t bit = 0; row.keywords >> bit != 0; ++bit) {
    if ((row.keywords >> bit & 1) != 0 && bit < keywords.size() && !keywords[bit].empty())
      add(keywords[bit]);
    if (bit == 63) break;
  }
  return text;
}

std::uint16_t changeable_flags(store::Rights rights) {
  std::uint16_t flags = 0;
  if (rights.has(store::Right::write_seen)) flags |= store::flag::seen;
  if (rights.has(store::Right::delete_message)) flags |= store::flag::deleted;
  if (rights.has(store::Right::write))
    flags |= store::flag::answered | store::flag::flagged | store::flag::draft;
  return flags;
}

std::string known_flags_text(const std::vector<std::string>& keywords) {
  std::string text = "(";
  for (const FlagName& flag : flag_names) text.append(flag.name).append(" ");
  for (const std::string& keyword : keywords)
    if (!keyword.empty()) text.append(keyword).append(" ");
  text.back() = ')';
  return text;
}

std::string permanent_flags_text(const Selected& selected,
                                 const std::vector<std::string>& keywords) {
  std::string text;
  const std::uint16_t changeable = selected.read_only ? 0 : changeable_flags(selected.rights);
  for (const FlagName& flag : flag_names)
    if ((changeable & flag.bit) != 0) text.append(" ").append(flag.name);
  if (!selected.read_only && selected.may(store::Right::write)) {
    for (const std::string& keyword : keywords)
      if (!keyword.empty()) text.append(" ").append(keyword);
    text += " \\*";
  }
  return "(" + (text.empty() ? text : text.substr(1)) + ")";
}

std::uint16_t store_flags_of(const imap::Flags& flags) {
  std::uint16_t bits = 0;
  for (const FlagName& flag : flag_names)
    if (flags.has(flag.flag)) bits |= flag.bit;
  return bits;
}

}  // namespace posthorn::imapd
