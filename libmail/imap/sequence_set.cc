#include "libmail/imap/sequence_set.h"

#include <algorithm>
#include <limits>

namespace posthorn::imap {

namespace {

constexpr std::uint32_t largest_number = std::numeric_limits<std::uint32_t>::max();

// The first range that ends at or behind `number`.
template <class Ranges>
auto reaching(Ranges& ranges, std::uint32_t number) {
  return std::lower_bound(ranges.begin(), ranges.end(), number,
                          [](const NumberRange& range, std::uint32_t n) { return range.last < n; });
}

void append_range(std::string& text, std::string first, std::string last) {
  if (!text.empty()) text += ',';
  text += first;
  if (first != last) text += ':' + last;
}

}  // namespace

NumberSet::NumberSet(std::initializer_list<std::uint32_t> numbers) {
  for (const std::uint32_t number : numbers) add(number);
}

NumberSet NumberSet::of(std::uint32_t first, std::uint32_t last) {
  NumberSet set;
  set.add(first, last);
  return set;
}

NumberSet NumberSet::of_ranges(std::vector<NumberRange> ranges) {
  for (NumberRange& range : ranges)
    if (range.first > range.last) std::swap(range.first, range.last);
  std::sort(ranges.begin(), ranges.end(),
            [](const NumberRange& a, const NumberRange& b) { return a.first < b.first; });
  NumberSet set;
  for (const NumberRange& range : ranges) set.add(range.first, range.last);
  return set;
}

void NumberSet::add(std::uint32_t first, std::uint32_t last) {
  if (first > last) std::swap(first, last);
  if (last == 0) return;
  first = std::max(first, 1U);
  if (ranges_.empty() || (ranges_.back().last < first && first - ranges_.back().last > 1)) {
    ranges_.emplace_back(first, last);
    return;
  }
  // All that overlap or touch become one.
  const auto begin = reaching(ranges_, first - 1);
  auto end = begin;
  while (end != ranges_.end() && (last == largest_number || end->first <= last + 1)) {
    first = std::min(first, end->first);
    last = std::max(last, end->last);
    ++end;
  }
  if (begin == end) {
    ranges_.insert(begin, NumberRange(first, last));
    return;
  }
  *begin = NumberRange(first, last);
  ranges_.erase(begin + 1, end);
}

void NumberSet::add(const NumberSet& other) {
  for (const NumberRange& range : other.ranges_) add(range.first, range.last);
}

void NumberSet::remove(std::uint32_t first, std::uint32_t last) {
  if (first > last) std::swap(first, last);
  const auto begin = reaching(ranges_, first);
  if (begin == ranges_.end() || begin->first > last) return;
  auto end = begin;
  std::vector<NumberRange> left;
  while (end != ranges_.end() && end->first <= last) {
    if (end->first < first) left.emplace_back(end->first, first - 1);
    if (end->last > last) left.emplace_back(last + 1, end->last);
    ++end;
  }
  const auto place = ranges_.erase(begin, end);
  ranges_.insert(place, left.begin(), left.end());
}

void NumberSet::remove(const NumberSet& other) {
  if (other.ranges_.size() == 1) return remove(other.ranges_[0].first, other.ranges_[0].last);
  NumberSet rest;
  std::size_t at = 0;
  for (NumberRange range : ranges_) {
    while (at < other.ranges_.size() && other.ranges_[at].last < range.first) ++at;
    bool used_up = false;
    for (std::size_t i = at; i < other.ranges_.size() && other.ranges_[i].first <= range.last;
         ++i) {
      const NumberRange& gone = other.ranges_[i];
      if (gone.first > range.first) rest.ranges_.emplace_back(range.first, gone.first - 1);
      used_up = gone.last >= range.last;
      if (used_up) break;
      range.first = gone.last + 1;
    }
    if (!used_up) rest.ranges_.push_back(range);
  }
  *this = std::move(rest);
}

bool NumberSet::contains(std::uint32_t number) const {
  const auto range = reaching(ranges_, number);
  return range != ranges_.end() && range->first <= number;
}

std::uint64_t NumberSet::count() const {
  std::uint64_t sum = 0;
  for (const NumberRange& range : ranges_) sum += std::uint64_t{range.last} - range.first + 1;
  return sum;
}

NumberSet NumberSet::intersected(const NumberSet& other) const {
  NumberSet both;
  std::size_t i = 0, j = 0;
  while (i < ranges_.size() && j < other.ranges_.size()) {
    const NumberRange& a = ranges_[i];
    const NumberRange& b = other.ranges_[j];
    const std::uint32_t first = std::max(a.first, b.first);
    const std::uint32_t last = std::min(a.last, b.last);
    if (first <= last) both.ranges_.emplace_back(first, last);
    if (a.last < b.last) {
      ++i;
    } else {
      ++j;
    }
  }
  return both;
}

std::string NumberSet::text() const {
  std::string text;
  for (const NumberRange& range : ranges_)
    append_range(text, std::to_string(range.first), std::to_string(range.last));
  return text;
}

SequenceSet::SequenceSet(const NumberSet& numbers) {
  for (const NumberRange& range : numbers.ranges()) ranges_.push_back({range.first, range.last});
}

SequenceSet SequenceSet::all() {
  return from(1);
}

SequenceSet SequenceSet::from(std::uint32_t first) {
  SequenceSet set;
  set.ranges_.push_back({first, star});
  return set;
}

SequenceSet SequenceSet::saved() {
  SequenceSet set;
  set.saved_ = true;
  return set;
}

bool SequenceSet::has_star() const {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [](const Range& range) { return range.first == star || range.last == star; });
}

