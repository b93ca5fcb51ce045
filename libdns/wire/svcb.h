// SVCB and HTTPS (RFC 9460): where a service is and how to speak to it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libdns/wire/name.h"
#include "libdns/wire/numbers.h"
#include "libmail/base/result.h"

namespace posthorn::dns {

// RFC 9460 14.3.2; other numbers are keys, too.
enum class SvcKey : std::uint16_t {
  mandatory = 0,
  alpn = 1,
  no_default_alpn = 2,
  port = 3,
  ipv4hint = 4,
  ech = 5,
  ipv6hint = 6,
  dohpath = 7,
  ohttp = 8,
};
// "alpn", "key667"; parsing wants lower case, as the RFC does.
[[nodiscard]] std::string to_string(SvcKey key);
[[nodiscard]] std::optional<SvcKey> parse_svc_key(std::string_view text);

struct SvcParam {
  SvcKey key = SvcKey::mandatory;
  std::string value;  // as on the wire
  bool operator==(const SvcParam&) const = default;
};

template <Type of>
struct ServiceBinding {
  static constexpr Type type = of;
  std::uint16_t priority = 0;    // 0: `target` is an alias
  Name target;                   // the root: the owner itself; never compressed
  std::vector<SvcParam> params;  // keys strictly rising
  bool operator==(const ServiceBinding&) const = default;
};
using Svcb = ServiceBinding<Type::svcb>;
using Https = ServiceBinding<Type::https>;

// What RFC 9460 forbids in parameters whose framing is right ("port needs two octets"): a client
// must not use such a record. Empty if all is well.
[[nodiscard]] std::string svc_params_problem(const std::vector<SvcParam>& params);
// "alpn=h2,h3" of parameters without a problem.
[[nodiscard]] std::string to_text(const SvcParam& param);
// One "key=value", "key=\"value\"" or "key" of presentation form with all its escapes, or what is
// wrong with it.
[[nodiscard]] Result<SvcParam, std::string> parse_svc_param(std::string_view text);

}  // namespace posthorn::dns
