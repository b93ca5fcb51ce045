// The header of a message while filters change it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/base/result.h"
#include "libmail/milter/answer.h"

namespace posthorn::milter {

// Where our own Received is, which filters don't see, and count as the field at position 0.
enum class OurReceived : std::uint8_t {
  on_top,  // the first one in the block
  later,   // not there yet: it will stand above the block
};

class HeaderEdit {
 public:
  // `block`: a message from its first octet through the empty line, or to its end if there is none. What begins with a
  // line that is no field is no header any more, and stays as it is.
  explicit HeaderEdit(std::string_view block, OurReceived received = OurReceived::on_top);

  struct Field {
    std::string octets;         // the whole field, with its line end
    std::size_t name_size = 0;  // without blanks before the colon
    std::size_t value = 0;      // where it begins, behind the colon
    bool ours = false;  // the Received that this intake has put on top: filters don't see it

    [[nodiscard]] std::string_view name() const {
      return std::string_view(octets).substr(0, name_size);
    }
    [[nodiscard]] std::string_view raw_value() const;  // without the last line end
  };
  [[nodiscard]] const std::vector<Field>& fields() const { return fields_; }

  // `leading_space`: values bring the blank behind the colon along. The error is for the log: a name that is none, a
  // line that is too long; nothing is changed then.
  Result<void, std::string> apply(const AddField& change, bool leading_space);
  Result<void, std::string> apply(const InsertField& change, bool leading_space);
  Result<void, std::string> apply(const ChangeField& change, bool leading_space);

  // The block again.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<Field> fields_;
  bool ours_is_above_;
  std::string rest_;  // the empty line, and what is behind a line that is no field
};

}  // namespace posthorn::milter
