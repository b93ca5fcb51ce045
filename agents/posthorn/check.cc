// posthorn check: would this site start, and would it work?
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agents/posthorn/checks.h"
#include "agents/posthorn/commands.h"
#include "libmail/async/loop.h"
#include "libmail/base/text.h"

namespace posthorn::operate {

namespace exit_code = service::exit_code;

namespace {

std::string_view grade_name(Finding::Grade grade) {
  switch (grade) {
    case Finding::Grade::ok:
      return "ok";
    case Finding::Grade::warning:
      return "warning";
    case Finding::Grade::error:
      return "error";
  }
  return "";
}

void add(Findings& all, Findings more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

class Check final : public Tool {
 public:
  [[nodiscard]] std::string_view name() const override { return "check"; }
  [[nodiscard]] std::string_view words() const override { return ""; }
  [[nodiscard]] std::string_view purpose() const override {
    return "look at the whole site: configuration, files, owners, ports, certificates; change "
           "nothing";
  }
  void describe(service::OptionTable& table) override {
    table.group("Check");
    table.add("quiet", quiet_, "print warnings and errors only").flag_only();
  }

  Result<int, ToolError> run(const ToolCall& call) override {
    const auto file = service::read_site_file(call.site);
    Findings all;
    if (!file) {
      for (const std::string& error : file.error())
        all.push_back({Finding::Grade::error, "posthorn.toml", error});
    } else {
      const auto deadline = async::Deadline::in(std::chrono::seconds(30));
      all = async::run(check_agents(*file, call.site, deadline));
      add(all, check_files(*file, call.site));
      add(all, check_certificate(*file, call.site));
      add(all, check_users(*file, call.site));
      add(all, check_machine(*file, call.site));
    }
    print(all, call.json);
    const bool bad = std::ranges::any_of(
        all, [](const Finding& one) { return one.grade == Finding::Grade::error; });
    return bad ? exit_code::failed : exit_code::ok;
  }

 private:
  void print(const Findings& all, bool json) const {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    std::vector<std::vector<std::string>> rows;
    for (const Finding& one : all) {
      if (quiet_ && one.grade == Finding::Grade::ok) continue;
      const std::string text = printable(one.text, one.text.size());
      list.push_back({{"grade", grade_name(one.grade)}, {"subject", one.subject}, {"text", text}});
      rows.push_back({std::string(grade_name(one.grade)), one.subject, text});
    }
    if (json) fmt::print("{}\n", nlohmann::ordered_json({{"findings", list}}).dump());
    if (!json) fmt::print("{}", service::format_columns(rows));
  }
  bool quiet_ = false;
};

}  // namespace

std::unique_ptr<Tool> make_check() {
  return std::make_unique<Check>();
}

}  // namespace posthorn::operate
