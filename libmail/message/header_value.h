// Names and bodies of header fields that can't become two fields: the only things a builder writes.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "libmail/base/result.h"

namespace posthorn::message {

class HeaderName {
 public:
  // RFC 5322 3.6.8. The error is a sentence for people.
  [[nodiscard]] static Result<HeaderName, std::string> make(std::string_view name);
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  explicit HeaderName(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// One line: no CR, LF, NUL or other control. Printable ASCII and tabs; or UTF-8 (RFC 6532) where
// made so. Folds are the builder's work.
class HeaderValue {
 public:
  // For structured fields, as it stands.
  [[nodiscard]] static Result<HeaderValue, std::string> make(std::string_view value);
  // For unstructured fields: UTF-8 becomes encoded-words where it must.
  [[nodiscard]] static Result<HeaderValue, std::string> from_text(std::string_view text);
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  explicit HeaderValue(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// "Name: body" CRLF, folded at blanks into lines of at most 78 characters where there are blanks
// outside of quoted strings; a single run without a blank stays whole.
[[nodiscard]] std::string fold_field(const HeaderName& name, const HeaderValue& value);

}  // namespace posthorn::message
