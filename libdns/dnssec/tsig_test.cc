#include "libdns/dnssec/tsig.h"

#include <catch2/catch.hpp>

#include "libdns/dnssec/tsig_record.h"
#include "libdns/wire/test_names.h"
#include "libmail/base/text.h"

using namespace posthorn;
using namespace posthorn::dns;
using namespace std::string_literals;

namespace {

constexpr std::uint64_t now = 1700000000;

TsigKey make_key(std::string_view owner = "key.example",
                 TsigAlgorithm algorithm = TsigAlgorithm::hmac_sha256,
                 std::string_view secret = "a secret of some octets") {
  TsigKey key;
  key.name = name(owner);
  key.algorithm = algorithm;
  key.secret = Secret(secret);
  return key;
}

std::string query(std::uint16_t id = 0x1234) {
  return make_query(id, Question(name("example.org"), Type::soa), {.dnssec_ok = true});
}

std::string answer(std::uint16_t id = 0x1234) {
  Header header;
  header.id = id;
  header.response = true;
  MessageBuilder builder(header);
  REQUIRE(builder.question(Question(name("example.org"), Type::soa)));
  return builder.finish();
}

TsigRecord tsig_of(std::string_view message) {
  const auto found = find_tsig(message);
  REQUIRE(found);
  REQUIRE(*found);
  return **found;
}

// Takes the message's TSIG away and puts a changed one there.
template <class Change>
std::string with_tsig(std::string message, const Change& change) {
  TsigRecord record = tsig_of(message);
  message.resize(record.begin);
  message[11] = static_cast<char>(message[11] - 1);
  change(record);
  append_tsig(message, record.key_name, record.tsig);
  return message;
}

TsigRequest check(const std::string& message, const std::vector<TsigKey>& keys = {make_key()},
                  std::uint64_t at = now, const TsigLimits& limits = {}) {
  return verify_request(message, keys, at, limits);
}

// What the client finds in an answer to the request.
Result<bool, TsigFailure> exchange(TsigRequest request, const std::string& request_mac,
                                   std::uint64_t client_time = now,
                                   const TsigKey& key = make_key()) {
  TsigSigner signer(std::move(request));
  std::string message = answer();
  signer.sign(message, now);
  return TsigVerifier(key, request_mac).check(message, client_time);
}

using State = TsigRequest::State;

}  // namespace

TEST_CASE("TSIG: a signed request is good, and still a message that can be read") {
  const auto algorithm = GENERATE(TsigAlgorithm::hmac_sha224, TsigAlgorithm::hmac_sha256,
                                  TsigAlgorithm::hmac_sha384, TsigAlgorithm::hmac_sha512);
  const TsigKey key = make_key("key.example", algorithm);
  std::string message = query();
  const std::size_t before = message.size();
  const std::string mac = sign_request(message, key, now);
  CHECK(message.size() == before + tsig_octets(key));
  const auto view = MessageView::parse(message);
  REQUIRE(view);
  CHECK(view->additional().back().type == Type::tsig);
  CHECK(view->edns());
  const TsigRequest request = check(message, {make_key("other"), key});
  CHECK(request.why == "");
  CHECK(request.state == State::good);
  CHECK(request.key == key);
  CHECK(request.tsig.mac == mac);
  CHECK(request.tsig.original_id == 0x1234);
}

TEST_CASE("TSIG: the MAC is HMAC over the octets that RFC 8945 4.3 lists") {
  const TsigKey key = make_key("KEY.example");
  const std::string plain = query();
  std::string message = plain;
  const std::string mac = sign_request(message, key, 0x010203040506);
  Hmac hmac(key.algorithm, key.secret);
  hmac.add(plain);
  hmac.add("\3key\7example\0"s);
  hmac.add("\0\xff\0\0\0\0"s);
  hmac.add("\xbhmac-sha256\0"s);
  hmac.add("\1\2\3\4\5\6\x01\x2c\0\0\0\0"s);
  CHECK(hmac.finish() == mac);
}

