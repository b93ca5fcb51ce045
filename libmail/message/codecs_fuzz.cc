// Decoders that stream: cut anywhere they give the same, fast and plain base64 agree, what an encoder
// wrote is read back, and a charset gives well-formed UTF-8 whatever it was fed.
#include <cstdint>

#include "libmail/base/base64.h"
#include "libmail/base/base64_run.h"
#include "libmail/base/result.h"
#include "libmail/base/text.h"
#include "libmail/message/charset.h"
#include "libmail/message/transfer_encoding.h"

using namespace posthorn;
using namespace posthorn::message;

namespace {

void hold(bool condition, int line = __builtin_LINE()) {
  check(condition, "what has to hold", __builtin_FILE(), line);
}

// Feeds `text` whole and in pieces of growing size, and wants the same of both.
template <class Decoder>
std::string decoded(Decoder whole, Decoder pieces, std::string_view text) {
  std::string one;
  whole.feed(text, one);
  whole.finish(one);
  std::string two;
  for (std::size_t at = 0, step = 1; at < text.size(); at += step++)
    pieces.feed(text.substr(at, step), two);
  pieces.finish(two);
  hold(one == two);
  return one;
}

void base64_kernels(std::string_view text) {
  using namespace base64;
  for (const LineEnds ends : {LineEnds::stop, LineEnds::skip}) {
    std::string expected(text.size() + slack, '\0');
    const Run plain = decode_run(text, expected.data(), ends, Kernel::scalar);
    for (const Kernel kernel : kernels()) {
      std::string got(text.size() + slack, '\0');
      const Run run = decode_run(text, got.data(), ends, kernel);
      hold(run.read == plain.read && run.written == plain.written);
      hold(got.compare(0, run.written, expected, 0, run.written) == 0);
    }
  }
  const std::string expected = encode_base64(text);
  for (const Kernel kernel : kernels()) {
    std::string got(text.size() * 2 + slack, '\0');
    const Run run = encode_run(text, got.data(), kernel);
    hold(expected.compare(0, run.written, got, 0, run.written) == 0);
  }
  hold(decode_base64(expected) == text);
}

void transfer(std::string_view text) {
  for (const Exactness exactness : {Exactness::text, Exactness::octets}) {
    EncodingChooser chooser(exactness);
    chooser.feed(text.substr(0, text.size() / 3));
    chooser.feed(text.substr(text.size() / 3));
    chooser.finish();
    for (const Encoding encoding :
         {Encoding::seven_bit, Encoding::eight_bit, Encoding::base64, Encoding::quoted_printable}) {
      const auto cost = chooser.cost(encoding);
      if (!cost) continue;
      const TransferEncoder encoder(encoding, exactness);
      const std::string out = decoded(encoder, encoder, text);
      if (exactness == Exactness::octets || encoding != Encoding::base64) hold(out.size() == *cost);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  base64_kernels(text);
  transfer(text);
  for (const DecodeMode mode : {DecodeMode::display, DecodeMode::strict}) {
    (void)decoded(Base64Decoder(mode), Base64Decoder(mode), text);
    (void)decoded(QuotedPrintableDecoder(mode), QuotedPrintableDecoder(mode), text);
  }
  for (const auto of : {QuotedPrintableEncoder::Of::text, QuotedPrintableEncoder::Of::octets}) {
    const std::string quoted =
        decoded(QuotedPrintableEncoder(of), QuotedPrintableEncoder(of), text);
    const QuotedPrintableDecoder strict(DecodeMode::strict);
    const std::string back = decoded(strict, strict, quoted);
    if (of == QuotedPrintableEncoder::Of::octets) hold(back == text);
  }
  const Base64Encoder encoder;
  const Base64Decoder strict(DecodeMode::strict);
  hold(decoded(strict, strict, decoded(encoder, encoder, text)) == text);

  if (text.empty()) return 0;
  const int charsets = static_cast<int>(Charset::replacement) + 1;
  const auto charset = static_cast<Charset>(static_cast<unsigned char>(text[0]) % charsets);
  hold(is_utf8(decoded(CharsetDecoder(charset), CharsetDecoder(charset), text.substr(1))));
  hold(is_utf8(decoded(TextDecoder(""), TextDecoder(""), text)));
  hold(is_utf8(raw_to_utf8(text)));
  return 0;
}