NumberSet SequenceSet::resolve(std::uint32_t largest) const {
  std::vector<NumberRange> ranges;
  for (const Range& range : ranges_) {
    const bool starred = range.first == star || range.last == star;
    if (starred && largest == 0) continue;
    ranges.emplace_back(range.first == star ? largest : range.first,
                        range.last == star ? largest : range.last);
  }
  return NumberSet::of_ranges(std::move(ranges));
}

std::string SequenceSet::text() const {
  if (saved_) return "$";
  const auto word = [](std::uint32_t number) {
    return number == star ? "*" : std::to_string(number);
  };
  std::string text;
  for (const Range& range : ranges_) append_range(text, word(range.first), word(range.last));
  return text;
}

SequenceSet scan_sequence_set(Scanner& in) {
  SequenceSet set;
  if (in.take('$')) {
    set.saved_ = true;
    return set;
  }
  const auto end = [&in] { return in.take('*') ? SequenceSet::star : in.nz_number(); };
  do {
    SequenceSet::Range range;
    const std::size_t begin = in.position();
    if (in.peek() != '*' && (in.peek() < '0' || in.peek() > '9')) {
      in.fail_at(begin, "a set of numbers");
      break;
    }
    range.first = end();
    range.last = in.take(':') ? end() : range.first;
    set.ranges_.push_back(range);
    if (set.ranges_.size() > in.dialect().items) in.fail_at(begin, "fewer ranges in a set");
  } while (in.ok() && in.take(','));
  return set;
}

Result<SequenceSet, SyntaxError> parse_sequence_set(std::string_view text) {
  Scanner in(text);
  SequenceSet set = scan_sequence_set(in);
  in.want_end();
  if (!in.ok()) return fail(in.error());
  return set;
}

NumberSet scan_number_set(Scanner& in, std::vector<NumberRange>* in_order) {
  std::vector<NumberRange> ranges;
  do {
    const std::uint32_t first = in.nz_number();
    const std::uint32_t last = in.take(':') ? in.nz_number() : first;
    if (!in.ok()) break;
    ranges.emplace_back(first, last);
    if (ranges.size() > in.dialect().items) in.fail_here("fewer ranges in a set");
  } while (in.ok() && in.take(','));
  if (in_order != nullptr) *in_order = ranges;
  return NumberSet::of_ranges(std::move(ranges));
}

}  // namespace posthorn::imap
