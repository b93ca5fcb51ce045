// posthorn dns check: is this zone file fit to be served, and will mail find its way by it?
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agents/posthorn/commands.h"
#include "agents/posthorn/dns_zone_file.h"
#include "libdns/resolver/wall_clock.h"
#include "libdns/server/zone_file.h"
#include "libdns/zone/check.h"
#include "libmail/base/text.h"

namespace posthorn::operate {

namespace exit_code = service::exit_code;
using Json = nlohmann::ordered_json;

namespace {

std::string_view severity_name(dns::Problem::Severity severity) {
  return severity == dns::Problem::Severity::warning ? "warning" : "error";
}

Json to_json(const std::vector<dns::Problem>& problems) {
  Json list = Json::array();
  for (const dns::Problem& problem : problems) {
    list.push_back({{"severity", severity_name(problem.severity)},
                    {"where", printable(problem.where)},
                    {"what", printable(problem.what, problem.what.size())},
                    {"hint", problem.hint}});
  }
  return list;
}

class DnsCheck final : public Tool {
 public:
  [[nodiscard]] std::string_view name() const override { return "dns check"; }
  [[nodiscard]] std::string_view words() const override { return "ZONEFILE"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "look for mistakes in a zone file, for DNS and for mail; change nothing";
  }
  void describe(service::OptionTable& table) override {
    table.group("Check");
    table.add("origin", origin_, "the zone's name; empty: taken from the file's name").flag_only();
  }

  Result<int, ToolError> run(const ToolCall& call) override {
    if (call.words.size() != 1) {
      return fail(ToolError(exit_code::usage, "usage", "one zone file has to be named",
                            "posthorn dns check --help"));
    }
    const auto origin = find_origin(call.words[0]);
    if (!origin) return fail(origin.error());
    auto file = dns::read_zone_file(call.words[0], *origin);
    if (!file) return fail(ToolError(exit_code::unavailable, "no-file", file.error().text()));
    std::vector<dns::Problem> problems = std::move(file->problems);
    if (file->zone) {
      dns::CheckOptions options;
      options.now = dns::wall_seconds();
      auto more = dns::check_zone(*file->zone, options);
      problems.insert(problems.end(), std::make_move_iterator(more.begin()),
                      std::make_move_iterator(more.end()));
    }
    print(*origin, file->zone.get(), problems, call.json);
    return dns::has_errors(problems) ? exit_code::failed : exit_code::ok;
  }

 private:
  Result<dns::Name, ToolError> find_origin(const std::string& path) const {
    if (origin_.empty()) {
      if (auto name = origin_of_file(path)) return *name;
      return fail(ToolError(exit_code::usage, "no-origin",
                            "the name of the zone can't be told from the file's name",
                            "--origin example.org"));
    }
    const auto name = dns::Name::parse(origin_);
    if (name) return *name;
    return fail(ToolError(exit_code::usage, "usage",
                          "--origin: \"" + printable(origin_) +
                              "\" is no name: " + std::string(to_string(name.error()))));
  }

  static void print(const dns::Name& origin, const dns::Zone* zone,
                    const std::vector<dns::Problem>& problems, bool json) {
    const std::string name = origin.is_root() ? "." : origin.text();
    if (json) {
      Json result = {{"zone", name}, {"problems", to_json(problems)}};
      if (zone != nullptr) {
        result["serial"] = zone->serial();
        result["records"] = zone->record_count();
        result["signed"] = zone->is_signed();
      }
      fmt::print("{}\n", result.dump(-1, ' ', false, Json::error_handler_t::replace));
      return;
    }
    for (const dns::Problem& problem : problems) fmt::print("{}\n", problem.text());
    if (zone == nullptr) return;
    fmt::print("{}: serial {}, {} records{}{}\n", name, zone->serial(), zone->record_count(),
               zone->is_signed() ? ", signed" : "", problems.empty() ? ", no problem found" : "");
  }
  std::string origin_;
};

}  // namespace

std::unique_ptr<Tool> make_dns_check() {
  return std::make_unique<DnsCheck>();
}

}  // namespace posthorn::operate
