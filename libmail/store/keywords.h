// The names of keywords. `dovecot-keywords` maps the letters a-z in file names to names and is shared with Dovecot:
//
//   0 $Forwarded
//   1 work
//
// What comes beyond 26 stands in a file of ours, `posthorn-keywords`: names, and who has them. The last line of a UID counts.
//
//   1 V1795378460 twenty-seventh twenty-eighth
//   4711 twenty-seventh
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/store/error.h"
#include "libmail/store/files.h"
#include "libmail/store/mail_index.h"

namespace posthorn::store {

inline constexpr std::size_t letter_keywords = 26;
inline constexpr std::size_t keyword_limit = 64;  // bits of MessageRow::keywords
inline constexpr std::size_t keyword_length = 100;

// A flag-keyword of RFC 9051: an atom that does not begin with a backslash.
bool is_keyword(std::string_view name);

// Letter i's name at [i], "" for none. Lines that can't be read, and names given a second time, are passed over.
std::vector<std::string> parse_dovecot_keywords(std::string_view text);
std::string format_dovecot_keywords(const std::vector<std::string>& names);

struct ExtraKeywords {
  std::uint32_t uid_validity = 0;
  std::vector<std::string> names;                   // keyword 26, 27, ...
  std::map<std::uint32_t, std::uint64_t> messages;  // UID -> bits as in MessageRow::keywords

  static ExtraKeywords parse(std::string_view text);
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::string line(std::uint32_t uid, std::uint64_t bits) const;
};

// Both files of one mailbox. All functions but load() want dovecot-uidlist.lock held.
class KeywordFiles {
 public:
  KeywordFiles(Files& files, Directory& root) : files_(files), root_(root) {}

  // Reads what changed since the last time; true if a name did.
  StoreResult<bool> load(std::uint32_t uid_validity);
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  // Messages with keywords beyond 26, as the file has them.
  [[nodiscard]] const std::map<std::uint32_t, std::uint64_t>& extra() const {
    return extra_.messages;
  }

  // Bits for these names; those that are new get bits, on disk when this returns. A name beyond keyword_limit gets none, and
  // `refused` says so.
  struct Bits {
    std::uint64_t bits = 0;
    bool refused = false;
  };
  StoreResult<Bits> bits_of(const std::vector<std::string>& names, bool add);
  // Notes which keywords beyond 26 these messages have now.
  StoreResult<void> note_extra(
      const std::vector<std::pair<std::uint32_t, std::uint64_t>>& messages);

 private:
  StoreResult<void> add_letters(const std::vector<std::string>& fresh);
  StoreResult<void> write_extra();

  Files& files_;
  Directory& root_;
  std::vector<std::string> names_;
  ExtraKeywords extra_;
  FileStamp letters_stamp_;
  FileStamp extra_stamp_;
  std::size_t extra_lines_ = 0;
};

FileStamp stamp_of(const FileStatus& status);
// Reads a small text file. not_found if there is none; anything that is no plain file below `limit` is refused.
struct SmallFile {
  std::string text;
  FileStamp stamp;
  mode_t mode = 0;
};
StoreResult<SmallFile> read_small_file(Directory& directory, const std::string& name,
                                       std::uint64_t limit = 16ULL << 20);
// Writes NAME.tmp, syncs it, renames it over NAME, syncs the directory. The caller holds NAME's lock.
StoreResult<FileStamp> replace_file(Directory& directory, const std::string& name,
                                    std::string_view text, mode_t mode);

}  // namespace posthorn::store
