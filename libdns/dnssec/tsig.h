// Transactions signed with a shared secret (RFC 8945). Messages are octets; time is seconds since
// 1970, 64 bits.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libdns/dnssec/secret.h"
#include "libdns/wire/message.h"
#include "libmail/base/result.h"

struct evp_mac_ctx_st;

namespace posthorn::dns {

enum class TsigAlgorithm : std::uint8_t {
  hmac_md5,  // these two verify and sign only where TsigLimits says so
  hmac_sha1,
  hmac_sha224,
  hmac_sha256,
  hmac_sha384,
  hmac_sha512,
};
// "hmac-sha256". Parsing also takes the names of RFC 8945 6 ("hmac-md5.sig-alg.reg.int") and a dot
// at the end.
[[nodiscard]] std::string_view to_string(TsigAlgorithm algorithm);
[[nodiscard]] std::optional<TsigAlgorithm> parse_tsig_algorithm(std::string_view text);

struct TsigKey {
  Name name;
  TsigAlgorithm algorithm = TsigAlgorithm::hmac_sha256;
  Secret secret;

  // "[hmac-sha256:]name:base64", as dig -y takes it. Errors are sentences for the administrator and
  // never hold the secret.
  [[nodiscard]] static Result<TsigKey, std::string> parse(std::string_view text);
  bool operator==(const TsigKey&) const = default;
};
// `key "name" { algorithm hmac-sha256; secret "base64"; };` as tsig-keygen writes it, any number of
// them, with comments.
[[nodiscard]] Result<std::vector<TsigKey>, std::string> parse_tsig_keys(std::string_view text);
[[nodiscard]] Secret format_tsig_key(const TsigKey& key);

struct TsigLimits {
  std::uint16_t fudge = 300;           // seconds, ours; of a peer's the lesser counts
  std::size_t unsigned_in_a_row = 99;  // RFC 8945 5.3.1
  bool truncated_macs = false;         // down to half of the digest (RFC 8945 5.2.2.1)
  bool weak_digests = false;           // MD5 and SHA-1
};

// TSIG's own codes (RFC 8945 3); 16 is BADVERS elsewhere.
namespace tsig_error {
inline constexpr std::uint16_t badsig = 16;
inline constexpr std::uint16_t badkey = 17;
inline constexpr std::uint16_t badtime = 18;
inline constexpr std::uint16_t badtrunc = 22;
}  // namespace tsig_error

// Octets that signing a request adds to a message: build it with so much less of a limit.
[[nodiscard]] std::size_t tsig_octets(const TsigKey& key);

// Signs a request: `message` grows by a TSIG. Gives the MAC, which the answer's TsigVerifier wants.
[[nodiscard]] std::string sign_request(std::string& message, const TsigKey& key, std::uint64_t now,
                                       const TsigLimits& limits = {});

// What a server thinks of a request.
struct TsigRequest {
  enum class State : std::uint8_t {
    not_signed,
    good,
    refused,    // answer NOTAUTH, signed by TsigSigner::answer() with `error`
    malformed,  // answer FORMERR, unsigned
  };
  State state = State::not_signed;
  std::optional<TsigKey> key;     // good; refused: whatever the answer is signed with
  Name key_name;                  // as the request had it
  Tsig tsig;                      // as the request had it
  std::uint16_t error = 0;        // of tsig_error
  std::uint64_t server_time = 0;  // when it was checked
  std::string why;                // for the log: "key unknown.example isn't ours"; safe to print
};
// Checks in the order of RFC 8945 5.2: key, MAC, time, truncation.
[[nodiscard]] TsigRequest verify_request(std::string_view message, std::span<const TsigKey> keys,
                                         std::uint64_t now, const TsigLimits& limits = {});

// One HMAC under construction. Inside the room.
class Hmac {
 public:
  Hmac(TsigAlgorithm algorithm, const Secret& secret);
  void add(std::string_view octets);
  [[nodiscard]] std::string finish();

 private:
  struct Free {
    void operator()(evp_mac_ctx_st* context) const;
  };
  std::unique_ptr<evp_mac_ctx_st, Free> context_;
};

// The message without its TSIG: what it was before it was signed, under the id it has now. The same
// message if there is none.
[[nodiscard]] std::string without_tsig(std::string_view message);

// Signs the answers to one request: one message, or the stream of a transfer, all of whose messages
// it signs.
class TsigSigner {
 public:
  // `request` is good or refused; for others nothing is signed.
  explicit TsigSigner(TsigRequest request, const TsigLimits& limits = {});
  // Does sign() do anything?
  [[nodiscard]] bool is_active() const;
  // What it adds to a message at most.
  [[nodiscard]] std::size_t octets() const;
  // The next answer, complete with its id, gets its TSIG. Refusals for BADKEY and BADSIG get one
  // without a MAC (RFC 8945 5.3.2).
  void sign(std::string& message, std::uint64_t now);

 private:
  TsigRequest request_;
  TsigLimits limits_;
  std::string last_mac_;
  bool is_first_ = true;
};

struct TsigFailure {
  std::string why;          // "the server says BADKEY: ..."; safe to print
  std::uint16_t error = 0;  // what the server said, of tsig_error; 0: what we found ourselves
  explicit TsigFailure(std::string w, std::uint16_t e = 0) : why(std::move(w)), error(e) {}
};

// Checks the answers to one request of ours.
class TsigVerifier {
 public:
  TsigVerifier(TsigKey key, std::string request_mac, const TsigLimits& limits = {});
  // The next answer. True: it was signed, and all that was unsigned before it is good, too.
  // False: unsigned, as the middle of a stream may be; believe it once a signed one has come. After
  // an error the stream is over.
  [[nodiscard]] Result<bool, TsigFailure> check(std::string_view message, std::uint64_t now);
  // Was the last message signed, as the last of a stream must be?
  [[nodiscard]] bool is_complete() const { return !has_failed_ && !is_first_ && unsigned_ == 0; }

 private:
  Result<bool, TsigFailure> take_unsigned(std::string_view message);
  void begin_next(std::string_view mac);
  TsigKey key_;
  TsigLimits limits_;
  Hmac running_;  // the MAC before, and unsigned messages since
  std::size_t unsigned_ = 0;
  bool is_first_ = true;
  bool has_failed_ = false;
};

}  // namespace posthorn::dns