TEST_CASE("TSIG: HMAC is that of RFC 4231 4.3") {
  Hmac hmac(TsigAlgorithm::hmac_sha256, Secret("Jefe"));
  hmac.add("what do ya want ");
  hmac.add("for nothing?");
  CHECK(hex(hmac.finish()) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_CASE("TSIG: case of the key's and the algorithm's name doesn't matter") {
  std::string message = query();
  static_cast<void>(sign_request(message, make_key(), now));
  const std::string shouted = with_tsig(message, [](TsigRecord& record) {
    record.key_name = name("KEY.Example");
    record.tsig.algorithm = name("HMAC-sha256");
  });
  CHECK(check(shouted).state == State::good);
}

TEST_CASE("TSIG: an id that a forwarder changed is put back") {
  std::string message = query();
  static_cast<void>(sign_request(message, make_key(), now));
  message[0] = '\x77';
  CHECK(check(message).state == State::good);
  // The first id itself is signed.
  CHECK(check(with_tsig(message, [](TsigRecord& record) { ++record.tsig.original_id; })).error ==
        tsig_error::badsig);
}

TEST_CASE("TSIG: no other octet can be changed") {
  std::string message = query();
  static_cast<void>(sign_request(message, make_key(), now));
  for (std::size_t i = 2; i < message.size(); ++i) {
    std::string changed = message;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    INFO(i);
    CHECK(check(changed).state != State::good);
  }
}

TEST_CASE("TSIG: an unsigned request is said to be so") {
  CHECK(check(query()).state == State::not_signed);
  CHECK(check(answer()).state == State::not_signed);
  TsigSigner signer(check(query()));
  CHECK_FALSE(signer.is_active());
  CHECK(signer.octets() == 0);
  std::string message = answer();
  signer.sign(message, now);
  CHECK(message == answer());
}

TEST_CASE("TSIG: an unknown key or one for another algorithm is BADKEY") {
  std::string message = query();
  const std::string mac = sign_request(message, make_key(), now);
  for (const TsigKey& other :
       {make_key("other.example"), make_key("key.example", TsigAlgorithm::hmac_sha512)}) {
    const TsigRequest request = check(message, {other});
    CHECK(request.state == State::refused);
    CHECK(request.error == tsig_error::badkey);
    CHECK_FALSE(request.key);
    const auto seen = exchange(request, mac);
    REQUIRE_FALSE(seen);
    CHECK(seen.error().error == tsig_error::badkey);
  }
}

TEST_CASE("TSIG: a wrong secret is BADSIG, answered without a MAC") {
  std::string message = query();
  const std::string mac = sign_request(message, make_key(), now);
  const TsigRequest request =
      check(message, {make_key("key.example", TsigAlgorithm::hmac_sha256, "another")});
  CHECK(request.state == State::refused);
  CHECK(request.error == tsig_error::badsig);
  CHECK_THAT(request.why, Catch::Contains("key.example"));
  TsigSigner signer(request);
  std::string reply = answer();
  signer.sign(reply, now);
  CHECK(tsig_of(reply).tsig.mac == "");
  CHECK(tsig_of(reply).tsig.error == tsig_error::badsig);
  CHECK(exchange(request, mac).error().error == tsig_error::badsig);
}

TEST_CASE("TSIG: a clock that is off is BADTIME, and the answer says what time it is") {
  std::string message = query();
  const std::string mac = sign_request(message, make_key(), now);
  CHECK(check(message, {make_key()}, now + 300).state == State::good);
  CHECK(check(message, {make_key()}, now - 300).state == State::good);
  CHECK(check(message, {make_key()}, now - 301).error == tsig_error::badtime);
  const TsigRequest request = check(message, {make_key()}, now + 301);
  CHECK(request.error == tsig_error::badtime);
  TsigSigner signer(request);
  std::string reply = answer();
  signer.sign(reply, now + 301);
  const Tsig tsig = tsig_of(reply).tsig;
  CHECK(tsig.time_signed == now);
  CHECK(hex(tsig.other) == "00006553f22d");  // 1700000301
  // Signed, so the client may believe it.
  TsigVerifier verifier(make_key(), mac);
  const auto seen = verifier.check(reply, now);
  REQUIRE_FALSE(seen);
  CHECK(seen.error().error == tsig_error::badtime);
  CHECK_THAT(seen.error().why, Catch::Contains("there it is 1700000301"));
}

TEST_CASE("TSIG: a wrong MAC is BADSIG even when the time is wrong, too") {
  std::string message = query();
  static_cast<void>(sign_request(message, make_key(), now));
  message.back() = static_cast<char>(message.back() ^ 1);  // other length: malformed
  CHECK(check(message).state == State::malformed);
  std::string forged = query();
  static_cast<void>(
      sign_request(forged, make_key("key.example", TsigAlgorithm::hmac_sha256, "x"), now - 100000));
  CHECK(check(forged).error == tsig_error::badsig);
}

TEST_CASE("TSIG: a peer's fudge counts if it is less, not if it is more") {
  TsigLimits wide;
  wide.fudge = 30000;
  std::string message = query();
  static_cast<void>(sign_request(message, make_key(), now, wide));
  CHECK(check(message, {make_key()}, now + 301).error == tsig_error::badtime);
  CHECK(check(message, {make_key()}, now + 301, wide).state == State::good);
  TsigLimits narrow;
  narrow.fudge = 5;
  message = query();
  static_cast<void>(sign_request(message, make_key(), now, narrow));
  CHECK(check(message, {make_key()}, now + 6).error == tsig_error::badtime);
}

TEST_CASE("TSIG: MACs cut short (RFC 8945 5.2.2.1)") {
  std::string message = query();
  static_cast<void>(sign_request(message, make_key(), now));
  const auto cut = [&](std::size_t octets) {
    return with_tsig(message,
                     [octets](TsigRecord& record) { record.tsig.mac.resize(octets, 'x'); });
  };
  TsigLimits lenient;
  lenient.truncated_macs = true;
  CHECK(check(cut(16)).error == tsig_error::badtrunc);
  CHECK(check(cut(16), {make_key()}, now, lenient).state == State::good);
  CHECK(check(cut(31), {make_key()}, now, lenient).state == State::good);
  CHECK(check(cut(15), {make_key()}, now, lenient).state == State::malformed);
  CHECK(check(cut(33), {make_key()}, now, lenient).state == State::malformed);
  CHECK(check(cut(0), {make_key()}, now, lenient).state == State::malformed);
  // What is left of it is still checked.
  const std::string wrong = with_tsig(cut(16), [](TsigRecord& record) {
    record.tsig.mac[15] = static_cast<char>(record.tsig.mac[15] ^ 1);
  });
  CHECK(check(wrong, {make_key()}, now, lenient).error == tsig_error::badsig);
}

TEST_CASE("TSIG: MD5 and SHA-1 are unknown unless they are switched on") {
  const auto weak = GENERATE(TsigAlgorithm::hmac_md5, TsigAlgorithm::hmac_sha1);
  const TsigKey key = make_key("key.example", weak);
  std::string message = query();
  static_cast<void>(sign_request(message, key, now));
  CHECK(check(message, {key}).error == tsig_error::badkey);
  TsigLimits limits;
  limits.weak_digests = true;
  CHECK(check(message, {key}, now, limits).state == State::good);
}

TEST_CASE("TSIG: a record out of its place or form is malformed") {
  std::string message = query();
  static_cast<void>(sign_request(message, make_key(), now));
  std::string twice = message;
  static_cast<void>(sign_request(twice, make_key(), now));
  CHECK_THAT(check(twice).why, Catch::Contains("isn't its last record"));
  CHECK(check(message + "x").state == State::malformed);
  CHECK(check(message.substr(0, message.size() - 1)).state == State::malformed);
  CHECK(check("").state == State::malformed);
  CHECK(check(message.substr(0, 11)).state == State::malformed);
  // Class and TTL.
  const std::size_t begin = tsig_of(message).begin + name("key.example").wire().size();
  for (const std::size_t at : {begin + 3, begin + 7}) {
    std::string changed = message;
    changed[at] = '\1';
    CHECK_THAT(check(changed).why, Catch::Contains("class ANY with TTL 0"));
  }
  std::string many = message;
  many[4] = '\x7f';
  CHECK(check(many).state == State::malformed);
}

TEST_CASE("TSIG: an answer belongs to its request") {
  std::string message = query();
  const std::string mac = sign_request(message, make_key(), now);
  CHECK(exchange(check(message), mac).value());
  CHECK(exchange(check(message), mac, now + 300).value());
  CHECK_FALSE(exchange(check(message), mac, now + 301));
  CHECK_FALSE(exchange(check(message), "another MAC"));
  CHECK_FALSE(exchange(check(message), mac, now, make_key("other.example")));
  CHECK_FALSE(exchange(check(message), mac, now,
                       make_key("key.example", TsigAlgorithm::hmac_sha256, "another")));
}

TEST_CASE("TSIG: an answer without a TSIG is refused") {
  std::string message = query();
  const std::string mac = sign_request(message, make_key(), now);
  TsigVerifier verifier(make_key(), mac);
  const auto seen = verifier.check(answer(), now);
  REQUIRE_FALSE(seen);
  CHECK(seen.error().why == "the answer isn't signed");
  CHECK_FALSE(verifier.is_complete());
}

namespace {

// A transfer of `count` messages, of which those that `is_signed` says are signed, the way a server
// does that signs not all: what is unsigned goes into the next MAC.
template <class IsSigned>
std::vector<std::string> stream(const std::string& request_mac, std::size_t count,
                                const IsSigned& is_signed) {
  const TsigKey key = make_key();
  std::vector<std::string> messages;
  Hmac hmac(key.algorithm, key.secret);
  add_mac(hmac, request_mac);
  for (std::size_t i = 0; i < count; ++i) {
    std::string message = answer(static_cast<std::uint16_t>(i));
    hmac.add(message);
    if (is_signed(i)) {
      Tsig tsig;
      tsig.algorithm = name("hmac-sha256");
      tsig.time_signed = now;
      tsig.fudge = 300;
      tsig.original_id = static_cast<std::uint16_t>(i);
      if (i == 0) {
        add_variables(hmac, key.name, tsig);
      } else {
        add_timers(hmac, tsig);
      }
      tsig.mac = hmac.finish();
      append_tsig(message, key.name, tsig);
      hmac = Hmac(key.algorithm, key.secret);
      add_mac(hmac, tsig.mac);
    }
    messages.push_back(message);
  }
  return messages;
}

bool accepts(const std::vector<std::string>& messages, const std::string& request_mac) {
  TsigVerifier verifier(make_key(), request_mac);
  for (const std::string& message : messages) {
    if (!verifier.check(message, now)) return false;
  }
  return verifier.is_complete();
}

}  // namespace

TEST_CASE("TSIG stream: what our signer signs our verifier takes, in this order only") {
  std::string request = query();
  const std::string mac = sign_request(request, make_key(), now);
  TsigSigner signer(check(request));
  std::vector<std::string> messages;
  for (std::uint16_t i = 0; i < 5; ++i) {
    messages.push_back(answer(i));
    const std::size_t before = messages.back().size();
    signer.sign(messages.back(), now + i);
    CHECK(messages.back().size() <= before + signer.octets());
  }
  CHECK(accepts(messages, mac));
  std::swap(messages[2], messages[3]);
  CHECK_FALSE(accepts(messages, mac));
  std::swap(messages[2], messages[3]);
  messages.erase(messages.begin() + 1);
  CHECK_FALSE(accepts(messages, mac));
}

TEST_CASE("TSIG stream: 99 unsigned messages in a row are the most") {
  const std::string mac = "the MAC of the request";
  CHECK(accepts(stream(mac, 101, [](std::size_t i) { return i % 100 == 0; }), mac));
  CHECK_FALSE(accepts(stream(mac, 102, [](std::size_t i) { return i % 101 == 0; }), mac));
}

TEST_CASE("TSIG stream: the first and the last message must be signed") {
  const std::string mac = "the MAC of the request";
  CHECK_FALSE(accepts(stream(mac, 3, [](std::size_t i) { return i != 0; }), mac));
  CHECK_FALSE(accepts(stream(mac, 3, [](std::size_t i) { return i != 2; }), mac));
}

TEST_CASE("TSIG stream: unsigned messages are good only with the signed one behind them") {
  const std::string mac = "the MAC of the request";
  auto messages = stream(mac, 4, [](std::size_t i) { return i == 0 || i == 3; });
  CHECK(accepts(messages, mac));
  std::string& middle = messages[1];
  middle[3] = static_cast<char>(middle[3] ^ 1);
  TsigVerifier verifier(make_key(), mac);
  CHECK(verifier.check(messages[0], now).value());
  CHECK_FALSE(verifier.check(messages[1], now).value());
  CHECK_FALSE(verifier.is_complete());
  CHECK_FALSE(verifier.check(messages[2], now).value());
  CHECK_FALSE(verifier.check(messages[3], now));
  // Over is over.
  CHECK_FALSE(verifier.check(messages[3], now));
}

TEST_CASE("TSIG keys: what dig takes on its command line") {
  const auto with_algorithm = TsigKey::parse("hmac-sha512:key.example:c2VjcmV0");
  REQUIRE(with_algorithm);
  CHECK(with_algorithm->name == name("key.example"));
  CHECK(with_algorithm->algorithm == TsigAlgorithm::hmac_sha512);
  CHECK(with_algorithm->secret == Secret("secret"));
  CHECK(TsigKey::parse(" key.example:c2VjcmV0\n")->algorithm == TsigAlgorithm::hmac_sha256);
}

TEST_CASE("TSIG keys: an error says what is wrong, and never the secret") {
  const auto [text, why] = GENERATE(table<std::string, std::string>({
      {"", "ALGORITHM:NAME:SECRET"},
      {"c2VjcmV0", "ALGORITHM:NAME:SECRET"},
      {"a:b:c:d", "ALGORITHM:NAME:SECRET"},
      {"hmac-sha3:key:c2VjcmV0", "\"hmac-sha3\" is no algorithm"},
      {"hmac-sha256:a..b:c2VjcmV0", "empty label"},
      {"key:c2VjcmV0!", "secret of key key isn't base64"},
      {"key:", "isn't base64"},
  }));
  const auto key = TsigKey::parse(text);
  REQUIRE_FALSE(key);
  CHECK_THAT(key.error(), Catch::Contains(why));
  CHECK_THAT(key.error(), !Catch::Contains("c2VjcmV0"));
}

TEST_CASE("TSIG keys: BIND's file, with comments, and what we write is read") {
  const auto keys = parse_tsig_keys(R"(
    # made by tsig-keygen
    key "first.example" {   // quoted
        algorithm hmac-sha256;
        secret "c2VjcmV0";
    };
    /* the other
       way round */
    key second { secret c2VjcmV0; algorithm HMAC-MD5.SIG-ALG.REG.INT.; };
  )");
  if (!keys) FAIL(keys.error());
  REQUIRE(keys->size() == 2);
  CHECK((*keys)[0].name == name("first.example"));
  CHECK((*keys)[1].algorithm == TsigAlgorithm::hmac_md5);
  CHECK((*keys)[1].secret == Secret("secret"));
  const auto again = parse_tsig_keys(format_tsig_key((*keys)[0]).view());
  REQUIRE(again);
  CHECK(again->front() == (*keys)[0]);
  CHECK(parse_tsig_keys("").value().empty());
}

TEST_CASE("TSIG keys: a file that isn't one is refused with the line") {
  const auto [text, why] = GENERATE(table<std::string, std::string>({
      {"zone x {};", "line 1: \"key\" is expected"},
      {"\nkey x { algorithm hmac-sha256; secret c2VjcmV0; }", "line 2: \";\" is missing"},
      {"key x algorithm", "\"{\" must follow"},
      {"key x { algorithm hmac-sha256 secret", "\";\" is missing"},
      {"key x { secret c2VjcmV0; };", "is no algorithm"},
      {"key x { algorithm hmac-sha256; };", "isn't base64"},
      {"key x {\n size 5; };", "\"size\" is neither"},
      {"key x {", "is neither"},
      {"key \"", "\"{\" must follow"},
      {"\"\" key x", "is expected"},
  }));
  const auto keys = parse_tsig_keys(text);
  REQUIRE_FALSE(keys);
  CHECK_THAT(keys.error(), Catch::Contains(why));
}
