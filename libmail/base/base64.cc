#include "libmail/base/base64.h"

#include <cstdint>

#include "libmail/base/base64_run.h"

namespace posthorn {

std::string encode_base64(std::string_view octets) {
  std::string out((octets.size() + 2) / 3 * 4 + base64::slack, '\0');
  const base64::Run run = base64::encode_run(octets, out.data());
  out.resize(run.written);
  octets.remove_prefix(run.read);
  if (octets.empty()) return out;
  const auto at = [&](std::size_t i) {
    return i < octets.size() ? std::uint32_t{static_cast<unsigned char>(octets[i])} : 0u;
  };
  const std::uint32_t group = at(0) << 16 | at(1) << 8;
  out.push_back(base64::character_of(group >> 18));
  out.push_back(base64::character_of(group >> 12 & 63));
  out.push_back(octets.size() > 1 ? base64::character_of(group >> 6 & 63) : '=');
  out.push_back('=');
  return out;
}

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out(text.size() / 4 * 3 + base64::slack, '\0');
  const base64::Run run = base64::decode_run(text, out.data(), base64::LineEnds::stop);
  out.resize(run.written);
  text.remove_prefix(run.read);
  if (text.empty()) return out;
  // What is left can only be the last group, with one or two '='.
  if (text.size() != 4 || text[3] != '=') return std::nullopt;
  const std::uint8_t first = base64::value_of(text[0]);
  const std::uint8_t second = base64::value_of(text[1]);
  const bool one = text[2] == '=';
  const std::uint8_t third = one ? std::uint8_t{0} : base64::value_of(text[2]);
  if (first > 63 || second > 63 || third > 63) return std::nullopt;
  const std::uint32_t group =
      std::uint32_t{first} << 18 | std::uint32_t{second} << 12 | std::uint32_t{third} << 6;
  if ((group & (one ? 0xffffu : 0xffu)) != 0) return std::nullopt;
  out.push_back(static_cast<char>(group >> 16));
  if (!one) out.push_back(static_cast<char>(group >> 8 & 0xff));
  return out;
}

}  // namespace posthorn
