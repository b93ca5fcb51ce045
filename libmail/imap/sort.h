// SORT and THREAD (RFC 5256, RFC 5957), and what ESEARCH asks and answers (RFC 4731, 5182, 5267, 9394).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libmail/imap/scanner.h"
#include "libmail/imap/sequence_set.h"

namespace posthorn::imap {

struct SortCriterion {
  enum class Key : std::uint8_t {
    arrival,
    cc,
    date,
    from,
    size,
    subject,
    to,
    display_from,
    display_to
  };
  Key key = Key::arrival;
  bool reverse = false;

  SortCriterion() = default;
  explicit SortCriterion(Key by, bool reversed = false) : key(by), reverse(reversed) {}
  bool operator==(const SortCriterion&) const = default;
};
[[nodiscard]] std::vector<SortCriterion> scan_sort_criteria(
    Scanner& in);  // "(REVERSE DATE SUBJECT)"
[[nodiscard]] std::string sort_criteria_text(const std::vector<SortCriterion>& criteria);

enum class ThreadAlgorithm : std::uint8_t { ordered_subject, references, refs };
[[nodiscard]] std::string_view name_of(ThreadAlgorithm algorithm);
[[nodiscard]] std::optional<ThreadAlgorithm> thread_algorithm(std::string_view name);

// Threads in depth-first order, however deep they are: each message with the number of its ancestors. Number 0 stands for
// a message that isn't there (the parent of siblings, "((3)(5))").
struct ThreadEntry {
  std::uint32_t number = 0;
  std::uint32_t depth = 0;

  ThreadEntry() = default;
  ThreadEntry(std::uint32_t n, std::uint32_t d) : number(n), depth(d) {}
  bool operator==(const ThreadEntry&) const = default;
};
[[nodiscard]] std::vector<ThreadEntry> scan_threads(Scanner& in);  // to the end
[[nodiscard]] std::string threads_text(const std::vector<ThreadEntry>& threads);

// "1:100" from the start, "-1:-100" from the end (RFC 9394).
struct PartialRange {
  std::uint32_t first = 1;
  std::uint32_t last = 1;  // >= first
  bool from_end = false;
  bool operator==(const PartialRange&) const = default;
};
[[nodiscard]] PartialRange scan_partial_range(Scanner& in);
[[nodiscard]] std::string partial_range_text(const PartialRange& range);

// RETURN (...) of SEARCH, SORT and ESEARCH.
struct ReturnOptions {
  bool min = false;
  bool max = false;
  bool all = false;
  bool count = false;
  bool save = false;    // RFC 5182
  bool update = false;  // RFC 5267
  bool context = false;
  std::optional<PartialRange> partial;

  ReturnOptions() = default;
  bool operator==(const ReturnOptions&) const = default;
};
[[nodiscard]] ReturnOptions scan_return_options(Scanner& in);  // in parentheses; "()" means ALL
[[nodiscard]] std::string return_options_text(const ReturnOptions& options);

}  // namespace posthorn::imap
