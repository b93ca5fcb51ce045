#include "agents/nslook/chain_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "libdns/wire/presentation.h"

namespace posthorn::nslook {

namespace {

std::string digest_name(std::uint8_t number) {
  switch (number) {
    case dns::digest::sha1:
      return "SHA-1";
    case dns::digest::sha256:
      return "SHA-256";
    case dns::digest::sha384:
      return "SHA-384";
    default:
      return fmt::format("digest {}", number);
  }
}

// "20261122202420" as "2026-11-22 20:24".
std::string date_text(std::uint32_t seconds) {
  const std::string t = dns::time_text(seconds);
  if (t.size() != 14) return t;
  return fmt::format("{}-{}-{} {}:{}", t.substr(0, 4), t.substr(4, 2), t.substr(6, 2),
                     t.substr(8, 2), t.substr(10, 2));
}

std::string left_text(const dns::Rrsig& signature, std::uint32_t now) {
  constexpr std::uint32_t day = 86400;
  if (dns::is_newer_serial(signature.inception, now)) return "not good yet";
  if (dns::is_newer_serial(now, signature.expiration)) return "expired";
  const std::uint32_t left = signature.expiration - now;
  return left < day ? fmt::format("{} hours left", left / 3600)
                    : fmt::format("{} days left", left / day);
}

}  // namespace

std::string ds_text(const std::vector<dns::Ds>& all) {
  std::string text;
  for (const dns::Ds& ds : all) {
    text += fmt::format("{}DS {} ({}, {})", text.empty() ? "" : ", ", ds.key_tag,
                        dns::algorithm_name(ds.algorithm), digest_name(ds.digest_type));
  }
  return text;
}

std::string keys_text(const dns::RrSet& set, const std::vector<dns::Ds>& trusted) {
  std::string text;
  for (const dns::Record& record : set.records()) {
    const auto* key = record.as<dns::Dnskey>();
    if (key == nullptr) continue;
    const bool is_named = std::ranges::any_of(
        trusted, [&](const dns::Ds& ds) { return dns::matches(ds, set.owner, *key); });
    text += fmt::format("{}DNSKEY {} ({}{}{}{})", text.empty() ? "" : ", ", dns::key_tag(*key),
                        dns::algorithm_name(key->algorithm),
                        (key->flags & dns::Dnskey::secure_entry_point) != 0 ? ", SEP" : "",
                        (key->flags & dns::Dnskey::revoked) != 0 ? ", revoked" : "",
                        is_named ? ", named by the DS" : "");
  }
  return text;
}

std::string signatures_text(const dns::RrSet& set, std::uint32_t now) {
  std::string text;
  for (const std::string& octets : set.signatures) {
    const auto data = dns::rdata_from_wire(dns::Type::rrsig, octets);
    const auto* one = data ? std::get_if<dns::Rrsig>(&*data) : nullptr;
    if (one == nullptr) continue;
    text +=
        fmt::format("{}signed by {} {} ({}) from {} to {}, {}", text.empty() ? "" : "; ",
                    shown(one->signer), one->key_tag, dns::algorithm_name(one->algorithm),
                    date_text(one->inception), date_text(one->expiration), left_text(*one, now));
  }
  return text.empty() ? "no signature" : text;
}

std::string proof_text(const dns::Denials& denials) {
  std::string text;
  for (const dns::RrSet& set : denials.sets) {
    text += fmt::format("{}{} of {}", text.empty() ? "" : ", ", dns::to_string(set.type),
                        shown(set.owner));
  }
  return text;
}

}  // namespace posthorn::nslook
