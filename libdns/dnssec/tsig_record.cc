#include "libdns/dnssec/tsig_record.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>

#include "libdns/dnssec/pkey.h"
#include "libdns/wire/reader.h"

namespace posthorn::dns {

namespace {

constexpr std::size_t id_offset = 0;
constexpr std::size_t arcount_offset = 10;
constexpr std::size_t min_mac_octets = 10;
constexpr std::size_t record_header_octets = 10;
constexpr std::size_t fixed_tsig_octets = 16;

// In the order of TsigAlgorithm.
constexpr std::array<TsigAlgorithmTraits, 6> algorithms{{
    {"MD5", "hmac-md5", "hmac-md5.sig-alg.reg.int", 16},
    {"SHA1", "hmac-sha1", "hmac-sha1", 20},
    {"SHA224", "hmac-sha224", "hmac-sha224", 28},
    {"SHA256", "hmac-sha256", "hmac-sha256", 32},
    {"SHA384", "hmac-sha384", "hmac-sha384", 48},
    {"SHA512", "hmac-sha512", "hmac-sha512", 64},
}};

std::uint16_t u16_at(std::string_view octets, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(octets[at]) << 8 |
                                    static_cast<unsigned char>(octets[at + 1]));
}
std::string u16(std::uint16_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value)};
}
std::string u48(std::uint64_t value) {
  std::string octets(6, '\0');
  for (std::size_t i = 0; i < 6; ++i) octets[i] = static_cast<char>(value >> (40 - 8 * i));
  return octets;
}

// Over a question or record; gives its type.
Type skip(Reader& reader, bool is_question) {
  static_cast<void>(reader.name());
  const auto type = static_cast<Type>(reader.u16());
  static_cast<void>(reader.u16());
  if (is_question) return type;
  static_cast<void>(reader.u32());
  static_cast<void>(reader.octets(reader.u16()));
  return type;
}

// The last record if it is a TSIG.
Result<std::optional<TsigRecord>, std::string> read_last(Reader& reader) {
  TsigRecord record;
  record.begin = reader.offset();
  record.key_name = reader.name().name();
  if (static_cast<Type>(reader.u16()) != Type::tsig) return std::nullopt;
  const auto klass = static_cast<Class>(reader.u16());
  const std::uint32_t ttl = reader.u32();
  const std::size_t length = reader.u16();
  const Rdata data = read_rdata(reader, Type::tsig, length);
  const Tsig* tsig = std::get_if<Tsig>(&data);
  if (!reader.ok() || tsig == nullptr) return fail(std::string("its TSIG can't be read"));
  if (klass != Class::any || ttl != 0)
    return fail(std::string("its TSIG isn't of class ANY with TTL 0"));
  if (!reader.at_end()) return fail(std::string("something stands behind its TSIG"));
  record.tsig = *tsig;
  return record;
}

}  // namespace

Result<std::optional<TsigRecord>, std::string> find_tsig(std::string_view message) {
  if (message.size() < header_octets) return fail(std::string("it ends in its header"));
  Reader reader(message, header_octets);
  std::size_t records = 0;
  for (std::size_t section = 0; section < 4; ++section) {
    const std::size_t count = u16_at(message, 4 + 2 * section);
    const bool ends_here = section == 3 && count != 0;
    for (std::size_t i = 0; i + (ends_here ? 1 : 0) < count && reader.ok(); ++i, ++records) {
      if (skip(reader, section == 0) == Type::tsig && section != 0)
        return fail(std::string("it has a TSIG that isn't its last record"));
    }
  }
  if (!reader.ok()) return fail("its records can't be read: " + reader.error()->text());
  if (u16_at(message, arcount_offset) == 0) return std::nullopt;
  return read_last(reader);
}

const TsigAlgorithmTraits& traits_of(TsigAlgorithm algorithm) {
  return algorithms[static_cast<std::size_t>(algorithm)];
}

Name wire_name(TsigAlgorithm algorithm) {
  return Name::parse(traits_of(algorithm).wire_text).value_or(Name());
}

bool is_weak(TsigAlgorithm algorithm) {
  return algorithm == TsigAlgorithm::hmac_md5 || algorithm == TsigAlgorithm::hmac_sha1;
}

void Hmac::Free::operator()(evp_mac_ctx_st* context) const {
  EVP_MAC_CTX_free(context);
}

