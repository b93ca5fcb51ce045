// The header block of a message, read in one pass (RFC 5322 2.2, 4.5; UTF-8 by RFC 6532).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace posthorn::message {

struct HeaderLimits {
  std::size_t header_bytes = 1 << 20;  // from the first octet through the empty line
  std::size_t fields = 20'000;
};

// One field. Offsets count from the first octet of the message.
struct Field {
  std::uint32_t begin = 0;      // first octet of the name
  std::uint32_t name_size = 0;  // without blanks before the colon (RFC 5322 4.5.8)
  std::uint32_t value = 0;      // first octet behind the colon
  std::uint32_t value_end = 0;  // the line end of its last line is here
  std::uint32_t end = 0;        // behind that line end
  std::uint32_t line = 0;       // of the name; the first line of the message is 1
};

// What keeps a header block from being one.
struct HeaderFault {
  enum class Kind : std::uint8_t {
    not_a_field,  // a line without a colon, with an impossible name, or a continuation of nothing
    too_large,    // HeaderLimits::header_bytes
    too_many_fields,  // HeaderLimits::fields
  };
  Kind kind = Kind::not_a_field;
  std::uint32_t line = 0;
  std::uint32_t offset = 0;  // where that line begins
};

// A view over the caller's bytes, which must outlive it.
class Header {
 public:
  // Reads up to the empty line, the end of `message` or a limit, whichever comes first. Both CRLF
  // and LF end a line; a bare CR is an octet like any other. A line that is no field is passed over
  // and kept as the fault.
  [[nodiscard]] static Header parse(std::string_view message, const HeaderLimits& limits = {});

  [[nodiscard]] const std::vector<Field>& fields() const { return fields_; }
  // The first thing that was wrong, if any.
  [[nodiscard]] const std::optional<HeaderFault>& fault() const { return fault_; }
  // Offset of the empty line; where the bytes end, if there is none.
  [[nodiscard]] std::size_t header_end() const { return header_end_; }
  // Offset of the first octet behind the empty line.
  [[nodiscard]] std::size_t body() const { return body_; }
  // Lines of the header, the empty one not counted.
  [[nodiscard]] std::uint32_t lines() const { return lines_; }
  [[nodiscard]] std::string_view bytes() const { return bytes_; }

  [[nodiscard]] std::string_view name(const Field& field) const;
  // What stands behind the colon, folds included, without the last line end.
  [[nodiscard]] std::string_view raw_value(const Field& field) const;
  // The same unfolded (RFC 5322 2.2.3) and without blanks at both ends.
  [[nodiscard]] std::string value(const Field& field) const;
  // The whole field, line end included.
  [[nodiscard]] std::string_view whole(const Field& field) const;

  // The first field of that name, ASCII case ignored; null if there is none.
  [[nodiscard]] const Field* find(std::string_view name) const;
  [[nodiscard]] std::vector<const Field*> find_all(std::string_view name) const;
  [[nodiscard]] std::size_t count(std::string_view name) const;

 private:
  friend class HeaderReader;
  std::string_view bytes_;
  std::vector<Field> fields_;
  std::optional<HeaderFault> fault_;
  std::size_t header_end_ = 0;
  std::size_t body_ = 0;
  std::uint32_t lines_ = 0;
};

// Line ends in front of a blank are taken out (RFC 5322 2.2.3), blanks at both ends too.
[[nodiscard]] std::string unfold(std::string_view raw_value);

// RFC 5322 3.6.8: printable US-ASCII but ":" and not empty.
[[nodiscard]] bool is_field_name(std::string_view name);

}  // namespace posthorn::message
