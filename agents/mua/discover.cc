// mua discover ADDRESS: finds a domain's servers and prints a configuration. Changes nothing.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agents/mua/autoconfig.h"
#include "agents/mua/http.h"
#include "agents/mua/output.h"
#include "agents/mua/verbs.h"
#include "libmail/async/loop.h"
#include "libmail/base/text.h"
#include "libmail/smtp/address.h"

namespace posthorn::mua {

namespace {

std::string_view name_of(TlsMode mode) {
  return mode == TlsMode::implicit ? "implicit" : mode == TlsMode::starttls ? "starttls" : "none";
}

class Discover final : public Tool {
 public:
  [[nodiscard]] std::string_view name() const override { return "discover"; }
  [[nodiscard]] std::string_view words() const override { return "ADDRESS"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "find the servers of an address, and print an account for the configuration file";
  }
  void describe(OptionTable& table) override {
    table.group("Asking");
    table
        .add("dns-server", options_.dns_server,
             "who is asked for SRV records: ADDRESS, ADDRESS:PORT, unix:PATH")
        .flag_only();
    table.add("url", options_.urls, "an autoconfig file to read, in place of those of the domain")
        .flag_only();
    table.add("ca-file", options_.ca_file, "authorities for https; else the system's").flag_only();
    table.add("timeout", options_.timeout, "how long all of it may take").flag_only();
  }
  Result<int, ToolError> run(const ToolCall& call) override {
    const std::string address = call.words.size() == 1 ? call.words.front() : "";
    const auto mailbox = smtp::parse_mailbox(address, smtp::Utf8::allowed);
    if (!mailbox || mailbox->is_literal())
      return fail(ToolError(exit_code::usage, "usage",
                            "an address has to be named: mua discover ann@example.org"));
    start_http();
    auto found = async::run(find_servers(address, options_));
    std::ranges::sort(found.servers, [](const FoundServer& a, const FoundServer& b) {
      return std::tie(a.protocol, a.tls, a.source, a.preference) <
             std::tie(b.protocol, b.tls, b.source, b.preference);
    });
    if (found.servers.empty()) {
      return fail(ToolError(exit_code::failed, "nothing-found",
                            "the domain says nothing about its mail servers",
                            fmt::format("{}", fmt::join(found.remarks, "; "))));
    }
    const std::string toml = account_toml(address, found.servers);
    if (call.json)
      print_found(address, found, toml);
    else
      fmt::print("{}", toml);
    warn_of_strangers(mailbox->domain, found.servers);
    return exit_code::ok;
  }

 private:
  static void print_found(const std::string& address, const Discovery& found,
                          const std::string& toml) {
    nlohmann::json servers = nlohmann::json::array();
    for (const FoundServer& each : found.servers) {
      servers.push_back({{"protocol", each.protocol},
                         {"host", each.host},
                         {"port", each.port},
                         {"tls", name_of(each.tls)},
                         {"user", each.user},
                         {"source", each.source}});
    }
    print_json(
        {{"address", address}, {"servers", servers}, {"remarks", found.remarks}, {"toml", toml}});
  }
  // RFC 6186 6: DNS that isn't signed may name anybody; a person should see who gets the password.
  static void warn_of_strangers(const std::string& domain,
                                const std::vector<FoundServer>& servers) {
    const std::string end = "." + smtp::canonical_domain(domain);
    std::vector<std::string> said;
    for (const FoundServer& each : servers) {
      if (("." + each.host).ends_with(end) || std::ranges::find(said, each.host) != said.end())
        continue;
      said.push_back(each.host);
      fmt::print(stderr, "mua: {} is not within {}: is it your provider's?\n", shown(each.host),
                 shown(domain));
    }
  }
  DiscoverOptions options_;
};

}  // namespace

std::unique_ptr<Tool> make_discover() {
  return std::make_unique<Discover>();
}

}  // namespace posthorn::mua
