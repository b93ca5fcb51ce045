// Annotations of a mailbox or of an account (RFC 5464), in a file of ours: a line each, its fields parted by tabs, with Dovecot's
// escapes. Sans I/O.
//
//   /shared/comment <TAB> <TAB> what all may read
//   /private/vendor/x/color <TAB> ann <TAB> #b71c1c
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace posthorn::store {

// RFC 5464 4.1 asks for 1024 octets and 10 entries at least.
struct MetadataLimits {
  std::size_t value = 32 * 1024;  // octets of one value
  std::size_t entries = 500;      // of one file
  std::size_t all = 512 * 1024;   // octets of all values of one file
  std::size_t name = 1024;        // octets of an entry's name
};
inline constexpr MetadataLimits metadata_limits;

// Entry to value; names are in lower case and begin with "/shared/" or "/private/".
using Annotations = std::map<std::string, std::string>;
// Nothing: the entry goes.
using AnnotationChanges = std::vector<std::pair<std::string, std::optional<std::string>>>;

enum class MetadataRefusal : std::uint8_t { none, too_large, too_many };

class Metadata {
 public:
  // Lines that can't be read are passed over.
  static Metadata parse(std::string_view text);
  [[nodiscard]] std::string text() const;

  // What is shared, and what is private to this user.
  [[nodiscard]] Annotations seen_by(const std::string& user) const;
  // All of them, or none.
  MetadataRefusal change(const std::string& user, const AnnotationChanges& changes);

 private:
  std::map<std::pair<std::string, std::string>, std::string>
      values_;  // by user ("" = all) and entry
};

}  // namespace posthorn::store
