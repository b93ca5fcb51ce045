// Certificates for a site of one's own: a CA and a server certificate signed by it (ECDSA P-256).
#pragma once

#include <string>
#include <vector>

#include "libmail/base/result.h"

namespace posthorn::tls {

struct CertifiedKey {
  std::string certificate_pem;
  std::string key_pem;
};

// A self-signed CA that can sign nothing but what `issue` makes (pathlen 0), good for ten years.
Result<CertifiedKey, std::string> make_ca(const std::string& name);
// A server certificate for DNS names and literal addresses, signed by `ca`, good for 397 days.
Result<CertifiedKey, std::string> issue(const CertifiedKey& ca,
                                        const std::vector<std::string>& names);
// Days until the first certificate in the PEM file expires (negative: expired); error if it can't
// be read.
Result<long, std::string> days_left(const std::string& certificate_file);

}  // namespace posthorn::tls
