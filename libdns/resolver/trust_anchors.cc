#include "libdns/resolver/trust_anchors.h"

#include <algorithm>

#include "libdns/dnssec/keys.h"
#include "libdns/wire/presentation.h"

namespace posthorn::dns {

namespace {

// IANA, root-anchors.xml: KSK-2017 and KSK-2024.
constexpr const char* root_anchors =
    ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"
    ". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16\n";

}  // namespace

void TrustAnchors::add(const Name& zone, Ds ds) {
  auto there =
      std::ranges::find_if(anchors_, [&](const TrustAnchor& one) { return one.zone == zone; });
  if (there == anchors_.end()) there = anchors_.emplace(there, zone);
  there->ds.push_back(std::move(ds));
}

TrustAnchors TrustAnchors::built_in() {
  return parse(root_anchors).value_or(TrustAnchors());
}

const TrustAnchor* TrustAnchors::find(const Name& name) const {
  const TrustAnchor* deepest = nullptr;
  for (const TrustAnchor& one : anchors_) {
    if (!name.is_at_or_below(one.zone)) continue;
    if (deepest == nullptr || one.zone.is_at_or_below(deepest->zone)) deepest = &one;
  }
  return deepest;
}

Result<TrustAnchors, std::string> TrustAnchors::parse(std::string_view text) {
  TrustAnchors anchors;
  const auto records = parse_records(text);
  if (!records) return fail(records.error().text());
  for (const auto& [record, at] : *records) {
    if (const Ds* ds = record.as<Ds>()) {
      anchors.add(record.owner, *ds);
    } else if (const Dnskey* key = record.as<Dnskey>()) {
      if ((key->flags & Dnskey::revoked) == 0)
        anchors.add(record.owner, make_ds(record.owner, *key));
    } else {
      return fail(TextError("a trust anchor is a DS or DNSKEY record", at).text());
    }
  }
  return anchors;
}

}  // namespace posthorn::dns
