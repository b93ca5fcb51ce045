// Where trust begins: keys of zones that are believed without a parent's word (RFC 4035 4.4).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libdns/wire/record.h"
#include "libmail/base/result.h"

namespace posthorn::dns {

struct TrustAnchor {
  Name zone;
  std::vector<Ds> ds;  // of the keys; DNSKEYs of a file are put into this form (SHA-256)
  TrustAnchor() = default;
  explicit TrustAnchor(Name name) : zone(std::move(name)) {}
};

class TrustAnchors {
 public:
  TrustAnchors() = default;  // none: nothing is validated
  // The root's keys 20326 and 38696 (IANA root-anchors.xml).
  [[nodiscard]] static TrustAnchors built_in();
  // DS and DNSKEY records in the form of a zone file. The error names line and column.
  [[nodiscard]] static Result<TrustAnchors, std::string> parse(std::string_view text);

  void add(const Name& zone, Ds ds);
  // The deepest one at or above `name`.
  [[nodiscard]] const TrustAnchor* find(const Name& name) const;
  [[nodiscard]] const std::vector<TrustAnchor>& all() const { return anchors_; }
  [[nodiscard]] bool empty() const { return anchors_.empty(); }

 private:
  std::vector<TrustAnchor> anchors_;
};

}  // namespace posthorn::dns
