#include "libmail/message/content_type.h"

#include <algorithm>
#include <array>

#include "libmail/base/text.h"

namespace posthorn::message {
namespace {

struct NamedTop {
  std::string_view name;
  TopType value;
};
constexpr std::array<NamedTop, 9> top_types = {{
    {"text", TopType::text},
    {"multipart", TopType::multipart},
    {"message", TopType::message},
    {"application", TopType::application},
    {"image", TopType::image},
    {"audio", TopType::audio},
    {"video", TopType::video},
    {"font", TopType::font},
    {"model", TopType::model},
}};

struct NamedSubtype {
  TopType top;
  std::string_view name;
  Subtype value;
};
constexpr std::array<NamedSubtype, 16> subtypes = {{
    {TopType::text, "plain", Subtype::plain},
    {TopType::text, "html", Subtype::html},
    {TopType::text, "rfc822-headers", Subtype::rfc822_headers},
    {TopType::multipart, "mixed", Subtype::mixed},
    {TopType::multipart, "alternative", Subtype::alternative},
    {TopType::multipart, "related", Subtype::related},
    {TopType::multipart, "digest", Subtype::digest},
    {TopType::multipart, "signed", Subtype::signed_},
    {TopType::multipart, "encrypted", Subtype::encrypted},
    {TopType::multipart, "report", Subtype::report},
    {TopType::message, "rfc822", Subtype::rfc822},
    {TopType::message, "global", Subtype::global},
    {TopType::message, "partial", Subtype::partial},
    {TopType::message, "external-body", Subtype::external_body},
    {TopType::message, "delivery-status", Subtype::delivery_status},
    {TopType::message, "disposition-notification", Subtype::disposition_notification},
}};

struct NamedEncoding {
  std::string_view name;
  Encoding value;
};
constexpr std::array<NamedEncoding, 6> encodings = {{
    {"7bit", Encoding::seven_bit},
    {"8bit", Encoding::eight_bit},
    {"binary", Encoding::binary},
    {"quoted-printable", Encoding::quoted_printable},
    {"base64", Encoding::base64},
    {"x-unknown", Encoding::unknown},
}};

// RFC 2045 5.1.
constexpr bool is_token(char c) {
  return (is_graph(c) && std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos);
}

// Reads tokens out of a field body, over blanks, folds and comments.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  // Comments are counted, not recursed into. One that never ends takes the rest.
  void skip() {
    std::size_t depth = 0;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '(') {
        ++depth;
        loose_ = true;
      } else if (depth > 0) {
        if (c == '\\') ++at_;
        if (c == ')') --depth;
      } else if (!is_space(c) && c != '\r' && c != '\n') {
        return;
      }
    }
    at_ = std::min(at_, text_.size());
  }

  std::string_view token() {
    skip();
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_token(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  // The slash of a type. Blanks beside it are allowed, but nobody writes them.
  bool take_slash() {
    const std::size_t before = at_;
    skip();
    if (at_ == text_.size() || text_[at_] != '/') return false;
    loose_ = loose_ || at_ != before || (at_ + 1 < text_.size() && !is_token(text_[at_ + 1]));
    ++at_;
    return true;
  }

  bool at_end() {
    skip();
    return at_ == text_.size();
  }
  // In front of the parameters, or at the end.
  bool at_parameters() { return at_end() || text_[at_] == ';'; }

  // From the next ';' on, wherever the reading got to; nothing if there is none.
  std::string_view parameters() {
    at_ = std::min(text_.find(';', at_), text_.size());
    return text_.substr(at_);
  }
  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] bool loose() const { return loose_; }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  bool loose_ = false;
};

ParameterList read_parameters(Reader& in, Anomalies& anomalies, std::uint64_t offset) {
  if (in.loose()) anomalies.add(AnomalyKind::loose_syntax, offset);
  const std::string_view text = in.parameters();
  if (text.empty()) return {};
  return parse_parameters(text, anomalies, offset + in.at());
}

}  // namespace

MediaType classify(std::string_view type, std::string_view subtype) {
  MediaType media{TopType::other, Subtype::other};
  for (const NamedTop& top : top_types) {
    if (iequals(type, top.name)) media.top = top.value;
  }
  for (const NamedSubtype& sub : subtypes) {
    if (sub.top == media.top && iequals(subtype, sub.name)) media.sub = sub.value;
  }
  return media;
}

std::string_view name(Encoding encoding) {
  for (const NamedEncoding& known : encodings) {
    if (known.value == encoding) return known.name;
  }
  return "x-unknown";
}

std::string_view ContentType::charset() const {
  const Parameter* parameter = parameters.find("charset");
  return parameter == nullptr ? std::string_view() : std::string_view(parameter->value);
}

ContentType parse_content_type(std::string_view body, Anomalies& anomalies, std::uint64_t offset) {
  ContentType content;
  Reader in(body);
  const std::string_view type = in.token();
  const bool slash = in.take_slash();
  const std::string_view subtype = slash ? in.token() : std::string_view();
  content.valid = !type.empty() && !subtype.empty() && in.at_parameters();
  if (content.valid) {
    content.type = lower(type);
    content.subtype = lower(subtype);
    content.media = classify(type, subtype);
  } else {
    anomalies.add(AnomalyKind::bad_content_type, offset);
  }
  content.parameters = read_parameters(in, anomalies, offset);
  return content;
}

ContentDisposition parse_disposition(std::string_view body, Anomalies& anomalies,
                                     std::uint64_t offset) {
  ContentDisposition disposition;
  Reader in(body);
  disposition.type = lower(in.token());
  if (disposition.type.empty() || !in.at_parameters())
    anomalies.add(AnomalyKind::bad_disposition, offset);
  if (disposition.type.empty()) disposition.type = "attachment";
  disposition.parameters = read_parameters(in, anomalies, offset);
  return disposition;
}

Encoding parse_encoding(std::string_view body, Anomalies& anomalies, std::uint64_t offset) {
  Reader in(body);
  const std::string_view token = in.token();
  const bool alone = in.at_end();
  if (in.loose()) anomalies.add(AnomalyKind::loose_syntax, offset);
  if (alone) {
    for (const NamedEncoding& known : encodings) {
      if (known.value != Encoding::unknown && iequals(token, known.name)) return known.value;
    }
  }
  anomalies.add(AnomalyKind::unknown_encoding, offset);
  return Encoding::unknown;
}

}  // namespace posthorn::message
