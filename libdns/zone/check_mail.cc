// The policies of mail in TXT records.
#include <fmt/format.h>

#include <algorithm>

#include "libdns/zone/checks.h"
#include "libmail/base/base64.h"
#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

constexpr std::size_t comfortable_txt_octets = 450;

std::vector<std::string> strings_of(const RrSet& txt) {
  std::vector<std::string> joined;
  for (const std::string& octets : txt.rdata) {
    const auto data = rdata_from_wire(Type::txt, octets);
    if (const Txt* one = data ? std::get_if<Txt>(&*data) : nullptr) joined.push_back(one->joined());
  }
  return joined;
}

// "v=DMARC1" as the first tag, and no other version behind it.
bool begins_with_version(std::string_view record, std::string_view version) {
  const auto tags = parse_tags(record);
  return tags && !tags->empty() && (*tags)[0].first == "v" && (*tags)[0].second == version;
}

// At a name that is reserved for a policy: exactly one record of that version.
std::optional<Tags> the_policy(const std::vector<std::string>& records, std::string_view version,
                               SetReport& report) {
  const auto is_it = [version](const std::string& record) {
    return begins_with_version(record, version);
  };
  const auto count = std::count_if(records.begin(), records.end(), is_it);
  if (count == 1) return parse_tags(*std::find_if(records.begin(), records.end(), is_it));
  if (count == 0) {
    report.error(fmt::format("no record here is a list of tags that begins with v={}", version));
  } else {
    report.error(fmt::format("{} records v={}: receivers take none", count, version), "leave one");
  }
  return std::nullopt;
}

bool is_one_of(std::string_view value, std::initializer_list<std::string_view> known) {
  return std::any_of(known.begin(), known.end(),
                     [value](std::string_view one) { return iequals(one, value); });
}

// A list of URIs, each "mailto:..." or what else is allowed.
void check_uris(const Tags& tags, std::string_view tag, bool may_be_https, SetReport& report) {
  const std::string* uris = find_tag(tags, tag);
  if (uris == nullptr) return;
  for (const std::string_view part : split(*uris, ',')) {
    const std::string_view uri = trim(part);
    const bool is_mailto = istarts_with(uri, "mailto:") && uri.find('@') != std::string_view::npos;
    if (is_mailto || (may_be_https && istarts_with(uri, "https://"))) continue;
    report.error(
        fmt::format("{}={} is no address for reports", tag, printable(uri, 64)),
        may_be_https ? "write mailto:USER@DOMAIN or https://..." : "write mailto:USER@DOMAIN");
  }
}

void check_dmarc(const std::vector<std::string>& records, SetReport& report) {
  const auto tags = the_policy(records, "DMARC1", report);
  if (!tags) return;
  const std::string* policy = find_tag(*tags, "p");
  if (policy == nullptr) {
    report.error("DMARC without p=", "write p=none, p=quarantine or p=reject (RFC 7489 6.3)");
  }
  for (const char* name : {"p", "sp"}) {
    const std::string* value = find_tag(*tags, name);
    if (value != nullptr && !is_one_of(*value, {"none", "quarantine", "reject"})) {
      report.error(
          fmt::format("{}={}: not none, quarantine or reject", name, printable(*value, 64)));
    }
  }
  for (const char* name : {"adkim", "aspf"}) {
    const std::string* value = find_tag(*tags, name);
    if (value != nullptr && !is_one_of(*value, {"r", "s"})) {
      report.error(fmt::format("{}={}: not r or s", name, printable(*value, 64)));
    }
  }
  const std::string* percent = find_tag(*tags, "pct");
  if (percent != nullptr) {
    const auto number = parse_number<unsigned>(*percent);
    if (!number || *number > 100) report.error("pct= is no number from 0 to 100");
  }
  check_uris(*tags, "rua", false, report);
  check_uris(*tags, "ruf", false, report);
}

void check_dkim_key(const Tags& tags, SetReport& report) {
  const std::string* version = find_tag(tags, "v");
  if (version != nullptr && (tags[0].first != "v" || *version != "DKIM1")) {
    report.error("v= is not first, or not DKIM1 (RFC 6376 3.6.1)");
  }
  const std::string* kind = find_tag(tags, "k");
  const bool is_ed25519 = kind != nullptr && *kind == "ed25519";
  if (kind != nullptr && *kind != "rsa" && !is_ed25519) {
    report.warning(
        fmt::format("k={}: a kind of key that verifiers don't know", printable(*kind, 64)));
  }
  const std::string* key = find_tag(tags, "p");
  if (key == nullptr) return report.error("a DKIM key without p=");
  if (key->empty()) return report.warning("p= is empty: this key has been revoked");
  std::string digits;
  std::copy_if(key->begin(), key->end(), std::back_inserter(digits),
               [](char c) { return !is_space(c); });
  const auto octets = decode_base64(digits);
  if (!octets) return report.error("p= is not base64", "was a piece of the key lost?");
  if (is_ed25519 && octets->size() != 32) report.error("an ed25519 key has 32 octets (RFC 8463 4)");
  // The DER of an RSA key of 1024 bits takes 162 octets as SubjectPublicKeyInfo, 140 without.
  if (!is_ed25519 && octets->size() < 140) {
    report.error("an RSA key under 1024 bits is refused by verifiers (RFC 8301 3.2)");
  }
}

