#include "libmail/milter/packet.h"

#include <fmt/format.h>

namespace posthorn::milter {

void append_number(std::string& into, std::uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) into += static_cast<char>((number >> shift) & 0xff);
}

void append_packet(std::string& into, char letter, std::string_view data) {
  append_number(into, static_cast<std::uint32_t>(data.size() + 1));
  into += letter;
  into += data;
}

std::optional<std::uint32_t> take_number(std::string_view& data) {
  if (data.size() < 4) return std::nullopt;
  std::uint32_t number = 0;
  for (const char octet : data.substr(0, 4))
    number = number << 8 | static_cast<unsigned char>(octet);
  data.remove_prefix(4);
  return number;
}

std::optional<std::string_view> take_text(std::string_view& data) {
  const std::size_t end = data.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view text = data.substr(0, end);
  data.remove_prefix(end + 1);
  return text;
}

void PacketReader::feed(std::string_view octets) {
  if (!problem_.empty()) return;
  octets_.erase(0, begin_);
  begin_ = 0;
  octets_ += octets;
}

std::optional<Packet> PacketReader::next() {
  if (!problem_.empty()) return std::nullopt;
  std::string_view left = std::string_view(octets_).substr(begin_);
  const std::optional<std::uint32_t> size = take_number(left);
  if (!size) return std::nullopt;
  if (*size == 0 || *size > limit_) {
    problem_ = fmt::format("a packet of {} octets, between 1 and {} are allowed", *size, limit_);
    return std::nullopt;
  }
  if (left.size() < *size) return std::nullopt;
  begin_ += 4 + *size;
  return Packet(left.front(), std::string(left.substr(1, *size - 1)));
}

}  // namespace posthorn::milter
