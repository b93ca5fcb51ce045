// For the tests of this folder: a temporary folder, and zones made of text.
#pragma once

#include <catch2/catch.hpp>
#include <string>

#include "libdns/zone/test_zone.h"
#include "test/support/test_folder.h"

namespace posthorn::dnsd {

using posthorn::TestFolder;

// example.test with this serial and these records besides SOA and NS.
inline std::string zone_text(int serial, std::string_view records = "") {
  return "$TTL 300\n@ SOA ns admin " + std::to_string(serial) +
         " 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\n" + std::string(records);
}

}  // namespace posthorn::dnsd
