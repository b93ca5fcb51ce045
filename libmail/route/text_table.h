// The grammar of `key value` files (README.md, "The files"). Text in, value or error out.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "libmail/base/result.h"

namespace posthorn::route {

struct TextTableLimits {
  std::size_t octets = 256 << 20;  // of a file
  std::size_t entry = 16 << 20;    // of one entry with its continuation lines
  std::size_t entries = 4'000'000;
};

struct TextTableError {
  std::uint32_t line = 0;  // the first line is 1; of an entry, its first line
  std::string text;        // what is wrong and what is expected
};

// Looks at one entry. May change `key` to its canonical form. Gives what is wrong with it, "" if
// nothing is.
using EntryCheck = std::function<std::string(std::string& key, std::string_view value)>;

class TextTable {
 public:
  [[nodiscard]] static Result<TextTable, TextTableError> parse(std::string_view text,
                                                               const EntryCheck& check,
                                                               const TextTableLimits& limits = {});

  // The value, or null. Valid as long as the table.
  [[nodiscard]] const std::string* find(std::string_view key) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string value;
    std::uint32_t line = 0;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const {
      return std::hash<std::string_view>()(key);
    }
  };
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> entries_;
};

}  // namespace posthorn::route
