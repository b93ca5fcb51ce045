// The TSIG record as it stands at a message's end, and what its MAC is computed over. Inside
// libdns/dnssec only.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libdns/dnssec/tsig.h"
#include "libdns/wire/builder.h"

namespace posthorn::dns {

struct TsigRecord {
  std::size_t begin = 0;  // of the record in the message
  Name key_name;
  Tsig tsig;
};
// Nothing if the message isn't signed. Errors: the message or the record is malformed (RFC 8945
// 5.1), as a sentence.
[[nodiscard]] Result<std::optional<TsigRecord>, std::string> find_tsig(std::string_view message);

struct TsigAlgorithmTraits {
  const char* digest = nullptr;  // OpenSSL's name
  std::string_view name;         // as we print it
  std::string_view wire_text;    // the name in the record
  std::size_t octets = 0;        // of a MAC
};
[[nodiscard]] const TsigAlgorithmTraits& traits_of(TsigAlgorithm algorithm);
[[nodiscard]] Name wire_name(TsigAlgorithm algorithm);
[[nodiscard]] bool is_weak(TsigAlgorithm algorithm);

// The message as it was when it was signed: without the record, with its first id (RFC 8945 5.2.2,
// 4.3.2).
void add_message(Hmac& hmac, std::string_view message, const TsigRecord& record);
// All of RFC 8945 4.3.3, and what is left of it in a stream (5.3.1).
void add_variables(Hmac& hmac, const Name& key_name, const Tsig& tsig);
void add_timers(Hmac& hmac, const Tsig& tsig);
// A MAC of before, with its length.
void add_mac(Hmac& hmac, std::string_view mac);

// Octets that append_tsig() adds.
[[nodiscard]] std::size_t record_octets(const Name& key_name, const Name& algorithm,
                                        std::size_t mac_octets, std::size_t other_octets);
void append_tsig(std::string& message, const Name& key_name, const Tsig& tsig);

// RFC 8945 5.2.2.1.
enum class MacLength : std::uint8_t { whole, truncated, impossible };
[[nodiscard]] MacLength judge_length(std::string_view mac, TsigAlgorithm algorithm);
// Does `mac` begin what the HMAC gives? In constant time.
[[nodiscard]] bool begins(std::string_view mac, std::string_view whole);
[[nodiscard]] bool is_in_time(const Tsig& tsig, std::uint64_t now, const TsigLimits& limits);

}  // namespace posthorn::dns
