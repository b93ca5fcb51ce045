// Sets of message numbers and UIDs (RFC 9051 "sequence-set", RFC 5182 "$").
//
//   SequenceSet  as it was written: order, "*", "$"; what "*" is only the mailbox knows
//   NumberSet    numbers: sorted, disjoint ranges that do not touch; log n to look up
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/imap/scanner.h"

namespace posthorn::imap {

struct NumberRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;  // included; >= first

  NumberRange() = default;
  NumberRange(std::uint32_t from, std::uint32_t to) : first(from), last(to) {}
  bool operator==(const NumberRange&) const = default;
};

class NumberSet {
 public:
  NumberSet() = default;
  NumberSet(std::initializer_list<std::uint32_t> numbers);
  static NumberSet of(std::uint32_t first, std::uint32_t last);
  // In whatever order; n log n.
  static NumberSet of_ranges(std::vector<NumberRange> ranges);

  // 0 is no number. In ascending order each costs O(1), otherwise O(ranges).
  void add(std::uint32_t number) { add(number, number); }
  void add(std::uint32_t first, std::uint32_t last);
  void add(const NumberSet& other);
  void remove(std::uint32_t first, std::uint32_t last);
  void remove(std::uint32_t number) { remove(number, number); }
  void remove(const NumberSet& other);
  void clear() { ranges_.clear(); }

  [[nodiscard]] bool contains(std::uint32_t number) const;
  [[nodiscard]] bool empty() const { return ranges_.empty(); }
  [[nodiscard]] std::uint64_t count() const;
  [[nodiscard]] std::uint32_t smallest() const {
    return ranges_.empty() ? 0 : ranges_.front().first;
  }
  [[nodiscard]] std::uint32_t largest() const { return ranges_.empty() ? 0 : ranges_.back().last; }
  [[nodiscard]] const std::vector<NumberRange>& ranges() const { return ranges_; }
  [[nodiscard]] NumberSet intersected(const NumberSet& other) const;
  // "1:3,5"; "" if empty.
  [[nodiscard]] std::string text() const;
  bool operator==(const NumberSet&) const = default;

  // Every number, ascending; `each` returns void.
  template <class F>
  void for_each(F&& each) const {
    for (const NumberRange& range : ranges_)
      for (std::uint64_t n = range.first; n <= range.last; ++n) each(static_cast<std::uint32_t>(n));
  }

 private:
  std::vector<NumberRange> ranges_;
};

class SequenceSet {
 public:
  static constexpr std::uint32_t star = 0;  // "*" in a range
  struct Range {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    bool operator==(const Range&) const = default;
  };

  SequenceSet() = default;
  explicit SequenceSet(const NumberSet& numbers);
  static SequenceSet all();                      // 1:*
  static SequenceSet from(std::uint32_t first);  // first:*
  static SequenceSet saved();                    // $

  [[nodiscard]] bool is_saved() const { return saved_; }
  [[nodiscard]] bool empty() const { return !saved_ && ranges_.empty(); }
  [[nodiscard]] bool has_star() const;
  [[nodiscard]] const std::vector<Range>& ranges() const { return ranges_; }
  void add(Range range) { ranges_.push_back(range); }
  // With "*" as `largest`: "5:*" with largest 3 is 3:5 (RFC 9051 6.4.9). With largest 0 (an empty mailbox) "*" is
  // nothing. "$" is not known here and gives nothing.
  [[nodiscard]] NumberSet resolve(std::uint32_t largest) const;
  [[nodiscard]] std::string text() const;
  bool operator==(const SequenceSet&) const = default;

 private:
  friend SequenceSet scan_sequence_set(Scanner& in);
  std::vector<Range> ranges_;
  bool saved_ = false;
};

// Numbers 1 to 2^32-1; at most Dialect::items ranges.
[[nodiscard]] SequenceSet scan_sequence_set(Scanner& in);
// The whole text.
[[nodiscard]] Result<SequenceSet, SyntaxError> parse_sequence_set(std::string_view text);
// A set of numbers without "*" and "$", as responses have it (VANISHED, ESEARCH ALL, COPYUID). `in_order`, if given,
// gets the ranges as they were written: COPYUID pairs them.
[[nodiscard]] NumberSet scan_number_set(Scanner& in, std::vector<NumberRange>* in_order = nullptr);

}  // namespace posthorn::imap
