// Keys, digests and signatures in words.
#pragma once

#include <string>
#include <vector>

#include "agents/nslook/report.h"
#include "libdns/dnssec/denial.h"

namespace posthorn::nslook {

// "DS 12345 (ECDSAP256SHA256, SHA-256)", several with commas.
[[nodiscard]] std::string ds_text(const std::vector<dns::Ds>& all);
// "DNSKEY 12345 (ECDSAP256SHA256, SEP, named by the DS), ..."
[[nodiscard]] std::string keys_text(const dns::RrSet& set, const std::vector<dns::Ds>& trusted);
// "signed by org 12345 (ECDSAP256SHA256) from 2026-11-01 00:00 to 2026-12-01 00:00, 8 days left"
[[nodiscard]] std::string signatures_text(const dns::RrSet& set, std::uint32_t now);
// "NSEC of a.example.org and example.org"
[[nodiscard]] std::string proof_text(const dns::Denials& denials);

}  // namespace posthorn::nslook
