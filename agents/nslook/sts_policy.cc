#include "agents/nslook/sts_policy.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::nslook {

namespace {

constexpr std::uint32_t longest_age = 31557600;  // a year (RFC 8461 3.2)

Result<void, std::string> take_field(StsPolicy& policy, std::string_view key,
                                     std::string_view value) {
  if (key == "mode") {
    if (value != "enforce" && value != "testing" && value != "none") {
      return fail("mode: " + printable(value) + " is none of enforce, testing and none");
    }
    policy.mode = value;
  } else if (key == "max_age") {
    const auto seconds = parse_number<std::uint32_t>(value);
    if (!seconds || *seconds > longest_age) {
      return fail(fmt::format("max_age: {} is no number of seconds up to {}", printable(value),
                              longest_age));
    }
    policy.max_age = *seconds;
  } else if (key == "mx") {
    const std::string_view name = value.starts_with("*.") ? value.substr(2) : value;
    const bool is_name =
        !name.empty() && name.find_first_not_of(
                             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") ==
                             std::string_view::npos;
    if (!is_name) return fail("mx: " + printable(value) + " is no host, and no *.DOMAIN");
    policy.hosts.push_back(lower(value));
  }
  return {};  // others are for later versions
}

}  // namespace

bool StsPolicy::covers(std::string_view host) const {
  const std::string folded = lower(host);
  return std::ranges::any_of(hosts, [&folded](const std::string& pattern) {
    if (!pattern.starts_with("*.")) return pattern == folded;
    const std::size_t dot = folded.find('.');
    return dot != std::string::npos && dot != 0 && folded.substr(dot) == pattern.substr(1);
  });
}

Result<StsPolicy, std::string> parse_sts_policy(std::string_view text) {
  StsPolicy policy;
  bool has_version = false, has_age = false;
  for (std::string_view line : split(text, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (trim(line).empty()) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      return fail("\"" + printable(line.substr(0, 60)) + "\" is no line KEY: VALUE");
    }
    const std::string_view key = trim(line.substr(0, colon)), value = trim(line.substr(colon + 1));
    if (!has_version && (key != "version" || value != "STSv1")) {
      return fail(std::string("it doesn't begin with version: STSv1"));
    }
    has_version = true;
    has_age = has_age || key == "max_age";
    if (auto taken = take_field(policy, key, value); !taken) return fail(taken.error());
  }
  if (!has_version) return fail(std::string("it is empty"));
  if (policy.mode.empty()) return fail(std::string("it lacks mode:"));
  if (!has_age) return fail(std::string("it lacks max_age:"));
  if (policy.hosts.empty() && policy.mode != "none") return fail(std::string("it lacks mx:"));
  return policy;
}

}  // namespace posthorn::nslook
