#include "libmail/message/transfer_encoding.h"

#include <algorithm>

#include "libmail/base/text.h"
#include "libmail/message/line_scan.h"

namespace posthorn::message {

namespace {

QuotedPrintableEncoder::Of quoted_of(Exactness exactness) {
  return exactness == Exactness::text ? QuotedPrintableEncoder::Of::text
                                      : QuotedPrintableEncoder::Of::octets;
}

}  // namespace

EncodingChooser::EncodingChooser(Exactness exactness)
    : exactness_(exactness), quoted_(quoted_of(exactness)) {}

void EncodingChooser::feed(std::string_view content) {
  constexpr std::size_t slice = 64 * 1024;
  size_ += content.size();
  for (const char c : content) count(c);
  for (std::size_t at = 0; at < content.size(); at += slice) {
    quoted_.feed(content.substr(at, slice), scratch_);
    quoted_size_ += scratch_.size();
    scratch_.clear();
  }
}

void EncodingChooser::count(char c) {
  if (c == '\n') {
    if (!cr_) ++bare_lf_;
    longest_line_ = std::max(longest_line_, line_ - (cr_ ? 1 : 0));
    line_ = 0;
    cr_ = false;
    return;
  }
  if (cr_) bare_cr_ = true;
  cr_ = c == '\r';
  ++line_;
  nul_ |= c == '\0';
  eight_bit_ |= is_8bit(c);
}

void EncodingChooser::finish() {
  if (cr_) bare_cr_ = true;
  longest_line_ = std::max(longest_line_, line_);
  quoted_.finish(scratch_);
  quoted_size_ += scratch_.size();
  scratch_.clear();
}

std::optional<std::uint64_t> EncodingChooser::cost(Encoding encoding) const {
  const bool lines = !bare_cr_ && !nul_ && longest_line_ <= longest_line &&
                     (exactness_ == Exactness::text || bare_lf_ == 0);
  switch (encoding) {
    case Encoding::seven_bit:
      if (!lines || eight_bit_) return std::nullopt;
      return size_ + bare_lf_;
    case Encoding::eight_bit:
      if (!lines) return std::nullopt;
      return size_ + bare_lf_;
    case Encoding::quoted_printable:
      return quoted_size_;
    case Encoding::base64:
      return base64_size(size_ + (exactness_ == Exactness::text ? bare_lf_ : 0));
    case Encoding::binary:
      return size_;
    case Encoding::unknown:
      break;
  }
  return std::nullopt;
}

Encoding EncodingChooser::choose(bool allow_8bit) const {
  if (cost(Encoding::seven_bit)) return Encoding::seven_bit;
  if (allow_8bit && cost(Encoding::eight_bit)) return Encoding::eight_bit;
  return *cost(Encoding::quoted_printable) <= *cost(Encoding::base64) ? Encoding::quoted_printable
                                                                      : Encoding::base64;
}

TransferEncoder::TransferEncoder(Encoding encoding, Exactness exactness) {
  if (encoding == Encoding::base64) encoder_.emplace<Base64Encoder>();
  if (encoding == Encoding::quoted_printable)
    encoder_.emplace<QuotedPrintableEncoder>(quoted_of(exactness));
}

void TransferEncoder::feed(std::string_view content, std::string& out) {
  if (auto* base64 = std::get_if<Base64Encoder>(&encoder_)) return base64->feed(content, out);
  if (auto* quoted = std::get_if<QuotedPrintableEncoder>(&encoder_))
    return quoted->feed(content, out);
  bool& cr = std::get<bool>(encoder_);
  while (!content.empty()) {
    const std::size_t end = content.find('\n');
    const std::string_view line = content.substr(0, end);
    out.append(line);
    if (!line.empty()) cr = line.back() == '\r';
    if (end == std::string_view::npos) return;
    out.append(cr ? "\n" : "\r\n");
    cr = false;
    content.remove_prefix(end + 1);
  }
}

void TransferEncoder::finish(std::string& out) {
  if (auto* base64 = std::get_if<Base64Encoder>(&encoder_)) base64->finish(out);
  if (auto* quoted = std::get_if<QuotedPrintableEncoder>(&encoder_)) quoted->finish(out);
}

std::string with_crlf(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 32);
  TransferEncoder lines(Encoding::eight_bit, Exactness::text);
  lines.feed(text, out);
  lines.finish(out);
  return out;
}

}  // namespace posthorn::message
