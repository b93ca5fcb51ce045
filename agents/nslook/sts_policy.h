// MTA-STS policies (RFC 8461 3.2): which hosts take a domain's mail by TLS, and how much that binds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/async/task.h"
#include "libmail/base/result.h"

namespace posthorn::nslook {

struct StsPolicy {
  std::string mode;                // "enforce", "testing", "none"
  std::uint32_t max_age = 0;       // seconds
  std::vector<std::string> hosts;  // "mx.example.org", "*.example.org", in lower case
  // RFC 8461 4.1. `host` without a dot at its end; "*." stands for one label.
  [[nodiscard]] bool covers(std::string_view host) const;
};

inline constexpr std::uint16_t https_port_of_policies = 443;
inline constexpr std::size_t max_sts_octets = 64 << 10;  // RFC 8461 3.3

// Lines end in CRLF or LF. The error is a sentence.
[[nodiscard]] Result<StsPolicy, std::string> parse_sts_policy(std::string_view text);

// Where policies come from: the network, or a test.
class PolicySource {
 public:
  virtual ~PolicySource() = default;
  PolicySource() = default;
  PolicySource(const PolicySource&) = delete;
  PolicySource& operator=(const PolicySource&) = delete;
  // The body of https://HOST/.well-known/mta-sts.txt, asked at one of the addresses. The error is a
  // sentence.
  virtual async::Task<Result<std::string, std::string>> fetch(
      std::string host, std::vector<std::string> addresses) = 0;
};

// By HTTPS, as RFC 8461 3.3 wants it: a good certificate, no redirects, text/plain, 64 KiB at most.
class WebPolicies final : public PolicySource {
 public:
  // `authorities`: file of certificates that are trusted; empty: the machine's.
  WebPolicies(std::uint16_t port, std::string authorities)
      : port_(port), authorities_(std::move(authorities)) {}
  async::Task<Result<std::string, std::string>> fetch(std::string host,
                                                      std::vector<std::string> addresses) override;

 private:
  std::uint16_t port_;
  std::string authorities_;
};

}  // namespace posthorn::nslook
