#include "libmail/render/html_tokens.h"

#include <algorithm>
#include <array>

#include "libmail/base/text.h"
#include "libmail/message/charset.h"
#include "libmail/message/utf8.h"
#include "libmail/render/entities.h"

namespace posthorn::render {

namespace {

constexpr std::size_t most_attributes = 64;

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

bool one_of(std::string_view name, std::string_view list) {
  const std::size_t found = list.find(name);
  return found != std::string_view::npos && !name.empty() && list[found - 1] == ' ' &&
         list[found + name.size()] == ' ';
}

constexpr std::string_view dropped = " script style xmp iframe noembed noframes ";
constexpr std::string_view text_only = " title textarea ";

// Of "&#x20ac;": the code point. 0x80 to 0x9f mean what windows-1252 has there (WHATWG 13.2.5.80).
char32_t number_meant(std::uint32_t number) {
  constexpr char32_t replacement = 0xfffd;
  if (number >= 0x80 && number < 0xa0) {
    const std::string text =
        message::to_utf8(std::string(1, static_cast<char>(number)), message::Charset::windows_1252);
    std::string_view view = text;
    return message::take_code_point(view);
  }
  if (number == 0 || number > 0x10ffff || (number >= 0xd800 && number < 0xe000)) return replacement;
  return number;
}

// The reference at the front of `text`, which begins '&'; how many octets it took, 0 if it is none.
std::size_t decode_number(std::string_view text, std::string& out) {
  std::size_t at = 2;
  const bool hexadecimal = at < text.size() && (text[at] == 'x' || text[at] == 'X');
  if (hexadecimal) ++at;
  std::uint32_t number = 0;
  const std::size_t begin = at;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    const char low = to_lower(c);
    int digit = is_digit(c) ? c - '0' : -1;
    if (hexadecimal && low >= 'a' && low <= 'f') digit = low - 'a' + 10;
    if (digit < 0) break;
    number = std::min<std::uint32_t>(
        number * (hexadecimal ? 16 : 10) + static_cast<std::uint32_t>(digit), 0x110000);
  }
  if (at == begin) return 0;
  if (at < text.size() && text[at] == ';') ++at;
  message::append_utf8(out, number_meant(number));
  return at;
}

std::size_t decode_name(std::string_view text, bool in_attribute, std::string& out) {
  std::size_t end = 1;
  while (end < text.size() && end <= longest_entity && is_alnum(text[end])) ++end;
  std::string_view name = text.substr(1, end - 1);
  if (end < text.size() && text[end] == ';') {
    if (const char32_t c = find_entity(name); c != 0) {
      message::append_utf8(out, c);
      return end + 1;
    }
  }
  const char32_t c = find_open_entity(name);
  if (c == 0) return 0;
  end = 1 + name.size();
  // Half of a link's query: "?a=1&copy=2".
  if (in_attribute && end < text.size() && (text[end] == '=' || is_alnum(text[end]))) return 0;
  message::append_utf8(out, c);
  return end;
}

}  // namespace

void append_decoded(std::string& out, std::string_view text, bool in_attribute) {
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find('&'), text.size());
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) return;
    const bool number = text.size() > 1 && text[1] == '#';
    std::size_t took = number ? decode_number(text, out) : decode_name(text, in_attribute, out);
    if (took == 0) {
      out += '&';
      took = 1;
    }
    text.remove_prefix(took);
  }
}

std::string_view HtmlToken::attribute(std::string_view name) const {
  for (const auto& [key, value] : attributes) {
    if (key == name) return value;
  }
  return {};
}

bool HtmlTokenizer::next(HtmlToken& token) {
  token.text.clear();
  token.attributes.clear();
  token.self_closing = false;
  if (!raw_.empty()) {
    raw_text(token);
    if (!token.text.empty()) return true;
  }
  while (at_ < html_.size()) {
    if (html_[at_] == '<' && !plain_) {
      const std::size_t before = at_;
      if (markup(token)) return true;
      if (at_ != before) continue;  // it was a comment or the like
    }
    // A '<' that begins nothing is text.
    const std::size_t end =
        plain_ ? html_.size() : std::min(html_.find('<', at_ + 1), html_.size());
    token.kind = HtmlToken::Kind::text;
    append_decoded(token.text, html_.substr(at_, end - at_), false);
    at_ = end;
    return true;
  }
  return false;
}

