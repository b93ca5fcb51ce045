#include "agents/imapd/preview.h"

#include "libmail/imap/writer.h"
#include "libmail/message/body_reader.h"

namespace posthorn::imapd {
namespace {

constexpr std::size_t most_characters = 200;
constexpr std::size_t looked_at = 16 * 1024;  // octets of a text

// Tags become blanks; what stands in <style> and <script> goes with them.
std::string without_tags(std::string_view html) {
  std::string text;
  bool in_tag = false;
  std::size_t hidden_from = std::string::npos;
  for (std::size_t i = 0; i < html.size(); ++i) {
    const char c = html[i];
    if (c == '<') {
      in_tag = true;
      const std::string_view rest = html.substr(i + 1);
      if (rest.starts_with("style") || rest.starts_with("script") || rest.starts_with("head"))
        hidden_from = text.size();
      const bool ends =
          rest.starts_with("/style") || rest.starts_with("/script") || rest.starts_with("/head");
      if (ends && hidden_from != std::string::npos) text.resize(hidden_from);
      if (ends) hidden_from = std::string::npos;
    }
    if (!in_tag) text += c;
    if (c == '>' && in_tag) {
      in_tag = false;
      text += ' ';
    }
  }
  return text;
}

// Blanks and controls in a row become one space.
std::string first_words(std::string_view text) {
  std::string words;
  std::size_t characters = 0;
  bool blank = false;
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet <= ' ' || octet == 0x7f) {
      blank = !words.empty();
      continue;
    }
    const bool begins = (octet & 0xc0) != 0x80;
    if (begins && characters + (blank ? 1 : 0) >= most_characters) break;
    if (blank && begins) {
      words += ' ';
      ++characters;
      blank = false;
    }
    if (begins) ++characters;
    words += c;
  }
  return words;
}

}  // namespace

std::string preview_of(const message::MessageView& view) {
  const auto& parts = view.tree().parts;
  for (std::uint32_t i = 0; i < parts.size(); ++i) {
    if (view.tree().first_child(i) != message::Part::none) continue;
    if (parts[i].media.top != message::TopType::text) continue;
    std::string text = message::decode_text(view, i);
    if (text.size() > looked_at) text.resize(looked_at);
    const bool html = parts[i].media.sub == message::Subtype::html;
    std::string words = first_words(html ? without_tags(text) : text);
    if (!words.empty()) return words;
  }
  return {};
}

void append_preview(std::string_view preview, std::string& out) {
  imap::Writer writer;
  writer.string(preview);
  out.append("PREVIEW ").append(writer.text());
}

}  // namespace posthorn::imapd
