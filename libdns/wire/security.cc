#include "libdns/wire/security.h"

namespace posthorn::dns {

std::string_view to_string(Security security) {
  switch (security) {
    case Security::insecure:
      return "insecure";
    case Security::secure:
      return "secure";
    case Security::bogus:
      return "bogus";
    case Security::unavailable:
      return "unavailable";
  }
  return "unknown";
}

Security weakest(Security a, Security b) {
  const auto rank = [](Security security) {
    switch (security) {
      case Security::secure:
        return 3;
      case Security::insecure:
        return 2;
      case Security::unavailable:
        return 1;
      case Security::bogus:
        return 0;
    }
    return 0;
  };
  return rank(a) < rank(b) ? a : b;
}

}  // namespace posthorn::dns
