#include "agents/nslook/finding.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::nslook {

std::string_view to_string(Finding::Grade grade) {
  switch (grade) {
    case Finding::Grade::ok:
      return "ok";
    case Finding::Grade::note:
      return "note";
    case Finding::Grade::warn:
      return "warn";
    case Finding::Grade::fail:
      return "fail";
  }
  return "";
}

bool has_failed(const Findings& findings) {
  return std::ranges::any_of(findings,
                             [](const Finding& one) { return one.grade == Finding::Grade::fail; });
}

std::string show(const Findings& findings) {
  std::size_t width = 0;
  for (const Finding& one : findings) width = std::max(width, one.subject.size());
  width = std::min<std::size_t>(width, 32);
  std::string text;
  for (const Finding& one : findings) {
    text += fmt::format("{:<5} {:<{}}  {}\n", to_string(one.grade), one.subject, width, one.text);
    if (!one.hint.empty()) text += fmt::format("{:>{}}> {}\n", "", width + 8, one.hint);
  }
  return text;
}

Json to_json(const Findings& findings) {
  Json list = Json::array();
  for (const Finding& one : findings) {
    list.push_back({{"grade", to_string(one.grade)},
                    {"subject", one.subject},
                    {"text", one.text},
                    {"hint", one.hint}});
  }
  return list;
}

}  // namespace posthorn::nslook
