#include "agents/imapd/search_text.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>

#include "libmail/base/text.h"
#include "libmail/message/body_reader.h"
#include "libmail/message/encoded_word.h"

namespace posthorn::imapd {

std::string fold_case(std::string_view utf8) {
  if (is_ascii(utf8)) return lower(utf8);
  utf8proc_uint8_t* mapped = nullptr;
  const auto size = utf8proc_map(
      reinterpret_cast<const utf8proc_uint8_t*>(utf8.data()),
      static_cast<utf8proc_ssize_t>(utf8.size()), &mapped,
      static_cast<utf8proc_option_t>(UTF8PROC_CASEFOLD | UTF8PROC_DECOMPOSE | UTF8PROC_STABLE));
  const std::unique_ptr<utf8proc_uint8_t, void (*)(void*)> owner(mapped, std::free);
  if (size < 0) return lower(utf8);
  return {reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(size)};
}

bool contains_folded(std::string_view text, std::string_view folded) {
  if (folded.empty()) return true;
  return fold_case(text).find(folded) != std::string::npos;
}

std::string decoded_header(const message::Header& header) {
  std::string text;
  for (const message::Field& field : header.fields()) {
    text.append(header.name(field)).append(": ");
    text.append(message::decode_encoded_words(header.value(field))).append("\n");
  }
  return text;
}

bool body_contains(const message::MessageView& view, std::string_view folded) {
  const auto& parts = view.tree().parts;
  for (std::uint32_t i = 0; i < parts.size(); ++i) {
    if (i != 0 && contains_folded(decoded_header(view.header(i)), folded)) return true;
    if (view.tree().first_child(i) != message::Part::none) continue;
    if (parts[i].media.top != message::TopType::text) continue;
    if (contains_folded(message::decode_text(view, i), folded)) return true;
  }
  return false;
}

}  // namespace posthorn::imapd
