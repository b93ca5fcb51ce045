#include "libmail/smtp/address.h"

#include <arpa/inet.h>
#include <idn2.h>

#include "libmail/base/text.h"

namespace posthorn::smtp {

namespace {

constexpr std::size_t max_label = 63;
constexpr std::string_view ipv6_tag = "IPv6:";

constexpr bool is_atext(char c) {
  return is_alnum(c) || std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}

// Well-formed, and without what a terminal or a log viewer would obey: C1 controls (U+0080..9F) and
// the line and paragraph separators (U+2028, U+2029).
bool is_clean_utf8(std::string_view text) {
  if (!is_utf8(text)) return false;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] == '\xC2' && static_cast<unsigned char>(text[i + 1]) < 0xA0) return false;
  }
  return text.find("\xE2\x80\xA8") == std::string_view::npos &&
         text.find("\xE2\x80\xA9") == std::string_view::npos;
}

std::optional<AddressError> check_8bit(std::string_view text, Utf8 utf8) {
  if (is_ascii(text)) return std::nullopt;
  if (utf8 == Utf8::refused) return AddressError::utf8_not_allowed;
  if (!is_clean_utf8(text)) return AddressError::bad_utf8;
  return std::nullopt;
}

bool is_ip(int family, std::string_view text) {
  char address[sizeof(in6_addr)];
  return inet_pton(family, std::string(text).c_str(), address) == 1;
}

bool is_dot_string(std::string_view text) {
  bool atom = false;
  for (const char c : text) {
    if (c == '.' && !atom) return false;
    if (c != '.' && !is_atext(c) && !is_8bit(c)) return false;
    atom = c != '.';
  }
  return atom;
}

bool are_labels(std::string_view text) {
  if (text.empty() || text.size() > max_domain) return false;
  std::size_t label = 0;
  char before = '.';
  for (const char c : text) {
    if (c == '.') {
      if (label == 0 || before == '-') return false;
      label = 0;
    } else {
      if (!is_alnum(c) && !is_8bit(c) && (c != '-' || label == 0)) return false;
      if (++label > max_label && !is_8bit(c)) return false;
    }
    before = c;
  }
  return label != 0 && before != '-';
}

// Memory of libidn2 with one owner.
class IdnText {
 public:
  IdnText() = default;
  IdnText(const IdnText&) = delete;
  IdnText& operator=(const IdnText&) = delete;
  ~IdnText() { idn2_free(text_); }
  char** out() { return &text_; }
  [[nodiscard]] std::string str() const { return text_ == nullptr ? std::string() : text_; }

 private:
  char* text_ = nullptr;
};

// Empty if IDNA 2008 (with UTS 46's mapping) doesn't accept it.
std::string a_labels(std::string_view domain) {
  IdnText ascii;
  const std::string name(domain);
  if (idn2_to_ascii_8z(name.c_str(), ascii.out(), IDN2_NONTRANSITIONAL) != IDN2_OK) return {};
  return ascii.str();
}

// A quoted-string at the front of `text` (RFC 5321 4.1.2), its value.
Result<std::string, AddressError> take_quoted(std::string_view& text) {
  std::string value;
  for (std::size_t i = 1; i < text.size(); ++i) {
    char c = text[i];
    if (c == '"') {
      text.remove_prefix(i + 1);
      return value;
    }
    if (c == '\\') {
      if (++i == text.size()) break;
      c = text[i];
      if (is_8bit(c)) return fail(AddressError::bad_local_part);
    }
    if (static_cast<unsigned char>(c) < 32 || c == 127) return fail(AddressError::bad_local_part);
    value.push_back(c);
  }
  return fail(AddressError::bad_local_part);
}

