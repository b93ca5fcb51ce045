#include "libmail/search/search_index.h"

#include "libmail/base/text.h"
#include "libmail/search/folded_text.h"

namespace posthorn::search {

namespace {

// Between texts of one column: trigrams that reach over it find too much, never too little.
constexpr char border = '\0';

void add_text(std::string& column, std::string_view text) {
  if (!column.empty()) column += border;
  column += text;
}

void add_fields(IndexedMessage& message, const message::Header& header) {
  constexpr std::array<std::string_view, 5> names = {"Subject", "From", "To", "Cc", "Bcc"};
  for (const message::Field& field : header.fields()) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (iequals(header.name(field), names[i]))
        add_text(message.text[i], folded_value(header, field));
    }
  }
}

}  // namespace

std::size_t IndexedMessage::size() const {
  std::size_t size = 0;
  for (const std::string& column : text) size += column.size();
  return size;
}

IndexedMessage texts_of(std::uint32_t uid, const message::MessageView& view, const Limits& limits) {
  IndexedMessage message;
  message.uid = uid;
  message.is_indexed = true;
  const message::Header header = view.header(0);
  add_fields(message, header);
  message.text[static_cast<std::size_t>(Column::header)] = folded_header(header);
  std::string& body = message.text[static_cast<std::size_t>(Column::body)];
  any_body_text(view, [&](const std::string& text) {
    add_text(body, text);
    return body.size() > limits.message_octets;
  });
  if (message.size() <= limits.message_octets) return message;
  IndexedMessage large;
  large.uid = uid;
  return large;
}

}  // namespace posthorn::search
