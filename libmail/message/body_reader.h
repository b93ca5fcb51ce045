// Bodies decoded: transfer encoding to octets, charset to UTF-8, in pieces.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "libmail/message/anomaly.h"
#include "libmail/message/base64.h"
#include "libmail/message/charset.h"
#include "libmail/message/content_type.h"
#include "libmail/message/message_view.h"
#include "libmail/message/quoted_printable.h"

namespace posthorn::message {

// Undoes a Content-Transfer-Encoding on a body that arrives in pieces cut anywhere. 7bit, 8bit,
// binary and unknown encodings pass as they are.
class BodyReader {
 public:
  explicit BodyReader(Encoding encoding, DecodeMode mode = DecodeMode::display);

  void feed(std::string_view raw, std::string& out);
  void finish(std::string& out);
  // What the decoder met, with the offset of the body: it doesn't know where exactly.
  void report(Anomalies& anomalies, std::uint64_t offset) const;

 private:
  struct Identity {};
  std::variant<Identity, Base64Decoder, QuotedPrintableDecoder> decoder_;
};

// BodyReader and the charset: out comes well-formed UTF-8 with LF for every line end.
class TextReader {
 public:
  // `charset`: the label as the message has it; "" if it has none.
  TextReader(Encoding encoding, std::string_view charset);

  void feed(std::string_view raw, std::string& out);
  void finish(std::string& out);
  void report(Anomalies& anomalies, std::uint64_t offset) const;

 private:
  void join_line_ends(std::string& out, std::size_t from);

  BodyReader body_;
  TextDecoder text_;
  std::string octets_;
  bool held_cr_ = false;
};

// Of a leaf, at once.
[[nodiscard]] std::string decode_body(const MessageView& message, std::uint32_t part,
                                      Anomalies* anomalies = nullptr);
// Of a text part.
[[nodiscard]] std::string decode_text(const MessageView& message, std::uint32_t part,
                                      Anomalies* anomalies = nullptr);

}  // namespace posthorn::message
