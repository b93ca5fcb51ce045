#include "libdns/dnssec/tsig.h"

#include <fmt/format.h>

#include <algorithm>

#include "libdns/dnssec/tsig_record.h"

namespace posthorn::dns {

namespace {

constexpr std::size_t time_octets = 6;

std::uint16_t id_of(std::string_view message) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(message[0]) << 8 |
                                    static_cast<unsigned char>(message[1]));
}

std::string time_as_octets(std::uint64_t seconds) {
  std::string octets(time_octets, '\0');
  for (std::size_t i = 0; i < time_octets; ++i)
    octets[i] = static_cast<char>(seconds >> (40 - 8 * i));
  return octets;
}

std::uint64_t time_from(std::string_view octets) {
  std::uint64_t seconds = 0;
  for (const char c : octets) seconds = seconds << 8 | static_cast<unsigned char>(c);
  return seconds;
}

std::string_view error_name(std::uint16_t error) {
  switch (error) {
    case tsig_error::badsig:
      return "BADSIG: the signature doesn't fit";
    case tsig_error::badkey:
      return "BADKEY: it doesn't know the key, or not for this algorithm";
    case tsig_error::badtime:
      return "BADTIME: the clocks are too far apart";
    case tsig_error::badtrunc:
      return "BADTRUNC: the signature is too short";
    default:
      return "an error that isn't TSIG's";
  }
}

TsigRequest refused(TsigRequest request, std::uint16_t error, std::string why) {
  request.state = TsigRequest::State::refused;
  request.error = error;
  request.why = std::move(why);
  return request;
}

TsigRequest malformed(TsigRequest request, std::string why) {
  request.state = TsigRequest::State::malformed;
  request.why = std::move(why);
  return request;
}

const TsigKey* find_key(std::span<const TsigKey> keys, const TsigRecord& record, bool weak) {
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const TsigKey& key) {
    return key.name == record.key_name && wire_name(key.algorithm) == record.tsig.algorithm &&
           (weak || !is_weak(key.algorithm));
  });
  return found == keys.end() ? nullptr : &*found;
}

std::string time_problem(const Tsig& tsig, std::uint64_t now) {
  return fmt::format("it was signed at {}, and here it is {}", tsig.time_signed, now);
}

Tsig tsig_for(const TsigKey& key, std::string_view message, std::uint64_t now,
              const TsigLimits& limits) {
  Tsig tsig;
  tsig.algorithm = wire_name(key.algorithm);
  tsig.time_signed = now;
  tsig.fudge = limits.fudge;
  tsig.original_id = id_of(message);
  return tsig;
}

}  // namespace

std::size_t tsig_octets(const TsigKey& key) {
  return record_octets(key.name, wire_name(key.algorithm), traits_of(key.algorithm).octets, 0);
}

std::string sign_request(std::string& message, const TsigKey& key, std::uint64_t now,
                         const TsigLimits& limits) {
  Tsig tsig = tsig_for(key, message, now, limits);
  Hmac hmac(key.algorithm, key.secret);
  hmac.add(message);
  add_variables(hmac, key.name, tsig);
  tsig.mac = hmac.finish();
  append_tsig(message, key.name, tsig);
  return tsig.mac;
}

TsigRequest verify_request(std::string_view message, std::span<const TsigKey> keys,
                           std::uint64_t now, const TsigLimits& limits) {
  TsigRequest request;
  request.server_time = now;
  const auto found = find_tsig(message);
  if (!found) return malformed(std::move(request), found.error());
  if (!*found) return request;
  const TsigRecord& record = **found;
  request.key_name = record.key_name;
  request.tsig = record.tsig;

  const TsigKey* key = find_key(keys, record, limits.weak_digests);
  if (key == nullptr)
    return refused(std::move(request), tsig_error::badkey,
                   fmt::format("there is no key {} for {} here", record.key_name.text(),
                               record.tsig.algorithm.text()));
  const MacLength length = judge_length(record.tsig.mac, key->algorithm);
  if (length == MacLength::impossible)
    return malformed(std::move(request),
                     fmt::format("its MAC has {} octets", record.tsig.mac.size()));
  Hmac hmac(key->algorithm, key->secret);
  add_message(hmac, message, record);
  add_variables(hmac, record.key_name, record.tsig);
  if (!begins(record.tsig.mac, hmac.finish()))
    return refused(std::move(request), tsig_error::badsig,
                   fmt::format("its MAC doesn't fit key {}", key->name.text()));
  request.key = *key;
  if (!is_in_time(record.tsig, now, limits))
    return refused(std::move(request), tsig_error::badtime, time_problem(record.tsig, now));
  if (length == MacLength::truncated && !limits.truncated_macs)
    return refused(std::move(request), tsig_error::badtrunc,
                   fmt::format("its MAC is cut to {} octets", record.tsig.mac.size()));
  request.state = TsigRequest::State::good;
  return request;
}

