#include "libmail/message/base64.h"

#include "libmail/base/base64.h"
#include "libmail/base/base64_run.h"

namespace posthorn::message {

namespace {

constexpr std::size_t line_octets = 57;  // 76 characters

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

}  // namespace

void Base64Notes::report(Anomalies& anomalies, std::uint64_t offset) const {
  if (junk != 0) anomalies.add(AnomalyKind::bad_base64, offset);
  if (data_after_padding) anomalies.add(AnomalyKind::base64_after_padding, offset);
  if (missing_padding || lone_character) anomalies.add(AnomalyKind::truncated_base64, offset);
}

std::size_t Base64Decoder::decode(std::string_view text, char* out) {
  char* const begin = out;
  while (!text.empty() && !stopped_) {
    if (held_ == 0 && !padded_) {
      const base64::Run run = base64::decode_run(text, out, base64::LineEnds::skip);
      text.remove_prefix(run.read);
      out += run.written;
      if (text.empty()) break;
    }
    out = take(text.front(), out);
    text.remove_prefix(1);
  }
  return static_cast<std::size_t>(out - begin);
}

char* Base64Decoder::take(char c, char* out) {
  const std::uint8_t value = base64::value_of(c);
  if (value < 64) {
    if (padded_) {
      notes_.data_after_padding = true;
      if (mode_ == DecodeMode::strict) stopped_ = true;
      if (stopped_) return out;
    }
    padded_ = false;
    bits_ = bits_ << 6 | value;
    if (++held_ < 4) return out;
    *out++ = static_cast<char>(bits_ >> 16 & 0xff);
    *out++ = static_cast<char>(bits_ >> 8 & 0xff);
    *out++ = static_cast<char>(bits_ & 0xff);
    held_ = 0;
    return out;
  }
  if (is_blank(c)) return out;
  if (c == '=' && (held_ >= 2 || padded_)) {
    out = end_group(out);
    padded_ = true;
    return out;
  }
  ++notes_.junk;
  if (mode_ == DecodeMode::strict) stopped_ = true;
  return out;
}

// Writes what a group of two or three characters holds.
char* Base64Decoder::end_group(char* out) {
  if (held_ == 1) notes_.lone_character = true;
  if (held_ == 2) {
    *out++ = static_cast<char>(bits_ >> 4 & 0xff);
    notes_.trailing_bits |= (bits_ & 0xf) != 0;
  } else if (held_ == 3) {
    *out++ = static_cast<char>(bits_ >> 10 & 0xff);
    *out++ = static_cast<char>(bits_ >> 2 & 0xff);
    notes_.trailing_bits |= (bits_ & 0x3) != 0;
  }
  held_ = 0;
  return out;
}

void Base64Decoder::feed(std::string_view text, std::string& out) {
  const std::size_t before = out.size();
  out.resize(before + room(text.size()));
  out.resize(before + decode(text, out.data() + before));
}

void Base64Decoder::finish(std::string& out) {
  if (stopped_ || held_ == 0) return;
  notes_.missing_padding |= held_ != 1;
  char octets[2];
  out.append(octets, static_cast<std::size_t>(end_group(octets) - octets));
}

void Base64Encoder::feed(std::string_view octets, std::string& out) {
  if (held_.size() + octets.size() < line_octets) {
    held_.append(octets);
    return;
  }
  const std::size_t lines = (held_.size() + octets.size()) / line_octets;
  const std::size_t before = out.size();
  out.resize(before + lines * 78 + base64::slack);
  char* to = out.data() + before;
  const auto write_line = [&to](std::string_view line) {
    to += base64::encode_run(line, to).written;
    *to++ = '\r';
    *to++ = '\n';
  };
  if (!held_.empty()) {
    const std::size_t missing = line_octets - held_.size();
    held_.append(octets.substr(0, missing));
    octets.remove_prefix(missing);
    write_line(held_);
    held_.clear();
  }
  for (; octets.size() >= line_octets; octets.remove_prefix(line_octets)) {
    write_line(octets.substr(0, line_octets));
  }
  held_.assign(octets);
  out.resize(static_cast<std::size_t>(to - out.data()));
}

void Base64Encoder::finish(std::string& out) {
  if (!held_.empty()) out.append(encode_base64(held_)).append("\r\n");
  held_.clear();
}

}  // namespace posthorn::message
