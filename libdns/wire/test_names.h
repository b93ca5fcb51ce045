// For tests: a domain name from its text.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "libdns/wire/name.h"

namespace posthorn::dns {

// Throws where the text is no name.
inline Name name(std::string_view text) {
  auto parsed = Name::parse(text);
  if (!parsed) throw std::invalid_argument("no domain name: " + std::string(text));
  return std::move(*parsed);
}

}  // namespace posthorn::dns