TsigSigner::TsigSigner(TsigRequest request, const TsigLimits& limits)
    : request_(std::move(request)), limits_(limits), last_mac_(request_.tsig.mac) {}

bool TsigSigner::is_active() const {
  return request_.state == TsigRequest::State::good ||
         request_.state == TsigRequest::State::refused;
}

std::size_t TsigSigner::octets() const {
  if (!is_active()) return 0;
  const std::size_t mac = request_.key ? traits_of(request_.key->algorithm).octets : 0;
  return record_octets(request_.key_name, request_.tsig.algorithm, mac, time_octets);
}

void TsigSigner::sign(std::string& message, std::uint64_t now) {
  if (!is_active()) return;
  Tsig tsig;
  tsig.algorithm = request_.tsig.algorithm;
  tsig.time_signed = now;
  tsig.fudge = limits_.fudge;
  tsig.original_id = id_of(message);
  tsig.error = request_.error;
  if (request_.error == tsig_error::badtime) {
    // In the client's time, or it would refuse this too; ours stands beside it (RFC 8945 5.2.3).
    tsig.time_signed = request_.tsig.time_signed;
    tsig.fudge = request_.tsig.fudge;
    tsig.other = time_as_octets(request_.server_time);
  }
  if (request_.key) {
    Hmac hmac(request_.key->algorithm, request_.key->secret);
    add_mac(hmac, last_mac_);
    hmac.add(message);
    if (is_first_) {
      add_variables(hmac, request_.key_name, tsig);
    } else {
      add_timers(hmac, tsig);
    }
    tsig.mac = hmac.finish();
    last_mac_ = tsig.mac;
  }
  append_tsig(message, request_.key_name, tsig);
  is_first_ = false;
}

TsigVerifier::TsigVerifier(TsigKey key, std::string request_mac, const TsigLimits& limits)
    : key_(std::move(key)), limits_(limits), running_(key_.algorithm, key_.secret) {
  add_mac(running_, request_mac);
}

void TsigVerifier::begin_next(std::string_view mac) {
  running_ = Hmac(key_.algorithm, key_.secret);
  add_mac(running_, mac);
  unsigned_ = 0;
  is_first_ = false;
  has_failed_ = false;
}

Result<bool, TsigFailure> TsigVerifier::take_unsigned(std::string_view message) {
  if (is_first_) return fail(TsigFailure("the answer isn't signed"));
  if (unsigned_ == limits_.unsigned_in_a_row)
    return fail(TsigFailure(
        fmt::format("more than {} messages in a row aren't signed", limits_.unsigned_in_a_row)));
  ++unsigned_;
  running_.add(message);
  has_failed_ = false;
  return false;
}

Result<bool, TsigFailure> TsigVerifier::check(std::string_view message, std::uint64_t now) {
  if (has_failed_) return fail(TsigFailure("a message before it was wrong"));
  has_failed_ = true;  // until shown otherwise
  const auto found = find_tsig(message);
  if (!found) return fail(TsigFailure("the answer is malformed: " + found.error()));
  if (!*found) return take_unsigned(message);
  const TsigRecord& record = **found;
  const Tsig& tsig = record.tsig;
  // Nobody vouches for these, and there is nothing better to be had.
  if (tsig.mac.empty() && tsig.error != 0)
    return fail(TsigFailure(fmt::format("the server says {}", error_name(tsig.error)), tsig.error));
  if (record.key_name != key_.name || tsig.algorithm != wire_name(key_.algorithm))
    return fail(TsigFailure(fmt::format("the answer is signed with key {} and {}",
                                        record.key_name.text(), tsig.algorithm.text())));
  const MacLength length = judge_length(tsig.mac, key_.algorithm);
  if (length == MacLength::impossible ||
      (length == MacLength::truncated && !limits_.truncated_macs))
    return fail(TsigFailure(fmt::format("the MAC of the answer has {} octets", tsig.mac.size())));

  add_message(running_, message, record);
  if (is_first_) {
    add_variables(running_, record.key_name, tsig);
  } else {
    add_timers(running_, tsig);
  }
  if (!begins(tsig.mac, running_.finish()))
    return fail(TsigFailure("the MAC of the answer doesn't fit"));
  if (tsig.error == tsig_error::badtime && tsig.other.size() == time_octets)
    return fail(TsigFailure(fmt::format("the server says {}: there it is {}",
                                        error_name(tsig.error), time_from(tsig.other)),
                            tsig.error));
  if (tsig.error != 0)
    return fail(TsigFailure(fmt::format("the server says {}", error_name(tsig.error)), tsig.error));
  if (!is_in_time(tsig, now, limits_)) return fail(TsigFailure(time_problem(tsig, now)));
  begin_next(tsig.mac);
  return true;
}

}  // namespace posthorn::dns
