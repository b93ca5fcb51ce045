#include "agents/posthorn/site_zone.h"

#include <fmt/format.h>

#include "libmail/smtp/address.h"

namespace posthorn::operate {

namespace {

constexpr std::pair<const char*, std::uint16_t> services[] = {
    {"submission", 587}, {"submissions", 465}, {"pop3", 110},
    {"pop3s", 995},      {"imap", 143},        {"imaps", 993}};

}  // namespace

std::string site_zone(const NewSite& site, const std::string& domain) {
  const bool is_v6 = site.address.find(':') != std::string::npos;
  const std::string address = fmt::format("{} {}", is_v6 ? "AAAA" : "A", site.address);
  const std::string host = "mail." + smtp::canonical_domain(site.domains.front()) + ".";
  std::string text = fmt::format(
      "$TTL 300\n"
      "@ SOA ns hostmaster 1 3600 600 604800 60\n"
      "@ NS ns\n"
      "@ MX 10 {}\n"
      "@ {}\n"
      "@ TXT \"v=spf1 mx -all\"\n"
      "ns {}\n",
      host, address, address);
  if (domain == site.domains.front()) text += fmt::format("mail {}\n", address);
  for (const auto& [name, port] : services) {
    if (site.port_base != 0)
      text += fmt::format("_{}._tcp SRV 0 1 {} {}\n", name, site.port_base + port, host);
  }
  return text;
}

}  // namespace posthorn::operate
