// Presentation form (RFC 1035 5.1, RFC 3597 5) and the registries' names of numbers.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <span>
#include <utility>

#include "libdns/wire/address.h"
#include "libdns/wire/record.h"
#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

template <class Number>
struct Named {
  Number number;
  std::string_view name;
};

constexpr Named<Type> type_names[] = {
    {Type::a, "A"},
    {Type::ns, "NS"},
    {Type::cname, "CNAME"},
    {Type::soa, "SOA"},
    {Type::ptr, "PTR"},
    {Type::mx, "MX"},
    {Type::txt, "TXT"},
    {Type::aaaa, "AAAA"},
    {Type::srv, "SRV"},
    {Type::naptr, "NAPTR"},
    {Type::dname, "DNAME"},
    {Type::opt, "OPT"},
    {Type::ds, "DS"},
    {Type::sshfp, "SSHFP"},
    {Type::rrsig, "RRSIG"},
    {Type::nsec, "NSEC"},
    {Type::dnskey, "DNSKEY"},
    {Type::nsec3, "NSEC3"},
    {Type::nsec3param, "NSEC3PARAM"},
    {Type::tlsa, "TLSA"},
    {Type::smimea, "SMIMEA"},
    {Type::cds, "CDS"},
    {Type::cdnskey, "CDNSKEY"},
    {Type::openpgpkey, "OPENPGPKEY"},
    {Type::svcb, "SVCB"},
    {Type::https, "HTTPS"},
    {Type::tsig, "TSIG"},
    {Type::ixfr, "IXFR"},
    {Type::axfr, "AXFR"},
    {Type::any, "ANY"},
    {Type::caa, "CAA"},
};
constexpr Named<Class> class_names[] = {
    {Class::in, "IN"}, {Class::ch, "CH"}, {Class::none, "NONE"}, {Class::any, "ANY"}};
constexpr Named<Rcode> rcode_names[] = {
    {Rcode::noerror, "NOERROR"},   {Rcode::formerr, "FORMERR"}, {Rcode::servfail, "SERVFAIL"},
    {Rcode::nxdomain, "NXDOMAIN"}, {Rcode::notimp, "NOTIMP"},   {Rcode::refused, "REFUSED"},
    {Rcode::yxdomain, "YXDOMAIN"}, {Rcode::yxrrset, "YXRRSET"}, {Rcode::nxrrset, "NXRRSET"},
    {Rcode::notauth, "NOTAUTH"},   {Rcode::notzone, "NOTZONE"}, {Rcode::badvers, "BADVERS"},
    {Rcode::badkey, "BADKEY"},     {Rcode::badtime, "BADTIME"}, {Rcode::badcookie, "BADCOOKIE"}};

template <class Number, std::size_t n>
std::string name_of(Number number, const Named<Number> (&names)[n], std::string_view generic) {
  for (const auto& one : names) {
    if (one.number == number) return std::string(one.name);
  }
  return fmt::format("{}{}", generic, static_cast<unsigned>(number));
}

// A mnemonic, or `generic` and a number (RFC 3597 5).
template <class Number, std::size_t n>
std::optional<Number> number_of(std::string_view text, const Named<Number> (&names)[n],
                                std::string_view generic) {
  for (const auto& one : names) {
    if (iequals(one.name, text)) return one.number;
  }
  if (!istarts_with(text, generic)) return std::nullopt;
  const auto number = parse_number<std::uint16_t>(text.substr(generic.size()));
  if (!number) return std::nullopt;
  return static_cast<Number>(*number);
}

std::string absolute(const Name& name) {
  return name.is_root() ? "." : name.text() + ".";
}

// <character-string> in quotes, so that spaces stand as they are.
std::string in_quotes(std::string_view octets) {
  std::string text = "\"";
  for (const char c : octets) {
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (c == ' ' || is_graph(c)) {
      text += c;
    } else {
      text += fmt::format("\\{:03}", static_cast<unsigned char>(c));
    }
  }
  text += '"';
  return text;
}

struct TextOf {
  std::string operator()(const A& a) const { return a.text(); }
  std::string operator()(const Aaaa& a) const { return a.text(); }
  std::string operator()(const Ns& ns) const { return absolute(ns.host); }
  std::string operator()(const Cname& cname) const { return absolute(cname.target); }
  std::string operator()(const Dname& dname) const { return absolute(dname.target); }
  std::string operator()(const Ptr& ptr) const { return absolute(ptr.target); }
  std::string operator()(const Soa& soa) const {
    return fmt::format("{} {} {} {} {} {} {}", absolute(soa.primary), absolute(soa.mailbox),
                       soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum);
  }
  std::string operator()(const Mx& mx) const {
    return fmt::format("{} {}", mx.preference, absolute(mx.exchange));
  }
  std::string operator()(const Txt& txt) const {
    std::string text;
    for (const std::string& string : txt.strings) {
      if (!text.empty()) text += ' ';
      text += in_quotes(string);
    }
    return text;
  }
  std::string operator()(const Srv& srv) const {
    return fmt::format("{} {} {} {}", srv.priority, srv.weight, srv.port, absolute(srv.target));
  }
  std::string operator()(const Opaque& opaque) const {
    if (opaque.octets.empty()) return "\\# 0";
    return fmt::format("\\# {} {}", opaque.octets.size(), hex(opaque.octets));
  }
};

}  // namespace

std::string to_string(Type type) {
  return name_of(type, type_names, "TYPE");
}
std::string to_string(Class klass) {
  return name_of(klass, class_names, "CLASS");
}
std::string to_string(Rcode rcode) {
  return name_of(rcode, rcode_names, "RCODE");
}
std::optional<Type> parse_type(std::string_view text) {
  return number_of(text, type_names, "TYPE");
}
std::optional<Class> parse_class(std::string_view text) {
  return number_of(text, class_names, "CLASS");
}

std::string A::text() const {
  return fmt::format("{}.{}.{}.{}", address[0], address[1], address[2], address[3]);
}

std::string Aaaa::text() const {
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(AF_INET6, address.data(), text, sizeof text);
  return text;
}

std::string Txt::joined() const {
  std::string all;
  for (const std::string& string : strings) all += string;
  return all;
}

std::string to_text(const Rdata& data) {
  return std::visit(TextOf{}, data);
}

std::string Record::text() const {
  return fmt::format("{} {} {} {} {}", absolute(owner), ttl, to_string(klass), to_string(type()),
                     to_text(data));
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
