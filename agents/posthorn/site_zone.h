// The zone of a sandbox's domain: what a mail site has to say to the world.
#pragma once

#include <string>

#include "agents/posthorn/site_setup.h"

namespace posthorn::operate {

// Text of a zone file: SOA, NS, MX, addresses, SPF, and SRV for clients (RFC 6186, 8314) where the ports are known.
[[nodiscard]] std::string site_zone(const NewSite& site, const std::string& domain);

}  // namespace posthorn::operate
