// What somebody should know about a zone: found while reading its text, or by looking at it.
#pragma once

#include <string>
#include <vector>

namespace posthorn::dns {

struct Problem {
  // unfit: an error with which no server should take the zone. With others it can be served, and is
  // better than none.
  enum class Severity { warning, error, unfit };
  Severity severity = Severity::error;
  std::string where;  // "example.zone:12:5", or "mail.example.org MX"
  std::string what;   // safe to print
  std::string hint;   // what to do; may be empty

  Problem() = default;
  Problem(Severity s, std::string at, std::string text, std::string help = {})
      : severity(s), where(std::move(at)), what(std::move(text)), hint(std::move(help)) {}
  // "example.zone:12:5: error: no TTL here and no default (write $TTL above)"
  [[nodiscard]] std::string text() const;
  bool operator==(const Problem&) const = default;
};

// Errors of either kind.
[[nodiscard]] bool has_errors(const std::vector<Problem>& problems);
[[nodiscard]] bool is_unfit(const std::vector<Problem>& problems);

}  // namespace posthorn::dns
