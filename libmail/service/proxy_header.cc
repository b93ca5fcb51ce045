#include "libmail/service/proxy_header.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "libmail/base/text.h"
#include "libmail/service/networks.h"

namespace posthorn::service {

namespace {

using Taken = std::optional<Result<ProxyHeader, std::string>>;

constexpr std::string_view signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view v1_begin = "PROXY ";
constexpr std::size_t v1_line = 107;  // with CRLF
constexpr std::size_t v2_fixed = 16;
constexpr std::size_t v4_octets = 4;
constexpr std::size_t v6_octets = 16;

Taken broken(std::string what) {
  return Taken(fail(std::move(what)));
}

bool is_family(std::string_view address, std::string_view family) {
  const bool v6 = address.find(':') != std::string_view::npos;
  return parse_ip(address) && v6 == (family == "TCP6");
}

// Decimal, as written: "25", not "025".
std::optional<std::uint16_t> port_of(std::string_view text) {
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return parse_number<std::uint16_t>(text);
}

Result<ProxyHeader, std::string> read_line(std::string_view line) {
  const std::vector<std::string_view> parts = split(line, ' ');
  ProxyHeader header;
  if (parts.size() >= 2 && parts[1] == "UNKNOWN") return header;
  constexpr std::size_t words = 6;
  if (parts.size() != words || (parts[1] != "TCP4" && parts[1] != "TCP6")) {
    return fail("a PROXY line that says neither TCP4, TCP6 nor UNKNOWN: " +
                printable(line, v1_line));
  }
  const auto from = port_of(parts[4]);
  const auto to = port_of(parts[5]);
  if (!is_family(parts[2], parts[1]) || !is_family(parts[3], parts[1]) || !from || !to) {
    return fail("a PROXY line with a bad address or port: " + printable(line, v1_line));
  }
  header.has_addresses = true;
  header.source = parts[2];
  header.destination = parts[3];
  header.source_port = *from;
  header.destination_port = *to;
  return header;
}

Taken take_v1(std::string_view& octets) {
  const std::size_t newline = octets.substr(0, v1_line).find('\n');
  if (newline == std::string_view::npos) {
    if (octets.size() >= v1_line) return broken("a PROXY line that is too long");
    return std::nullopt;
  }
  const std::string_view line = octets.substr(0, newline);
  if (!line.ends_with('\r')) return broken("a PROXY line that does not end with CRLF");
  octets.remove_prefix(newline + 1);
  return read_line(line.substr(0, line.size() - 1));
}

unsigned octet(std::string_view octets, std::size_t at) {
  return static_cast<unsigned char>(octets[at]);
}
std::uint16_t number(std::string_view octets, std::size_t at) {
  return static_cast<std::uint16_t>(octet(octets, at) << 8 | octet(octets, at + 1));
}

std::string address_text(int family, std::string_view octets) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  return ::inet_ntop(family, octets.data(), text.data(), text.size());
}

// Type, length, value, to the end.
bool are_tlvs(std::string_view octets) {
  constexpr std::size_t head = 3;
  while (!octets.empty()) {
    if (octets.size() < head || octets.size() - head < number(octets, 1)) return false;
    octets.remove_prefix(head + number(octets, 1));
  }
  return true;
}

// `rest`: all behind the 16 fixed octets.
Result<ProxyHeader, std::string> read_addresses(unsigned family, std::string_view rest) {
  constexpr unsigned unspecified = 0x00;
  constexpr unsigned tcp4 = 0x11;
  constexpr unsigned tcp6 = 0x21;
  constexpr unsigned unix_stream = 0x31;
  constexpr std::size_t unix_octets = 216;
  ProxyHeader header;
  if (family == unspecified) return header;
  const bool v4 = family == tcp4;
  const bool is_unix = family == unix_stream;
  if (!v4 && !is_unix && family != tcp6) {
    return fail(fmt::format("a PROXY header of family and protocol 0x{:02x}", family));
  }
  const std::size_t each = v4 ? v4_octets : v6_octets;
  const std::size_t size = is_unix ? unix_octets : 2 * each + 4;
  if (rest.size() < size)
    return fail(std::string("a PROXY header that is too short for its addresses"));
  if (!are_tlvs(rest.substr(size))) return fail(std::string("a PROXY header with a broken TLV"));
  if (is_unix) return header;
  header.has_addresses = true;
  header.source = address_text(v4 ? AF_INET : AF_INET6, rest.substr(0, each));
  header.destination = address_text(v4 ? AF_INET : AF_INET6, rest.substr(each, each));
  header.source_port = number(rest, 2 * each);
  header.destination_port = number(rest, 2 * each + 2);
  return header;
}

Taken take_v2(std::string_view& octets) {
  constexpr unsigned version_2 = 2;
  constexpr unsigned local = 0;
  constexpr unsigned proxy = 1;
  if (octets.size() > signature.size()) {
    const unsigned said = octet(octets, signature.size());
    if (said >> 4 != version_2 || (said & 15) > proxy) {
      return broken(fmt::format("a PROXY header of version and command 0x{:02x}", said));
    }
  }
  if (octets.size() < v2_fixed) return std::nullopt;
  const std::size_t size = v2_fixed + number(octets, v2_fixed - 2);
  if (size > max_proxy_header) return broken("a PROXY header that is too long");
  if (octets.size() < size) return std::nullopt;
  const std::string_view whole = octets.substr(0, size);
  octets.remove_prefix(size);
  if ((octet(whole, signature.size()) & 15) == local) return Taken(ProxyHeader());
  return read_addresses(octet(whole, signature.size() + 1), whole.substr(v2_fixed));
}

// Whether `octets` may become, or are, something that begins with `begin`.
bool may_begin(std::string_view octets, std::string_view begin) {
  const std::size_t common = std::min(octets.size(), begin.size());
  return octets.substr(0, common) == begin.substr(0, common);
}

void append_number(std::string& octets, std::size_t value) {
  octets += static_cast<char>(value >> 8 & 0xff);
  octets += static_cast<char>(value & 0xff);
}

}  // namespace

