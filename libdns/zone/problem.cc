#include "libdns/zone/problem.h"

#include <algorithm>

namespace posthorn::dns {

std::string Problem::text() const {
  std::string text = where;
  text += severity == Severity::warning ? ": warning: " : ": error: ";
  text += what;
  if (!hint.empty()) text += " (" + hint + ")";
  return text;
}

bool has_errors(const std::vector<Problem>& problems) {
  return std::any_of(problems.begin(), problems.end(), [](const Problem& problem) {
    return problem.severity != Problem::Severity::warning;
  });
}

bool is_unfit(const std::vector<Problem>& problems) {
  return std::any_of(problems.begin(), problems.end(), [](const Problem& problem) {
    return problem.severity == Problem::Severity::unfit;
  });
}

}  // namespace posthorn::dns