// At '<'. True with a tag; else what begins here was passed over, or nothing begins here.
bool HtmlTokenizer::markup(HtmlToken& token) {
  const char c = at(at_ + 1);
  if (is_alpha(c) || (c == '/' && is_alpha(at(at_ + 2)))) return tag(token);
  if (c == '!' && at(at_ + 2) == '-' && at(at_ + 3) == '-') {
    comment();
  } else if (c == '!' || c == '?' || (c == '/' && at_ + 2 < html_.size())) {
    at_ = std::min(html_.find('>', at_), html_.size() - 1) + 1;
  }
  return false;
}

void HtmlTokenizer::comment() {
  at_ += 4;
  if (at(at_) == '>' || (at(at_) == '-' && at(at_ + 1) == '>')) {  // "<!-->" and "<!--->"
    at_ += at(at_) == '>' ? 1 : 2;
    return;
  }
  while (true) {
    at_ = html_.find("--", at_);
    if (at_ == std::string_view::npos) {
      at_ = html_.size();
      return;
    }
    const std::size_t mark = at_ + 2 + (at(at_ + 2) == '!' ? 1 : 0);
    if (at(mark) == '>') {
      at_ = mark + 1;
      return;
    }
    ++at_;
  }
}

void HtmlTokenizer::skip_blanks() {
  while (at_ < html_.size() && is_blank(html_[at_])) ++at_;
}

bool HtmlTokenizer::tag(HtmlToken& token) {
  ++at_;
  token.kind = HtmlToken::Kind::start;
  if (html_[at_] == '/') {
    token.kind = HtmlToken::Kind::end;
    ++at_;
  }
  while (at_ < html_.size() && !is_blank(html_[at_]) && html_[at_] != '/' && html_[at_] != '>')
    token.text += to_lower(html_[at_++]);
  while (true) {
    skip_blanks();
    if (at_ >= html_.size()) return false;  // a tag that never ends is none
    if (html_[at_] == '>') break;
    if (html_[at_] == '/') {
      token.self_closing = at(++at_) == '>';
      continue;
    }
    attribute(token);
  }
  ++at_;
  if (token.kind != HtmlToken::Kind::start) return true;
  plain_ = token.text == "plaintext";
  if (one_of(token.text, dropped) || one_of(token.text, text_only)) raw_ = token.text;
  return true;
}

void HtmlTokenizer::attribute(HtmlToken& token) {
  std::string name;
  // An '=' at the front is part of the name.
  do {
    name += to_lower(html_[at_++]);
  } while (at_ < html_.size() && !is_blank(html_[at_]) &&
           std::string_view("/>=").find(html_[at_]) == std::string_view::npos);
  skip_blanks();
  std::string_view value;
  if (at(at_) == '=') {
    ++at_;
    skip_blanks();
    const char quote = at(at_);
    if (quote == '"' || quote == '\'') {
      const std::size_t end = std::min(html_.find(quote, at_ + 1), html_.size());
      value = html_.substr(at_ + 1, end - at_ - 1);
      at_ = std::min(end + 1, html_.size());
    } else {
      const std::size_t begin = at_;
      while (at_ < html_.size() && !is_blank(html_[at_]) && html_[at_] != '>') ++at_;
      value = html_.substr(begin, at_ - begin);
    }
  }
  const bool known = std::ranges::any_of(
      token.attributes, [&name](const auto& other) { return other.first == name; });
  if (known || token.attributes.size() == most_attributes) return;
  std::string decoded;
  append_decoded(decoded, value, true);
  token.attributes.emplace_back(std::move(name), std::move(decoded));
}

// Up to the end tag of raw_. Only of title and textarea the text is given.
void HtmlTokenizer::raw_text(HtmlToken& token) {
  const std::string name = std::exchange(raw_, {});
  const std::size_t begin = at_;
  std::size_t end = html_.size();
  for (std::size_t found = html_.find("</", at_); found != std::string_view::npos;
       found = html_.find("</", found + 2)) {
    const char behind = at(found + 2 + name.size());
    if (istarts_with(html_.substr(found + 2), name) &&
        (is_blank(behind) || behind == '/' || behind == '>')) {
      end = found;
      break;
    }
  }
  at_ = end;
  if (!one_of(name, text_only)) return;
  token.kind = HtmlToken::Kind::text;
  append_decoded(token.text, html_.substr(begin, end - begin), false);
}

}  // namespace posthorn::render
