#include "libmail/imap/sort.h"

#include <algorithm>
#include <array>

#include "libmail/base/text.h"

namespace posthorn::imap {

namespace {

using Key = SortCriterion::Key;
constexpr std::array<std::pair<Key, std::string_view>, 9> sort_keys = {{
    {Key::arrival, "ARRIVAL"},
    {Key::cc, "CC"},
    {Key::date, "DATE"},
    {Key::from, "FROM"},
    {Key::size, "SIZE"},
    {Key::subject, "SUBJECT"},
    {Key::to, "TO"},
    {Key::display_from, "DISPLAYFROM"},
    {Key::display_to, "DISPLAYTO"},
}};
constexpr std::array<std::pair<ThreadAlgorithm, std::string_view>, 3> algorithms = {{
    {ThreadAlgorithm::ordered_subject, "ORDEREDSUBJECT"},
    {ThreadAlgorithm::references, "REFERENCES"},
    {ThreadAlgorithm::refs, "REFS"},
}};
constexpr std::size_t most_criteria = 50;

// Where the subtree of each entry ends.
std::vector<std::size_t> subtree_ends(const std::vector<ThreadEntry>& threads) {
  std::vector<std::size_t> ends(threads.size(), threads.size());
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < threads.size(); ++i) {
    while (!open.empty() && threads[open.back()].depth >= threads[i].depth) {
      ends[open.back()] = i;
      open.pop_back();
    }
    open.push_back(i);
  }
  return ends;
}

}  // namespace

std::vector<SortCriterion> scan_sort_criteria(Scanner& in) {
  std::vector<SortCriterion> criteria;
  in.enter();
  do {
    SortCriterion criterion;
    const std::size_t begin = in.position();
    std::string word = upper(in.take_while(is_alpha));
    if (word == "REVERSE") {
      criterion.reverse = true;
      in.space();
      word = upper(in.take_while(is_alpha));
    }
    const auto* const key = std::find_if(sort_keys.begin(), sort_keys.end(),
                                         [&word](const auto& one) { return one.second == word; });
    if (key == sort_keys.end()) {
      in.fail_at(begin, "a sort key");
      break;
    }
    criterion.key = key->first;
    criteria.push_back(criterion);
    if (criteria.size() > most_criteria) in.fail_at(begin, "fewer sort keys");
  } while (in.ok() && in.take(' '));
  in.leave();
  return criteria;
}

std::string sort_criteria_text(const std::vector<SortCriterion>& criteria) {
  std::string text = "(";
  for (const SortCriterion& one : criteria) {
    if (text.size() > 1) text += ' ';
    if (one.reverse) text += "REVERSE ";
    for (const auto& [key, name] : sort_keys)
      if (key == one.key) text += name;
  }
  return text += ')';
}

std::string_view name_of(ThreadAlgorithm algorithm) {
  for (const auto& [one, name] : algorithms)
    if (one == algorithm) return name;
  return "";
}

std::optional<ThreadAlgorithm> thread_algorithm(std::string_view name) {
  for (const auto& [one, known] : algorithms)
    if (iequals(known, name)) return one;
  return std::nullopt;
}

std::vector<ThreadEntry> scan_threads(Scanner& in) {
  std::vector<ThreadEntry> threads;
  std::vector<std::uint32_t> open;  // the depth at which each open parenthesis began
  std::uint32_t depth = 0;
  bool first = true;  // nothing but parentheses since the last "("
  while (in.ok() && !in.at_end()) {
    if (in.take('(')) {
      if (first && !open.empty()) threads.emplace_back(0, depth++);
      open.push_back(depth);
      first = true;
    } else if (!open.empty() && in.take(')')) {
      depth = open.back();
      open.pop_back();
      first = false;
      if (open.empty()) depth = 0;
    } else if (open.empty() || is_digit(in.peek())) {
      if (open.empty()) {
        if (in.dialect().lenient && in.take(' ')) continue;
        in.fail_here("a thread in parentheses");
        break;
      }
      threads.emplace_back(in.nz_number(), depth++);
      first = false;
    } else if (!in.take(' ')) {
      in.fail_here("a message number");
    }
    if (threads.size() > in.dialect().items) in.fail_here("fewer messages");
    if (open.size() > threads.size() + 1) in.fail_here("a message number");
  }
  if (in.ok() && !open.empty()) in.fail_here("')'");
  return threads;
}