void check_dkim(const std::vector<std::string>& records, SetReport& report) {
  if (records.size() > 1) report.error("several keys of one selector", "leave one");
  for (const std::string& record : records) {
    const auto tags = parse_tags(record);
    if (!tags || tags->empty()) {
      report.error("this is no DKIM key: not a list of TAG=VALUE with semicolons between them");
    } else {
      check_dkim_key(*tags, report);
    }
  }
}

void check_mta_sts(const std::vector<std::string>& records, SetReport& report) {
  const auto tags = the_policy(records, "STSv1", report);
  if (!tags) return;
  const std::string* id = find_tag(*tags, "id");
  const bool is_good = id != nullptr && !id->empty() && id->size() <= 32 &&
                       std::all_of(id->begin(), id->end(), is_alnum);
  if (!is_good) report.error("id= must be 1 to 32 letters and digits (RFC 8461 3.1)");
}

void check_tls_rpt(const std::vector<std::string>& records, SetReport& report) {
  const auto tags = the_policy(records, "TLSRPTv1", report);
  if (!tags) return;
  if (find_tag(*tags, "rua") == nullptr) report.error("TLS-RPT without rua= (RFC 8460 3)");
  check_uris(*tags, "rua", true, report);
}

void check_spf_records(const Zone& zone, const std::vector<std::string>& records,
                       SetReport& report) {
  const auto count = std::count_if(records.begin(), records.end(), is_spf);
  if (count > 1) {
    report.error(fmt::format("{} SPF records: a permanent error for receivers", count),
                 "leave one (RFC 7208 3.2)");
  }
  std::size_t octets = 0;
  for (const std::string& record : records) octets += record.size();
  if (count > 0 && octets > comfortable_txt_octets) {
    report.warning(fmt::format("SPF: {} octets of TXT at this name", octets),
                   "over 450 an answer may not fit into 512 octets (RFC 7208 3.4)");
  }
  for (const std::string& record : records) {
    if (!is_spf(record)) continue;
    SpfReport found = check_spf(zone, record);
    for (std::string& what : found.errors) report.error("SPF: " + std::move(what));
    for (std::string& what : found.warnings) report.warning("SPF: " + std::move(what));
    if (found.look_ups > max_spf_look_ups) {
      report.error(fmt::format("SPF: {} look-ups, at most 10 are allowed", found.look_ups),
                   "write addresses instead of includes (RFC 7208 4.6.4)");
    }
  }
}

}  // namespace

std::optional<Tags> parse_tags(std::string_view text) {
  Tags tags;
  for (const std::string_view part : split(text, ';')) {
    const std::string_view tag = trim(part);
    if (tag.empty()) continue;
    const std::size_t equals = tag.find('=');
    if (equals == std::string_view::npos || equals == 0) return std::nullopt;
    const std::string_view name = trim(tag.substr(0, equals));
    if (find_tag(tags, name) != nullptr) return std::nullopt;
    tags.emplace_back(name, trim(tag.substr(equals + 1)));
  }
  return tags;
}

const std::string* find_tag(const Tags& tags, std::string_view name) {
  for (const auto& [tag, value] : tags) {
    if (tag == name) return &value;
  }
  return nullptr;
}

void check_mail_policies(const Zone& zone, const RrSet& txt, SetReport& report) {
  const std::vector<std::string> records = strings_of(txt);
  const auto labels = txt.owner.labels();
  const auto is_label = [&labels](std::size_t at, std::string_view label) {
    return labels.size() > at && iequals(labels[at], label);
  };
  if (is_label(0, "_dmarc")) return check_dmarc(records, report);
  if (is_label(0, "_mta-sts")) return check_mta_sts(records, report);
  if (is_label(0, "_smtp") && is_label(1, "_tls")) return check_tls_rpt(records, report);
  if (is_label(1, "_domainkey")) return check_dkim(records, report);
  check_spf_records(zone, records, report);
  for (const std::string& record : records) {
    if (istarts_with(record, "v=DMARC1")) {
      report.warning("a DMARC record that receivers don't look for", "put it at _dmarc");
    }
    if (istarts_with(record, "v=spf1") && !is_spf(record)) {
      report.error("SPF: there is no space behind v=spf1");
    }
  }
}

}  // namespace posthorn::dns
