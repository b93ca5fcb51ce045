// Keys that zones are signed with, in files as dnssec-keygen and ldns-keygen make them.
#pragma once

#include <string>

#include "libdns/zone/signing.h"

namespace posthorn::dnsd {

// Reads every DIRECTORY/K<zone>.+<algorithm>+<tag>.private with its .key beside it. If there is none
// makes one: ECDSA P-256, a key that signs everything (CSK). The directory is made if it is missing.
// Errors are sentences.
[[nodiscard]] Result<dns::ZoneSigningKeys, std::string> find_or_make_keys(
    const std::string& directory, const dns::Name& zone);

}  // namespace posthorn::dnsd
