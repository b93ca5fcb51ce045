// What a server offers in its reply to EHLO or LHLO (RFC 5321 4.1.1.1), as a value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace posthorn::smtp {

struct ServerExtensions {
  bool pipelining = false;                        // RFC 2920
  bool chunking = false;                          // RFC 3030
  bool eight_bit_mime = false;                    // RFC 6152
  bool smtputf8 = false;                          // RFC 6531
  bool dsn = false;                               // RFC 3461
  bool starttls = false;                          // RFC 3207
  bool requiretls = false;                        // RFC 8689
  bool size_offered = false;                      // RFC 1870: the parameter is known
  std::uint64_t size_limit = 0;                   // octets; 0 = none was named
  std::optional<std::uint64_t> max_recipients;    // RFC 9422 RCPTMAX
  std::optional<std::uint64_t> max_transactions;  // RFC 9422 MAILMAX
  std::vector<std::string> auth_mechanisms;       // upper case, RFC 4954
  std::vector<std::string> xforward;              // attribute names, upper case
  std::vector<std::string> xclient;               // the same

  ServerExtensions() = default;
  [[nodiscard]] bool offers_auth(std::string_view mechanism) const;
  [[nodiscard]] bool offers_xforward(std::string_view attribute) const;
};

// `text`: the lines of the reply, separated by '\n', as Reply::text holds them; the first one is
// the greeting and names no extension. What can't be understood is not offered.
[[nodiscard]] ServerExtensions parse_extensions(std::string_view text);

}  // namespace posthorn::smtp
