// A message that may end in a TSIG, seen by a server, by a client and as text; what a server accepts
// must be what was signed.
#include <cstdint>

#include "libdns/dnssec/tsig.h"

using namespace posthorn::dns;

namespace {

constexpr std::uint64_t now = 1700000000;

// The seeds are signed with these.
std::vector<TsigKey> keys() {
  auto one = TsigKey::parse("hmac-sha256:key.example:YSBzZWNyZXQgb2Ygc29tZSBvY3RldHM=");
  auto two = TsigKey::parse("hmac-sha512:other.example:YW5vdGhlciBzZWNyZXQ=");
  posthorn::check(one && two, "keys of this test");
  return {*one, *two};
}

void as_server(std::string_view message, const TsigLimits& limits) {
  const TsigRequest request = verify_request(message, keys(), now, limits);
  posthorn::check(request.state != TsigRequest::State::good || request.key, "a good one has a key");
  posthorn::check((request.state == TsigRequest::State::refused) == (request.error != 0),
                  "a refusal has a reason");
  TsigSigner signer(request, limits);
  std::string answer(header_octets, '\0');
  signer.sign(answer, now);
  posthorn::check(answer.size() <= header_octets + signer.octets(), "no more octets than said");
  posthorn::check(MessageView::parse(answer).has_value() || !signer.is_active(),
                  "what is signed can be read");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  TsigLimits lenient;
  lenient.truncated_macs = true;
  lenient.weak_digests = true;
  as_server(input, {});
  as_server(input, lenient);

  TsigVerifier verifier(keys()[0], "a MAC");
  static_cast<void>(verifier.check(input, now));
  posthorn::check(!verifier.is_complete(), "nobody here has signed an answer");

  const auto parsed = parse_tsig_keys(input);
  if (parsed) {
    for (const TsigKey& key : *parsed) {
      const auto again = parse_tsig_keys(format_tsig_key(key).view());
      posthorn::check(again && again->size() == 1 && again->front() == key,
                      "a key survives its file");
    }
  }
  static_cast<void>(TsigKey::parse(input));
  return 0;
}
