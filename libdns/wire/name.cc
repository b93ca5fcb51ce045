#include "libdns/wire/name.h"

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

unsigned octet(std::string_view octets, std::size_t at) {
  return static_cast<unsigned char>(octets[at]);
}

// Labels folded, octet for octet, a missing octet first (RFC 4034 6.1).
std::strong_ordering compare_labels(std::string_view a, std::string_view b) {
  const std::size_t common = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < common; ++i) {
    const auto x = static_cast<unsigned char>(to_lower(a[i]));
    const auto y = static_cast<unsigned char>(to_lower(b[i]));
    if (x != y) return x <=> y;
  }
  return a.size() <=> b.size();
}

}  // namespace

std::string_view to_string(NameError error) {
  switch (error) {
    case NameError::empty_label:
      return "empty label";
    case NameError::label_too_long:
      return "label over 63 octets";
    case NameError::name_too_long:
      return "name over 255 octets";
    case NameError::bad_escape:
      return "bad escape";
  }
  return "unknown error";
}

Result<Name, NameError> Name::parse(std::string_view text) {
  if (text == ".") return Name();
  std::string wire;
  std::string label;
  const auto end_label = [&wire, &label] {
    wire.push_back(static_cast<char>(label.size()));
    wire += label;
    label.clear();
  };
  std::size_t at = 0;
  while (at < text.size()) {
    const char c = text[at++];
    if (c == '.') {
      if (label.empty()) return fail(NameError::empty_label);
      end_label();
      continue;
    }
    const std::optional<char> meant = c == '\\' ? take_escape(text, at) : c;
    if (!meant) return fail(NameError::bad_escape);
    if (label.size() == max_label_octets) return fail(NameError::label_too_long);
    label.push_back(*meant);
    if (wire.size() + label.size() + 2 > max_name_octets) return fail(NameError::name_too_long);
  }
  if (!label.empty()) end_label();
  if (wire.empty()) return fail(NameError::empty_label);
  wire.push_back('\0');
  return Name(std::move(wire));
}

std::optional<Name> Name::from_wire(std::string_view octets) {
  if (octets.empty() || octets.size() > max_name_octets) return std::nullopt;
  std::size_t at = 0;
  while (at < octets.size()) {
    const unsigned length = octet(octets, at);
    if (length == 0) {
      if (at + 1 != octets.size()) return std::nullopt;
      return Name(std::string(octets));
    }
    if (length > max_label_octets) return std::nullopt;
    at += 1 + length;
  }
  return std::nullopt;
}

std::size_t Name::label_count() const {
  std::size_t count = 0;
  for (std::size_t at = 0; octet(wire_, at) != 0; at += 1 + octet(wire_, at)) ++count;
  return count;
}

std::vector<std::string_view> Name::labels() const {
  std::vector<std::string_view> labels;
  for (std::size_t at = 0; octet(wire_, at) != 0; at += 1 + octet(wire_, at)) {
    labels.push_back(wire().substr(at + 1, octet(wire_, at)));
  }
  return labels;
}

Name Name::parent() const {
  if (is_root()) return *this;
  return Name(wire_.substr(1 + octet(wire_, 0)));
}

std::optional<Name> Name::child(std::string_view label) const {
  if (label.empty() || label.size() > max_label_octets) return std::nullopt;
  if (wire_.size() + 1 + label.size() > max_name_octets) return std::nullopt;
  std::string wire(1, static_cast<char>(label.size()));
  wire += label;
  wire += wire_;
  return Name(std::move(wire));
}

bool Name::is_at_or_below(const Name& ancestor) const {
  const std::size_t above = ancestor.wire_.size();
  if (above > wire_.size()) return false;
  std::size_t at = 0;
  while (wire_.size() - at > above) at += 1 + octet(wire_, at);
  // Length octets are below 'A': folding the whole cannot change them.
  return wire_.size() - at == above && iequals(wire().substr(at), ancestor.wire());
}

Name Name::folded() const {
  return Name(lower(wire_));
}

std::string Name::text() const {
  if (is_root()) return ".";
  std::string text;
  text.reserve(wire_.size());
  for (std::size_t at = 0; octet(wire_, at) != 0; at += 1 + octet(wire_, at)) {
    if (at != 0) text.push_back('.');
    append_label_text(text, wire().substr(at + 1, octet(wire_, at)));
  }
  return text;
}

bool Name::operator==(const Name& other) const {
  return iequals(wire_, other.wire_);
}

std::strong_ordering Name::operator<=>(const Name& other) const {
  const auto mine = labels();
  const auto theirs = other.labels();
  auto a = mine.rbegin();
  auto b = theirs.rbegin();
  for (; a != mine.rend() && b != theirs.rend(); ++a, ++b) {
    const auto order = compare_labels(*a, *b);
    if (order != 0) return order;
  }
  return mine.size() <=> theirs.size();
}

std::size_t NameHash::operator()(const Name& name) const {
  return IHash()(name.wire());
}

std::string_view NameView::Labels::next() {
  // Reader::name() has walked this way: it ends, and stays inside the message.
  while ((octet(message_, at_) & 0xc0) == 0xc0) {
    at_ = (octet(message_, at_) & 0x3f) << 8 | octet(message_, at_ + 1);
  }
  const unsigned length = octet(message_, at_);
  const std::string_view label = message_.substr(at_ + 1, length);
  if (length != 0) at_ += 1 + length;
  return label;
}

Name NameView::name() const {
  std::string wire;
  wire.reserve(octets_);
  Labels walk = labels();
  for (;;) {
    const std::string_view label = walk.next();
    wire.push_back(static_cast<char>(label.size()));
    wire += label;
    if (label.empty()) return Name(std::move(wire));
  }
}

bool NameView::operator==(const NameView& other) const {
  if (octets_ != other.octets_ || labels_ != other.labels_) return false;
  Labels mine = labels();
  Labels theirs = other.labels();
  for (std::string_view label = mine.next();; label = mine.next()) {
    if (!iequals(label, theirs.next())) return false;
    if (label.empty()) return true;
  }
}

bool NameView::operator==(const Name& other) const {
  if (octets_ != other.wire_.size()) return false;
  Labels mine = labels();
  for (std::size_t at = 0;; at += 1 + octet(other.wire_, at)) {
    const std::string_view label = mine.next();
    if (!iequals(label, other.wire().substr(at + 1, octet(other.wire_, at)))) return false;
    if (label.empty()) return true;
  }
}

std::optional<char> take_escape(std::string_view text, std::size_t& at) {
  if (at >= text.size()) return std::nullopt;
  if (!is_digit(text[at])) return text[at++];
  const auto value = at + 3 <= text.size() ? parse_number<unsigned>(text.substr(at, 3))
                                           : std::optional<unsigned>();
  if (!value || *value > 255) return std::nullopt;
  at += 3;
  return static_cast<char>(*value);
}

void append_label_text(std::string& text, std::string_view label) {
  for (const char c : label) {
    if (!is_graph(c)) {
      const unsigned value = static_cast<unsigned char>(c);
      text.push_back('\\');
      text.push_back(static_cast<char>('0' + value / 100));
      text.push_back(static_cast<char>('0' + value / 10 % 10));
      text.push_back(static_cast<char>('0' + value % 10));
      continue;
    }
    // What means something in a zone file (RFC 1035 5.1).
    if (std::string_view(".\\\"();@$").find(c) != std::string_view::npos) text.push_back('\\');
    text.push_back(c);
  }
}

}  // namespace posthorn::dns
