#include "libmail/search/folded_text.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "libmail/base/text.h"
#include "libmail/message/body_reader.h"
#include "libmail/message/encoded_word.h"

namespace posthorn::search {

namespace {

constexpr auto folding =
    static_cast<utf8proc_option_t>(UTF8PROC_CASEFOLD | UTF8PROC_DECOMPOSE | UTF8PROC_STABLE);

// A text without ASCII, by utf8proc. Ill-formed octets pass as they are, with all around them.
void append_mapped(std::string_view text, std::string& out) {
  utf8proc_uint8_t* mapped = nullptr;
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                 static_cast<utf8proc_ssize_t>(text.size()), &mapped, folding);
  const std::unique_ptr<utf8proc_uint8_t, void (*)(void*)> owner(mapped, std::free);
  if (size < 0)
    out += text;
  else
    out.append(reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(size));
}

// How many octets of ASCII `text` begins with.
std::size_t ascii_length(std::string_view text) {
  std::size_t at = 0;
  for (; at + sizeof(std::uint64_t) <= text.size(); at += sizeof(std::uint64_t)) {
    std::uint64_t octets = 0;
    std::memcpy(&octets, text.data() + at, sizeof octets);
    if ((octets & 0x8080808080808080) != 0) break;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

// Without branches, so that the compiler takes sixteen octets at once.
void append_lower(std::string_view ascii, std::string& out) {
  const std::size_t begin = out.size();
  out.resize(begin + ascii.size());
  char* to = out.data() + begin;
  for (std::size_t i = 0; i < ascii.size(); ++i) {
    const auto octet = static_cast<unsigned char>(ascii[i]);
    const bool capital = static_cast<unsigned char>(octet - 'A') < 26;
    to[i] = static_cast<char>(octet | (capital ? 0x20 : 0));
  }
}

// What becomes of each character of two octets (Latin, Greek, Cyrillic, Hebrew, Arabic): most of all that is not ASCII.
class ShortCharacters {
 public:
  ShortCharacters() {
    for (char32_t c = first; c < 0x800; ++c) {
      const char octets[] = {static_cast<char>(0xC0 | c >> 6),
                             static_cast<char>(0x80 | (c & 0x3F))};
      // Marks are put in order with their neighbours.
      const auto* facts = utf8proc_get_property(static_cast<utf8proc_int32_t>(c));
      if (facts->combining_class == 0) append_mapped({octets, 2}, mapped_[c - first]);
    }
  }
  // False: something in it is no such character; `out` is as it was.
  bool append(std::string_view text, std::string& out) const {
    const std::size_t before = out.size();
    for (std::size_t i = 0; i < text.size(); i += 2) {
      const auto lead = static_cast<unsigned char>(text[i]);
      const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
      const bool is_short = lead >= 0xC2 && lead <= 0xDF && (next & 0xC0) == 0x80;
      const std::size_t at = is_short ? ((lead & 0x1FU) << 6 | (next & 0x3FU)) - first : 0;
      if (!is_short || mapped_[at].empty()) {
        out.resize(before);
        return false;
      }
      out += mapped_[at];
    }
    return true;
  }

 private:
  static constexpr char32_t first = 0x80;
  std::array<std::string, 0x800 - first> mapped_;
};

}  // namespace

// ASCII characters never change by their neighbours, nor do they change these: what lies between them is folded by itself.
std::string fold_case(std::string_view text) {
  static const ShortCharacters short_characters;
  std::string out;
  out.reserve(text.size() + text.size() / 16);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t plain = ascii_length(text.substr(at));
    append_lower(text.substr(at, plain), out);
    at += plain;
    if (at == text.size()) break;
    const auto end =
        std::find_if(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(),
                     [](char octet) { return static_cast<unsigned char>(octet) < 0x80; });
    const std::string_view run = text.substr(at, static_cast<std::size_t>(end - text.begin()) - at);
    if (!short_characters.append(run, out)) append_mapped(run, out);
    at += run.size();
  }
  return out;
}

std::string folded_value(const message::Header& header, const message::Field& field) {
  return folded_value(header.raw_value(field));
}

std::string folded_value(std::string_view raw_value) {
  return fold_case(message::decode_encoded_words(message::unfold(raw_value)));
}

std::string folded_header(const message::Header& header) {
  std::string text;
  for (const message::Field& field : header.fields())
    text.append(lower(header.name(field))).append(": ").append(folded_value(header, field)) += '\n';
  return text;
}

bool any_body_text(const message::MessageView& view,
                   const std::function<bool(const std::string&)>& take) {
  const auto& parts = view.tree().parts;
  for (std::uint32_t i = 0; i < parts.size(); ++i) {
    if (i != 0 && take(folded_header(view.header(i)))) return true;
    if (view.tree().first_child(i) != message::Part::none) continue;
    if (parts[i].media.top != message::TopType::text) continue;
    if (take(fold_case(message::decode_text(view, i)))) return true;
  }
  return false;
}

}  // namespace posthorn::search