std::string threads_text(const std::vector<ThreadEntry>& threads) {
  std::string text;
  const std::vector<std::size_t> ends = subtree_ends(threads);
  std::vector<std::size_t> open;  // where each parenthesis is closed
  for (std::size_t i = 0; i < threads.size(); ++i) {
    while (!open.empty() && open.back() == i) {
      text += ')';
      open.pop_back();
    }
    const bool first_child = i > 0 && threads[i - 1].depth < threads[i].depth;
    const bool last_child = ends[i] == threads.size() || threads[ends[i]].depth < threads[i].depth;
    // An only child stands behind its parent; siblings are in parentheses of their own.
    if (!first_child || !last_child) {
      text += '(';
      open.push_back(ends[i]);
    }
    if (threads[i].number == 0) continue;
    if (!text.empty() && is_digit(text.back())) text += ' ';
    text += std::to_string(threads[i].number);
    // A child in parentheses is set off from its parent, as RFC 5256's examples have it.
    if (i + 1 < threads.size() && threads[i + 1].depth > threads[i].depth) text += ' ';
  }
  text.append(open.size(), ')');
  return text;
}

PartialRange scan_partial_range(Scanner& in) {
  PartialRange range;
  const std::size_t begin = in.position();
  range.from_end = in.take('-');
  range.first = in.nz_number();
  in.want(':');
  if (range.from_end != in.take('-'))
    in.fail_at(begin, "a range from the start, 1:100, or from the end, -1:-100");
  range.last = in.nz_number();
  if (range.first > range.last) std::swap(range.first, range.last);
  return range;
}

std::string partial_range_text(const PartialRange& range) {
  const std::string sign = range.from_end ? "-" : "";
  return sign + std::to_string(range.first) + ':' + sign + std::to_string(range.last);
}

ReturnOptions scan_return_options(Scanner& in) {
  ReturnOptions options;
  const std::size_t start = in.position();
  in.enter();
  while (in.ok() && in.peek() != ')') {
    const std::size_t begin = in.position();
    const std::string word = upper(in.take_while(is_alnum));
    if (word == "MIN") {
      options.min = true;
    } else if (word == "MAX") {
      options.max = true;
    } else if (word == "ALL") {
      options.all = true;
    } else if (word == "COUNT") {
      options.count = true;
    } else if (word == "SAVE") {
      options.save = true;
    } else if (word == "UPDATE") {
      options.update = true;
    } else if (word == "CONTEXT") {
      options.context = true;
    } else if (word == "PARTIAL" && !options.partial) {
      in.space();
      options.partial = scan_partial_range(in);
    } else {
      in.fail_at(begin, "MIN, MAX, ALL, COUNT, SAVE, UPDATE, CONTEXT or one PARTIAL");
    }
    if (in.peek() != ')') in.space();
  }
  in.leave();
  if (options.all && options.partial) in.fail_at(start, "either ALL or PARTIAL");  // RFC 5267 4.4
  const bool says_what =
      options.min || options.max || options.all || options.count || options.partial;
  // RFC 4731 3.1; with SAVE alone nothing is returned (RFC 5182 2.1).
  if (!says_what && !options.save && !options.update && !options.context) options.all = true;
  return options;
}

std::string return_options_text(const ReturnOptions& options) {
  std::string text;
  const auto append = [&text](bool wanted, std::string_view word) {
    if (!wanted) return;
    if (!text.empty()) text += ' ';
    text += word;
  };
  append(options.min, "MIN");
  append(options.max, "MAX");
  append(options.all, "ALL");
  append(options.count, "COUNT");
  append(options.save, "SAVE");
  append(options.update, "UPDATE");
  append(options.context, "CONTEXT");
  if (options.partial) append(true, "PARTIAL " + partial_range_text(*options.partial));
  return '(' + text + ')';
}

}  // namespace posthorn::imap