Result<std::string, AddressError> take_local_part(std::string_view& text, Utf8 utf8) {
  std::string value;
  if (!text.empty() && text.front() == '"') {
    auto quoted = take_quoted(text);
    if (!quoted) return quoted;
    value = std::move(*quoted);
  } else {
    std::size_t end = 0;
    while (end < text.size() && (is_atext(text[end]) || text[end] == '.' || is_8bit(text[end]))) {
      ++end;
    }
    value = text.substr(0, end);
    text.remove_prefix(end);
    if (!value.empty() && !is_dot_string(value)) return fail(AddressError::bad_local_part);
    if (!text.empty() && text.front() != '@' && text.front() != '>') {
      return fail(AddressError::bad_local_part);
    }
  }
  if (value.empty()) return fail(AddressError::empty_local_part);
  if (value.size() > max_local_part) return fail(AddressError::too_long);
  if (value.front() == '-') return fail(AddressError::looks_like_option);
  if (const auto error = check_8bit(value, utf8)) return fail(*error);
  return value;
}

// A domain or literal at the front of `text`, up to one of `ends` or the end.
Result<std::string, AddressError> take_domain(std::string_view& text, std::string_view ends,
                                              Utf8 utf8) {
  std::size_t length = text.find_first_of(ends);
  if (!text.empty() && text.front() == '[') {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) return fail(AddressError::bad_literal);
    length = bracket + 1;
  }
  const std::string_view domain = text.substr(0, length);
  text.remove_prefix(domain.size());
  if (domain.empty()) return fail(AddressError::no_domain);
  if (domain.size() > max_domain) return fail(AddressError::too_long);
  if (domain.front() == '[') {
    if (!is_address_literal(domain)) return fail(AddressError::bad_literal);
    return std::string(domain);
  }
  if (const auto error = check_8bit(domain, utf8)) return fail(*error);
  if (!is_domain(domain, utf8)) return fail(AddressError::bad_domain);
  return std::string(domain);
}

// "@one,@two:" at the front: checked, and dropped.
std::optional<AddressError> skip_source_route(std::string_view& text, Utf8 utf8) {
  while (!text.empty() && text.front() == '@') {
    text.remove_prefix(1);
    if (!take_domain(text, ",:>", utf8)) return AddressError::bad_source_route;
    if (text.empty()) return AddressError::bad_source_route;
    const char separator = text.front();
    text.remove_prefix(1);
    if (separator == ':') return std::nullopt;
    if (separator != ',' || text.empty() || text.front() != '@') break;
  }
  return AddressError::bad_source_route;
}

enum class Domainless { refused, postmaster };

Result<Mailbox, AddressError> take_mailbox(std::string_view& text, std::string_view ends,
                                           Domainless domainless, Utf8 utf8) {
  auto local = take_local_part(text, utf8);
  if (!local) return fail(local.error());
  if (!text.empty() && text.front() != '@' && text.front() != '>') {
    return fail(AddressError::bad_local_part);
  }
  if (text.empty() || text.front() == '>') {
    if (domainless == Domainless::postmaster && iequals(*local, "postmaster")) {
      return Mailbox(std::move(*local), "");
    }
    return fail(AddressError::no_domain);
  }
  text.remove_prefix(1);
  auto domain = take_domain(text, ends, utf8);
  if (!domain) return fail(domain.error());
  return Mailbox(std::move(*local), std::move(*domain));
}

Result<ReversePath, AddressError> take_path(std::string_view& text, Domainless domainless,
                                            Utf8 utf8) {
  if (text.empty() || text.front() != '<') return fail(AddressError::no_brackets);
  text.remove_prefix(1);
  if (!text.empty() && text.front() == '>') {
    text.remove_prefix(1);
    return ReversePath();
  }
  if (!text.empty() && text.front() == '@') {
    if (text.substr(0, text.find('>')).find(':') == std::string_view::npos) {
      return fail(AddressError::empty_local_part);
    }
    if (const auto error = skip_source_route(text, utf8)) return fail(*error);
  }
  auto mailbox = take_mailbox(text, "> ", domainless, utf8);
  if (!mailbox) return fail(mailbox.error());
  if (text.empty()) return fail(AddressError::no_brackets);
  if (text.front() != '>') return fail(AddressError::trailing_text);
  text.remove_prefix(1);
  return ReversePath(std::move(*mailbox));
}

}  // namespace

bool Mailbox::operator==(const Mailbox& other) const {
  return local_part == other.local_part && same_domain(domain, other.domain);
}

