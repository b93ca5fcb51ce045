// One line of a report: how it stands, about what, and what to do.
#pragma once

#include <string>
#include <vector>

#include "agents/nslook/report.h"

namespace posthorn::nslook {

struct Finding {
  enum class Grade { ok, note, warn, fail };
  Grade grade = Grade::ok;
  std::string subject;  // "MX", "SPF spf.example.net"
  std::string text;     // safe to print
  std::string hint;     // what to do; may be empty
};
using Findings = std::vector<Finding>;

[[nodiscard]] std::string_view to_string(Finding::Grade grade);
[[nodiscard]] bool has_failed(const Findings& findings);
[[nodiscard]] std::string show(const Findings& findings);
[[nodiscard]] Json to_json(const Findings& findings);

// Collects them under one subject.
class Notes {
 public:
  Notes(Findings& into, std::string subject) : into_(into), subject_(std::move(subject)) {}
  void ok(std::string text) { add(Finding::Grade::ok, std::move(text), {}); }
  void note(std::string text, std::string hint = {}) {
    add(Finding::Grade::note, std::move(text), std::move(hint));
  }
  void warn(std::string text, std::string hint = {}) {
    add(Finding::Grade::warn, std::move(text), std::move(hint));
  }
  void fail(std::string text, std::string hint = {}) {
    add(Finding::Grade::fail, std::move(text), std::move(hint));
  }

 private:
  void add(Finding::Grade grade, std::string text, std::string hint) {
    into_.push_back({grade, subject_, std::move(text), std::move(hint)});
  }
  Findings& into_;
  std::string subject_;
};

}  // namespace posthorn::nslook