Taken take_proxy_header(std::string_view& octets) {
  if (octets.empty()) return std::nullopt;
  if (may_begin(octets, signature)) return take_v2(octets);
  if (may_begin(octets, v1_begin)) return take_v1(octets);
  return broken("no PROXY header, but " + printable(octets.substr(0, 16)));
}

ProxyHeader make_proxy_header(std::string source, std::uint16_t source_port,
                              std::string destination, std::uint16_t destination_port) {
  const auto is_v6 = [](const std::string& address) {
    return address.find(':') != std::string::npos;
  };
  ProxyHeader header;
  if (source.empty()) return header;
  header.has_addresses = true;
  if (destination.empty()) destination = is_v6(source) ? "::" : "0.0.0.0";
  if (is_v6(source) != is_v6(destination)) {
    (is_v6(source) ? destination : source).insert(0, "::ffff:");
  }
  header.source = std::move(source);
  header.source_port = source_port;
  header.destination = std::move(destination);
  header.destination_port = destination_port;
  return header;
}

std::optional<ProxyVersion> parse_proxy_version(std::string_view text) {
  if (text == "none") return ProxyVersion::none;
  if (text == "1") return ProxyVersion::v1;
  if (text == "2") return ProxyVersion::v2;
  return std::nullopt;
}

std::string format_proxy(ProxyVersion version, const ProxyHeader& header) {
  switch (version) {
    case ProxyVersion::v1:
      return format_proxy_v1(header);
    case ProxyVersion::v2:
      return format_proxy_v2(header);
    case ProxyVersion::none:
      break;
  }
  return {};
}

std::string format_proxy_v1(const ProxyHeader& header) {
  if (!header.has_addresses) return "PROXY UNKNOWN\r\n";
  const bool v6 = header.source.find(':') != std::string::npos;
  return fmt::format("PROXY {} {} {} {} {}\r\n", v6 ? "TCP6" : "TCP4", header.source,
                     header.destination, header.source_port, header.destination_port);
}

std::string format_proxy_v2(const ProxyHeader& header) {
  std::string octets(signature);
  if (!header.has_addresses) return octets.append("\x20\0\0\0", 4);
  const bool v6 = header.source.find(':') != std::string::npos;
  octets.append(v6 ? "\x21\x21" : "\x21\x11");
  const std::size_t each = v6 ? v6_octets : v4_octets;
  append_number(octets, 2 * each + 4);
  for (const std::string* text : {&header.source, &header.destination}) {
    std::array<char, v6_octets> address{};
    check(::inet_pton(v6 ? AF_INET6 : AF_INET, text->c_str(), address.data()) == 1,
          "a PROXY header is of one family");
    octets.append(address.data(), each);
  }
  append_number(octets, header.source_port);
  append_number(octets, header.destination_port);
  return octets;
}

}  // namespace posthorn::service