Hmac::Hmac(TsigAlgorithm algorithm, const Secret& secret) {
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  context_.reset(EVP_MAC_CTX_new(mac));
  EVP_MAC_free(mac);
  std::string digest = traits_of(algorithm).digest;
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_end()};
  check(context_ &&
            EVP_MAC_init(context_.get(), bytes(secret.view()), secret.view().size(), params) == 1,
        "OpenSSL makes HMACs");
}

void Hmac::add(std::string_view octets) {
  check(EVP_MAC_update(context_.get(), bytes(octets), octets.size()) == 1, "an HMAC takes octets");
}

std::string Hmac::finish() {
  std::string mac(EVP_MAX_MD_SIZE, '\0');
  std::size_t length = 0;
  check(EVP_MAC_final(context_.get(), bytes(mac), &length, mac.size()) == 1, "an HMAC ends");
  mac.resize(length);
  return mac;
}

void add_message(Hmac& hmac, std::string_view message, const TsigRecord& record) {
  std::string header(message.substr(0, header_octets));
  header.replace(id_offset, 2, u16(record.tsig.original_id));
  header.replace(arcount_offset, 2,
                 u16(static_cast<std::uint16_t>(u16_at(message, arcount_offset) - 1)));
  hmac.add(header);
  hmac.add(message.substr(header_octets, record.begin - header_octets));
}

void add_variables(Hmac& hmac, const Name& key_name, const Tsig& tsig) {
  Writer writer;
  writer.octets(key_name.folded().wire());
  writer.u16(static_cast<std::uint16_t>(Class::any));
  writer.u32(0);
  writer.octets(tsig.algorithm.folded().wire());
  writer.octets(u48(tsig.time_signed));
  writer.u16(tsig.fudge);
  writer.u16(tsig.error);
  writer.u16(static_cast<std::uint16_t>(tsig.other.size()));
  writer.octets(tsig.other);
  hmac.add(writer.out());
}

void add_timers(Hmac& hmac, const Tsig& tsig) {
  hmac.add(u48(tsig.time_signed) + u16(tsig.fudge));
}

void add_mac(Hmac& hmac, std::string_view mac) {
  hmac.add(u16(static_cast<std::uint16_t>(mac.size())));
  hmac.add(mac);
}

std::size_t record_octets(const Name& key_name, const Name& algorithm, std::size_t mac_octets,
                          std::size_t other_octets) {
  return key_name.wire().size() + record_header_octets + algorithm.wire().size() +
         fixed_tsig_octets + mac_octets + other_octets;
}

void append_tsig(std::string& message, const Name& key_name, const Tsig& tsig) {
  const std::string rdata = rdata_to_wire(Rdata(tsig));
  Writer writer;
  writer.octets(key_name.wire());
  writer.u16(static_cast<std::uint16_t>(Type::tsig));
  writer.u16(static_cast<std::uint16_t>(Class::any));
  writer.u32(0);
  writer.u16(static_cast<std::uint16_t>(rdata.size()));
  writer.octets(rdata);
  message += writer.out();
  message.replace(arcount_offset, 2,
                  u16(static_cast<std::uint16_t>(u16_at(message, arcount_offset) + 1)));
}

MacLength judge_length(std::string_view mac, TsigAlgorithm algorithm) {
  const std::size_t whole = traits_of(algorithm).octets;
  if (mac.size() == whole) return MacLength::whole;
  if (mac.size() > whole || mac.size() < std::max(min_mac_octets, whole / 2))
    return MacLength::impossible;
  return MacLength::truncated;
}

bool begins(std::string_view mac, std::string_view whole) {
  return mac.size() <= whole.size() && equal_in_constant_time(mac, whole.substr(0, mac.size()));
}

bool is_in_time(const Tsig& tsig, std::uint64_t now, const TsigLimits& limits) {
  const std::uint64_t apart =
      tsig.time_signed > now ? tsig.time_signed - now : now - tsig.time_signed;
  return apart <= std::min(tsig.fudge, limits.fudge);
}

std::string without_tsig(std::string_view message) {
  constexpr std::size_t arcount_at = 10;
  const auto found = find_tsig(message);
  if (!found || !*found) return std::string(message);
  std::string plain(message.substr(0, (*found)->begin));
  const auto count =
      static_cast<std::uint16_t>((static_cast<unsigned char>(plain[arcount_at]) << 8 |
                                  static_cast<unsigned char>(plain[arcount_at + 1])) -
                                 1);
  plain[arcount_at] = static_cast<char>(count >> 8);
  plain[arcount_at + 1] = static_cast<char>(count);
  return plain;
}

}  // namespace posthorn::dns
