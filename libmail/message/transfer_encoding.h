// Content-Transfer-Encoding (RFC 2045 6): choosing the cheapest one, writing it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "libmail/message/base64.h"
#include "libmail/message/content_type.h"
#include "libmail/message/quoted_printable.h"

namespace posthorn::message {

// How exactly content has to arrive.
enum class Exactness : std::uint8_t {
  text,    // its line ends, LF or CRLF, become CRLF
  octets,  // to the last octet: attachments
};

// Reads content once, cut anywhere, and knows what each encoding would cost to the octet.
class EncodingChooser {
 public:
  explicit EncodingChooser(Exactness exactness);
  void feed(std::string_view content);
  void finish();
  // 7bit if it can, 8bit if it can and may, else the shorter of quoted-printable and base64.
  [[nodiscard]] Encoding choose(bool allow_8bit) const;
  // Octets as encoded, line ends included; nothing if that encoding can't carry the content.
  [[nodiscard]] std::optional<std::uint64_t> cost(Encoding encoding) const;

 private:
  void count(char c);

  Exactness exactness_;
  std::uint64_t size_ = 0;
  std::uint64_t bare_lf_ = 0;
  std::uint64_t line_ = 0;  // octets of the line not ended yet
  std::uint64_t longest_line_ = 0;
  bool bare_cr_ = false;
  bool nul_ = false;
  bool eight_bit_ = false;
  bool cr_ = false;  // the last octet was one
  QuotedPrintableEncoder quoted_;
  std::uint64_t quoted_size_ = 0;
  std::string scratch_;
};

// Writes content in an encoding, cut anywhere. In 7bit and 8bit LF becomes CRLF.
class TransferEncoder {
 public:
  TransferEncoder(Encoding encoding, Exactness exactness);
  void feed(std::string_view content, std::string& out);
  void finish(std::string& out);

 private:
  // bool: of 7bit and 8bit, whether the last octet was a CR.
  std::variant<bool, Base64Encoder, QuotedPrintableEncoder> encoder_ = false;
};

// What TransferEncoder makes of it in 7bit or 8bit.
[[nodiscard]] std::string with_crlf(std::string_view text);

}  // namespace posthorn::message