std::string_view describe(AddressError error) {
  switch (error) {
    case AddressError::no_brackets:
      return "a path stands between < and >";
    case AddressError::empty_path:
      return "the path is empty";
    case AddressError::bad_source_route:
      return "bad source route";
    case AddressError::empty_local_part:
      return "the local part is missing";
    case AddressError::bad_local_part:
      return "bad local part";
    case AddressError::looks_like_option:
      return "the local part begins with -";
    case AddressError::no_domain:
      return "the domain is missing";
    case AddressError::bad_domain:
      return "bad domain";
    case AddressError::bad_literal:
      return "bad address literal";
    case AddressError::too_long:
      return "too long";
    case AddressError::bad_utf8:
      return "bad UTF-8";
    case AddressError::utf8_not_allowed:
      return "UTF-8 without SMTPUTF8";
    case AddressError::trailing_text:
      return "text behind the address";
  }
  return "bad address";
}

Result<Mailbox, AddressError> parse_mailbox(std::string_view text, Utf8 utf8) {
  auto mailbox = take_mailbox(text, "", Domainless::refused, utf8);
  if (mailbox && !text.empty()) return fail(AddressError::trailing_text);
  return mailbox;
}

Result<ReversePath, AddressError> take_reverse_path(std::string_view& text, Utf8 utf8) {
  return take_path(text, Domainless::refused, utf8);
}

Result<Mailbox, AddressError> take_forward_path(std::string_view& text, Utf8 utf8) {
  auto path = take_path(text, Domainless::postmaster, utf8);
  if (!path) return fail(path.error());
  if (!*path) return fail(AddressError::empty_path);
  return std::move(**path);
}

std::string format_mailbox(const Mailbox& mailbox) {
  std::string text;
  if (is_dot_string(mailbox.local_part)) {
    text = mailbox.local_part;
  } else {
    text = "\"";
    for (const char c : mailbox.local_part) {
      if (c == '"' || c == '\\') text.push_back('\\');
      text.push_back(c);
    }
    text.push_back('"');
  }
  if (mailbox.domain.empty()) return text;
  text.push_back('@');
  text.append(mailbox.domain);
  return text;
}

std::string format_path(const ReversePath& path) {
  return path ? format_path(*path) : "<>";
}

std::string format_path(const Mailbox& mailbox) {
  return "<" + format_mailbox(mailbox) + ">";
}

bool needs_smtputf8(const Mailbox& mailbox) {
  return !is_ascii(mailbox.local_part) || !is_ascii(mailbox.domain);
}

bool is_domain(std::string_view text, Utf8 utf8) {
  if (!are_labels(text)) return false;
  if (is_ascii(text)) return true;
  return utf8 == Utf8::allowed && is_clean_utf8(text) && !a_labels(text).empty();
}

bool is_address_literal(std::string_view text) {
  if (text.size() < 3 || text.front() != '[' || text.back() != ']') return false;
  const std::string_view inside = text.substr(1, text.size() - 2);
  if (istarts_with(inside, ipv6_tag)) return is_ip(AF_INET6, inside.substr(ipv6_tag.size()));
  return is_ip(AF_INET, inside);
}

std::optional<std::string> format_address_literal(std::string_view address) {
  if (is_ip(AF_INET, address)) return "[" + std::string(address) + "]";
  if (is_ip(AF_INET6, address)) return "[" + std::string(ipv6_tag) + std::string(address) + "]";
  return std::nullopt;
}

std::string canonical_domain(std::string_view domain) {
  if (is_ascii(domain)) return lower(domain);
  const std::string ascii = a_labels(domain);
  return lower(ascii.empty() ? domain : ascii);
}

std::string unicode_domain(std::string_view domain) {
  const std::string name(domain);
  IdnText unicode;
  const bool good = idn2_to_unicode_8z8z(name.c_str(), unicode.out(), 0) == IDN2_OK;
  return good && is_clean_utf8(unicode.str()) ? unicode.str() : name;
}

bool same_domain(std::string_view a, std::string_view b) {
  if (iequals(a, b)) return true;
  if (is_ascii(a) && is_ascii(b)) return false;
  return canonical_domain(a) == canonical_domain(b);
}

}  // namespace posthorn::smtp
