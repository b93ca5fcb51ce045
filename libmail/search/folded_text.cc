#include "libmail/search/folded_text.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>

#include "libmail/base/text.h"
#include "libmail/message/body_reader.h"
#include "libmail/message/encoded_word.h"

namespace posthorn::search {

std::string fold_case(std::string_view text) {
  if (is_ascii(text)) return lower(text);
  utf8proc_uint8_t* mapped = nullptr;
  const auto size = utf8proc_map(
      reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
      static_cast<utf8proc_ssize_t>(text.size()), &mapped,
      static_cast<utf8proc_option_t>(UTF8PROC_CASEFOLD | UTF8PROC_DECOMPOSE | UTF8PROC_STABLE));
  const std::unique_ptr<utf8proc_uint8_t, void (*)(void*)> owner(mapped, std::free);
  if (size < 0) return lower(text);
  return {reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(size)};
}

std::string folded_value(const message::Header& header, const message::Field& field) {
  return fold_case(message::decode_encoded_words(header.value(field)));
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
