// Records made of tags, "v=DMARC1; p=none": DMARC, DKIM, MTA-STS, TLS-RPT. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libmail/base/result.h"

namespace posthorn::nslook {

class Tags {
 public:
  // RFC 6376 3.2: names are letters, digits and "_", none stands twice; a ";" may end it.
  [[nodiscard]] static Result<Tags, std::string> parse(std::string_view text);
  // Nothing if the tag isn't there. Names are compared in lower case.
  [[nodiscard]] std::optional<std::string> find(std::string_view name) const;
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& all() const { return all_; }

 private:
  std::vector<std::pair<std::string, std::string>> all_;
};

// Bits of the modulus of an RSA key: SubjectPublicKeyInfo, or RSAPublicKey alone (DER).
[[nodiscard]] std::optional<std::size_t> rsa_bits(std::string_view der);

}  // namespace posthorn::nslook
