#include "libmail/message/base64.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "libmail/base/base64.h"
#include "libmail/base/base64_run.h"

using namespace posthorn;
using namespace posthorn::message;

namespace {

struct Decoded {
  std::string octets;
  Base64Notes notes;
};

Decoded decoded(std::string_view text, DecodeMode mode = DecodeMode::display,
                std::size_t cut = std::string::npos) {
  Base64Decoder decoder(mode);
  Decoded result;
  cut = std::min(cut, text.size());
  decoder.feed(text.substr(0, cut), result.octets);
  decoder.feed(text.substr(cut), result.octets);
  decoder.finish(result.octets);
  result.notes = decoder.notes();
  return result;
}

// Octets without a pattern that a group or a line could hide.
std::string octets(std::size_t size) {
  std::string out;
  std::uint32_t state = 12345;
  for (std::size_t i = 0; i < size; ++i) {
    state = state * 1664525u + 1013904223u;
    out += static_cast<char>(state >> 24);
  }
  return out;
}

std::string encoded(std::string_view text, std::size_t cut) {
  Base64Encoder encoder;
  std::string out;
  encoder.feed(text.substr(0, cut), out);
  encoder.feed(text.substr(cut), out);
  encoder.finish(out);
  return out;
}

}  // namespace

TEST_CASE("Base64Decoder: what any reader reads, both modes read alike") {
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      {"", ""},
      {"QQ==", "A"},
      {"QUI=", "AB"},
      {"QUJD", "ABC"},
      {"QUJD\r\nREVG\r\n", "ABCDEF"},
      {"QU\nJD\nRE VG", "ABCDEF"},
      {"QUJDRA==\r\n\r\n", "ABCD"},
      {"QQ", "A"},
      {"QUI", "AB"},
      {"Q Q = =", "A"},
  }));
  CAPTURE(text);
  CHECK(decoded(text).octets == expected);
  CHECK(decoded(text, DecodeMode::strict).octets == expected);
  CHECK_FALSE(decoded(text).notes.ambiguous());
}

TEST_CASE(
    "Base64Decoder: where two readers disagree, display goes on, strict stops, and it shows") {
  const auto [text, display, strict] = GENERATE(table<std::string, std::string, std::string>({
      {"QUJD!REVG", "ABCDEF", "ABC"},
      {"QUJD.\r\nREVG", "ABCDEF", "ABC"},
      {"QQ==QUJD", "AABC", "A"},
      {"QQ==\r\nQg==", "AB", "A"},
      {"=QUJD", "ABC", ""},
      {"QUJDR", "ABC", "ABC"},
      {"QUJDQUJD=QUJD", "ABCABCABC", "ABCABC"},
      {"QQ-_", "A", ""},
  }));
  CAPTURE(text);
  CHECK(decoded(text).octets == display);
  CHECK(decoded(text, DecodeMode::strict).octets == strict);
  CHECK(decoded(text).notes.ambiguous());
  CHECK(decoded(text, DecodeMode::strict).notes.ambiguous());
}

TEST_CASE("Base64Notes: become anomalies") {
  Anomalies anomalies;
  decoded("Q!UJ").notes.report(anomalies, 5);
  decoded("QQ==QQ==").notes.report(anomalies, 6);
  REQUIRE(anomalies.list().size() == 3);
  CHECK(anomalies.list()[0].kind == AnomalyKind::bad_base64);
  CHECK(anomalies.list()[0].offset == 5);
  CHECK(anomalies.list()[1].kind == AnomalyKind::truncated_base64);
  CHECK(anomalies.list()[2].kind == AnomalyKind::base64_after_padding);
}

TEST_CASE("Base64Decoder: gives the same wherever the text is cut") {
  const std::string good = encoded(octets(400), 0);
  const std::string bad = "QUJD" + good.substr(0, 100) + "==" + good.substr(101, 90) + "%" + good;
  for (const std::string& text : {good, bad}) {
    for (const DecodeMode mode : {DecodeMode::display, DecodeMode::strict}) {
      const Decoded whole = decoded(text, mode);
      for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        CAPTURE(cut);
        const Decoded parts = decoded(text, mode, cut);
        CHECK(parts.octets == whole.octets);
        CHECK(parts.notes.junk == whole.notes.junk);
      }
    }
  }
  CHECK(decoded(good).octets == octets(400));
}

TEST_CASE("Base64Encoder: lines of 76 columns, the same wherever the octets are cut") {
  for (const std::size_t size : {0u, 1u, 2u, 3u, 56u, 57u, 58u, 114u, 171u, 200u}) {
    const std::string text = octets(size);
    const std::string whole = encoded(text, 0);
    CHECK(whole.size() == base64_size(size));
    CHECK(decoded(whole, DecodeMode::strict).octets == text);
    for (std::size_t cut = 0; cut <= size; ++cut) CHECK(encoded(text, cut) == whole);
  }
  const std::string two_lines = encoded(octets(58), 20);
  CHECK(two_lines.substr(76, 2) == "\r\n");
  CHECK(two_lines.size() == 84);
}

TEST_CASE("base64 kernels: each does what plain C++ does, with every octet in every place") {
  using namespace posthorn::base64;
  const std::string plain = encoded(octets(300), 0);
  for (const Kernel kernel : kernels()) {
    CAPTURE(static_cast<int>(kernel));
    for (std::size_t place = 0; place < 100; ++place) {
      for (int c = 0; c < 256; ++c) {
        std::string text = plain;
        text[place] = static_cast<char>(c);
        std::string one(text.size() + slack, '\0');
        std::string two = one;
        const Run expected = decode_run(text, one.data(), LineEnds::skip, Kernel::scalar);
        const Run got = decode_run(text, two.data(), LineEnds::skip, kernel);
        if (expected.read != got.read || expected.written != got.written ||
            one.substr(0, got.written) != two.substr(0, got.written)) {
          CAPTURE(place, c);
          FAIL("the kernels disagree");
        }
      }
    }
    for (std::size_t size = 0; size < 200; ++size) {
      const std::string text = octets(size);
      std::string one(size * 2 + slack, '\0');
      std::string two = one;
      const Run expected = encode_run(text, one.data(), Kernel::scalar);
      const Run got = encode_run(text, two.data(), kernel);
      CHECK(expected.read == got.read);
      CHECK(one.substr(0, expected.written) == two.substr(0, got.written));
    }
  }
  CHECK(kernels().front() == Kernel::scalar);
}
