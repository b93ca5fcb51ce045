#include "libmail/message/body_reader.h"

#include <algorithm>
#include <cstring>

namespace posthorn::message {

BodyReader::BodyReader(Encoding encoding, DecodeMode mode) {
  if (encoding == Encoding::base64) decoder_.emplace<Base64Decoder>(mode);
  if (encoding == Encoding::quoted_printable) decoder_.emplace<QuotedPrintableDecoder>(mode);
}

void BodyReader::feed(std::string_view raw, std::string& out) {
  if (auto* base64 = std::get_if<Base64Decoder>(&decoder_)) {
    base64->feed(raw, out);
  } else if (auto* quoted = std::get_if<QuotedPrintableDecoder>(&decoder_)) {
    quoted->feed(raw, out);
  } else {
    out += raw;
  }
}

void BodyReader::finish(std::string& out) {
  if (auto* base64 = std::get_if<Base64Decoder>(&decoder_)) base64->finish(out);
  if (auto* quoted = std::get_if<QuotedPrintableDecoder>(&decoder_)) quoted->finish(out);
}

void BodyReader::report(Anomalies& anomalies, std::uint64_t offset) const {
  if (const auto* base64 = std::get_if<Base64Decoder>(&decoder_))
    base64->notes().report(anomalies, offset);
  if (const auto* quoted = std::get_if<QuotedPrintableDecoder>(&decoder_))
    quoted->notes().report(anomalies, offset);
}

TextReader::TextReader(Encoding encoding, std::string_view charset)
    : body_(encoding), text_(charset) {}

void TextReader::feed(std::string_view raw, std::string& out) {
  octets_.clear();
  body_.feed(raw, octets_);
  const std::size_t from = out.size();
  text_.feed(octets_, out);
  join_line_ends(out, from);
}

void TextReader::finish(std::string& out) {
  octets_.clear();
  body_.finish(octets_);
  const std::size_t from = out.size();
  text_.feed(octets_, out);
  text_.finish(out);
  join_line_ends(out, from);
  if (held_cr_) out += '\r';
  held_cr_ = false;
}

// CRLF to LF in what was appended behind `from`; a CR at the very end waits for what follows.
void TextReader::join_line_ends(std::string& out, std::size_t from) {
  if (out.size() == from) return;
  if (held_cr_) out.insert(from, 1, '\r');
  held_cr_ = out.back() == '\r';
  if (held_cr_) out.pop_back();
  // What lies between two CRs is moved as a piece.
  std::size_t to = std::min(out.find('\r', from), out.size());
  for (std::size_t at = to; at < out.size();) {
    const bool ends_line = at + 1 < out.size() && out[at + 1] == '\n';
    const std::size_t begin = ends_line ? at + 1 : at;
    const std::size_t end = std::min(out.find('\r', at + 1), out.size());
    std::memmove(out.data() + to, out.data() + begin, end - begin);
    to += end - begin;
    at = end;
  }
  out.resize(to);
}

void TextReader::report(Anomalies& anomalies, std::uint64_t offset) const {
  body_.report(anomalies, offset);
  if (text_.unknown_label()) anomalies.add(AnomalyKind::unknown_charset, offset);
  if (text_.replaced() != 0) anomalies.add(AnomalyKind::invalid_in_charset, offset);
}

std::string decode_body(const MessageView& message, std::uint32_t part, Anomalies* anomalies) {
  BodyReader reader(message.part(part).encoding);
  std::string out;
  reader.feed(message.raw_body(part), out);
  reader.finish(out);
  if (anomalies != nullptr) reader.report(*anomalies, message.part(part).body_begin);
  return out;
}

std::string decode_text(const MessageView& message, std::uint32_t part, Anomalies* anomalies) {
  TextReader reader(message.part(part).encoding, message.content(part).type.charset());
  // In pieces: the octets between the two decoders are needed one piece at a time.
  constexpr std::size_t piece = 64 * 1024;
  std::string out;
  for (std::string_view raw = message.raw_body(part); !raw.empty();) {
    reader.feed(raw.substr(0, piece), out);
    raw.remove_prefix(std::min(piece, raw.size()));
  }
  reader.finish(out);
  if (anomalies != nullptr) reader.report(*anomalies, message.part(part).body_begin);
  return out;
}

}  // namespace posthorn::message
