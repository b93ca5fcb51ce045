#include "libdns/wire/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

namespace posthorn::dns {

std::string A::text() const {
  return fmt::format("{}.{}.{}.{}", address[0], address[1], address[2], address[3]);
}

std::string Aaaa::text() const {
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(AF_INET6, address.data(), text, sizeof text);
  return text;
}

std::optional<A> parse_a(std::string_view text) {
  A a;
  if (::inet_pton(AF_INET, std::string(text).c_str(), a.address.data()) != 1) return std::nullopt;
  return text.find('\0') == std::string_view::npos ? std::optional(a) : std::nullopt;
}

std::optional<Aaaa> parse_aaaa(std::string_view text) {
  Aaaa aaaa;
  if (::inet_pton(AF_INET6, std::string(text).c_str(), aaaa.address.data()) != 1)
    return std::nullopt;
  return text.find('\0') == std::string_view::npos ? std::optional(aaaa) : std::nullopt;
}

// The texts below are names by construction.
Name reverse_name(const A& address) {
  const auto& a = address.address;
  return *Name::parse(fmt::format("{}.{}.{}.{}.in-addr.arpa", a[3], a[2], a[1], a[0]));
}

Name reverse_name(const Aaaa& address) {
  std::string text;
  for (auto octet = address.address.rbegin(); octet != address.address.rend(); ++octet) {
    text += fmt::format("{:x}.{:x}.", *octet & 15, *octet >> 4);
  }
  return *Name::parse(text + "ip6.arpa");
}

std::optional<Name> reverse_name(std::string_view address) {
  if (const auto a = parse_a(address)) return reverse_name(*a);
  if (const auto aaaa = parse_aaaa(address)) return reverse_name(*aaaa);
  return std::nullopt;
}

}  // namespace posthorn::dns
