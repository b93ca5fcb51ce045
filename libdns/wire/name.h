// Domain names (RFC 1035 3.1, 4.1.4; RFC 4343 for case): owned ones, and views into a message.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libdns/wire/error.h"
#include "libmail/base/result.h"

namespace posthorn::dns {

inline constexpr std::size_t max_name_octets = 255;  // on the wire, length octets and root included
inline constexpr std::size_t max_label_octets = 63;
inline constexpr std::size_t max_labels = 127;

// What is wrong with a name as text.
enum class NameError { empty_label, label_too_long, name_too_long, bad_escape };
[[nodiscard]] std::string_view to_string(NameError error);

// An absolute name that owns its octets. It keeps the case it came in; comparison and hash fold
// ASCII case. The order is the canonical one of RFC 4034 6.1, so a parent sorts right before all
// that is below it.
class Name {
 public:
  Name() : wire_(1, '\0') {}  // the root

  // Presentation form: labels joined by dots, a dot at the end changes nothing, "." is the root.
  // "\." is a dot inside a label, "\DDD" any octet, "\X" that character. Other octets stand for
  // themselves; IDNA has been applied before.
  [[nodiscard]] static Result<Name, NameError> parse(std::string_view text);
  // `octets` is exactly one name on the wire without pointers, root label included.
  [[nodiscard]] static std::optional<Name> from_wire(std::string_view octets);

  [[nodiscard]] std::string_view wire() const { return wire_; }
  [[nodiscard]] bool is_root() const { return wire_.size() == 1; }
  // The root label isn't counted: 0 for the root, 2 for example.org.
  [[nodiscard]] std::size_t label_count() const;
  // From the left, without the root. The views live as long as this name.
  [[nodiscard]] std::vector<std::string_view> labels() const;
  // Without the leftmost label; the root's parent is the root.
  [[nodiscard]] Name parent() const;
  // `label` in front of this name, nothing if it or the whole gets too long.
  [[nodiscard]] std::optional<Name> child(std::string_view label) const;
  // True for the name itself and all below it.
  [[nodiscard]] bool is_at_or_below(const Name& ancestor) const;
  // In lower case: canonical form of RFC 4034 6.2, and a key for maps.
  [[nodiscard]] Name folded() const;
  // Presentation form that parse() reads back, without the dot at the end ("." for the root).
  [[nodiscard]] std::string text() const;

  bool operator==(const Name& other) const;
  std::strong_ordering operator<=>(const Name& other) const;

 private:
  friend class NameView;
  explicit Name(std::string wire) : wire_(std::move(wire)) {}
  std::string wire_;
};

struct NameHash {
  std::size_t operator()(const Name& name) const;
};

// A name inside a message, found and checked by Reader::name() and not copied. Lives as long as the
// message.
class NameView {
 public:
  NameView() = default;

  [[nodiscard]] Name name() const;
  [[nodiscard]] std::string text() const { return name().text(); }
  [[nodiscard]] bool is_root() const { return octets_ == 1; }
  // What the name takes when written out.
  [[nodiscard]] std::size_t wire_size() const { return octets_; }
  [[nodiscard]] std::size_t label_count() const { return labels_; }
  [[nodiscard]] bool is_compressed() const { return compressed_; }
  bool operator==(const NameView& other) const;
  bool operator==(const Name& other) const;

  // Walks the labels without copying: an empty label is the root, and the end.
  class Labels {
   public:
    explicit Labels(const NameView& view) : message_(view.message_), at_(view.offset_) {}
    [[nodiscard]] std::string_view next();

   private:
    std::string_view message_;
    std::size_t at_;
  };
  [[nodiscard]] Labels labels() const { return Labels(*this); }

 private:
  friend class Reader;
  std::string_view message_ = std::string_view("\0", 1);
  std::uint16_t offset_ = 0;  // where it begins in the message
  std::uint8_t octets_ = 1;   // written out, 1..255
  std::uint8_t labels_ = 0;
  bool compressed_ = false;
};

// The octet that "\DDD" or "\X" means; text[at] is what stands behind the backslash. Moves `at`
// behind it; nothing if this is no escape.
[[nodiscard]] std::optional<char> take_escape(std::string_view text, std::size_t& at);
// One label in presentation form; `text` is appended to.
void append_label_text(std::string& text, std::string_view label);

}  // namespace posthorn::dns
