#include "libdns/wire/numbers.h"

#include <fmt/format.h>

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
    {Type::hinfo, "HINFO"},
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
    {Type::spf, "SPF"},
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

}  // namespace posthorn::dns
