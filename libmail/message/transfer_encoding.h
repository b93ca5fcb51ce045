// Content-Transfer-Encoding (RFC 2045 6): reading the label, choosing the cheapest one, writing it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "libmail/message/base64.h"
#include "libmail/message/quoted_printable.h"

namespace posthorn::message {

enum class TransferEncoding : std::uint8_t {
  seven_bit,
  eight_bit,
  binary,
  quoted_printable,
  base64,
};

[[nodiscard]] std::string_view encoding_name(TransferEncoding encoding);
// Case and blanks at both ends are ignored. Nothing for an unknown one.
[[nodiscard]] std::optional<TransferEncoding> find_encoding(std::string_view name);

// Reads content once, cut anywhere, and knows what each encoding would cost to the octet.
class EncodingChooser {
 public:
  // `octets`: every octet counts (attachments), else it is text whose line ends become CRLF.
  explicit EncodingChooser(bool octets);
  void feed(std::string_view content);
  void finish();
  // 7bit if it can, 8bit if it can and may, else the shorter of quoted-printable and base64.
  [[nodiscard]] TransferEncoding choose(bool allow_8bit) const;
  // Octets as encoded, line ends included; nothing if that encoding can't carry the content.
  [[nodiscard]] std::optional<std::uint64_t> cost(TransferEncoding encoding) const;

 private:
  void line_end(bool with_cr);

  bool octets_;
  std::uint64_t size_ = 0;
  std::uint64_t breaks_ = 0;  // line ends
  std::uint64_t bare_lf_ = 0;
  std::uint64_t line_ = 0;  // octets of the line not ended yet
  std::uint64_t longest_line_ = 0;
  bool bare_cr_ = false;
  bool nul_ = false;
  bool eight_bit_ = false;
  bool held_cr_ = false;
  bool boundary_mark_ = false;
  QuotedPrintableEncoder quoted_;
  std::uint64_t quoted_size_ = 0;
  std::string scratch_;
};

// Writes content in an encoding, cut anywhere. In 7bit and 8bit LF becomes CRLF.
class TransferEncoder {
 public:
  TransferEncoder(TransferEncoding encoding, bool octets);
  void feed(std::string_view content, std::string& out);
  void finish(std::string& out);

 private:
  std::variant<bool, Base64Encoder, QuotedPrintableEncoder> encoder_;  // bool: the last was CR
};

}  // namespace posthorn::message
