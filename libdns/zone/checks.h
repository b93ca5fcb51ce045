// What the parts of check_zone() share. Inside libdns/zone.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libdns/zone/check.h"

namespace posthorn::dns {

// Collects the problems of one set.
class SetReport {
 public:
  SetReport(const RrSet& set, std::vector<Problem>& problems) : set_(set), problems_(problems) {}
  void error(std::string what, std::string hint = {}) {
    note(Problem::Severity::error, std::move(what), std::move(hint));
  }
  void unfit(std::string what, std::string hint = {}) {
    note(Problem::Severity::unfit, std::move(what), std::move(hint));
  }
  void warning(std::string what, std::string hint = {}) {
    note(Problem::Severity::warning, std::move(what), std::move(hint));
  }

 private:
  void note(Problem::Severity severity, std::string what, std::string hint);
  const RrSet& set_;
  std::vector<Problem>& problems_;
};

// SPF, DKIM, DMARC, MTA-STS, TLS-RPT: records of mail that stand in TXT.
void check_mail_policies(const Zone& zone, const RrSet& txt, SetReport& report);
// MX, SRV, TLSA, PTR, CNAME, NS: where names lead.
void check_targets(const Zone& zone, const RrSet& set, SetReport& report);
// Signatures that are missing, expired, or not yet good.
void check_signatures(const Zone& zone, const RrSet& set, std::optional<std::uint64_t> now,
                      SetReport& report);

// "v=DMARC1; p=none" as pairs, names as they are, values trimmed (RFC 6376 3.2); nothing if it is no
// such list.
using Tags = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] std::optional<Tags> parse_tags(std::string_view text);
[[nodiscard]] const std::string* find_tag(const Tags& tags, std::string_view name);

// What is wrong with one record "v=spf1 ..." (RFC 7208 12), and how many look-ups it causes (4.6.4):
// its own, and those of included records that stand in this zone.
struct SpfReport {
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
  std::size_t look_ups = 0;
};
[[nodiscard]] SpfReport check_spf(const Zone& zone, const std::string& record);
[[nodiscard]] bool is_spf(std::string_view record);
inline constexpr std::size_t max_spf_look_ups = 10;

}  // namespace posthorn::dns
