// SearchIndex: which messages of a mailbox may have a text. It never says no to one that has it, and may say yes to one that has
// not: whoever asks reads the message. It is a cache like the store's index: deleting it costs nothing but time.
//
// All functions may sleep. One object is for one thread at a time; several of one file, in one process or in many, don't disturb
// each other: readers see what was there when they asked, and of two writers the second gets `busy`.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/base/result.h"
#include "libmail/imap/sequence_set.h"
#include "libmail/message/message_view.h"

namespace posthorn::search {

inline constexpr const char* index_name = "posthorn.search";

struct Limits {
  // Folded text of one message; one that has more is not indexed, and read at each search.
  std::size_t message_octets = std::size_t{4} << 20;
  // Of a file; what comes later is not indexed. A message of 4 KB takes about as much here.
  std::uint64_t file_octets = std::uint64_t{8} << 30;
  // One transaction: whichever is reached first. It can't be interrupted, and who waits for the core waits so long.
  std::size_t batch_messages = 256;
  std::size_t batch_octets = std::size_t{2} << 20;  // folded

  Limits() = default;
};

// The header as a whole holds the names and values of all fields, those in columns of their own included.
enum class Column : std::uint8_t { subject, from, to, cc, bcc, header, body };
inline constexpr std::size_t columns = 7;

// The texts of one message, folded (folded_text.h). Of one that is not to be indexed they are empty, and `is_indexed` is false:
// it counts as looked at.
struct IndexedMessage {
  std::uint32_t uid = 0;
  bool is_indexed = false;
  std::array<std::string, columns> text;
  [[nodiscard]] std::size_t size() const;
};
[[nodiscard]] IndexedMessage texts_of(std::uint32_t uid, const message::MessageView& view,
                                      const Limits& limits);

struct SearchError {
  enum class Kind : std::uint8_t {
    missing,  // there is no index, or one of another mailbox, UIDVALIDITY or version
    busy,     // another one writes, or cleans up
    damaged,  // it has to be thrown away; nothing is lost by that
    full,     // the disk, the quota or the limit
    unavailable,
  };
  Kind kind = Kind::unavailable;
  std::string text;  // one line for the log

  SearchError() = default;
  SearchError(Kind what, std::string why) : kind(what), text(std::move(why)) {}
};
template <class T>
using SearchResult = Result<T, SearchError>;

// Of which messages the index speaks. An index may know messages that are gone.
struct Known {
  imap::NumberSet seen;     // looked at: nobody has to come with them again
  imap::NumberSet indexed;  // of these
};

class SearchIndex {
 public:
  virtual ~SearchIndex() = default;
  virtual SearchResult<Known> known() = 0;
  // UIDs of all indexed messages that have `folded` in one of `in`, and maybe of others. Nothing: the text is too short to say.
  virtual SearchResult<std::optional<imap::NumberSet>> candidates(std::span<const Column> in,
                                                                  std::string_view folded) = 0;
  // All of them or none; what is known already is passed over.
  virtual SearchResult<void> add(std::span<const IndexedMessage> messages) = 0;
  // Reads all of it. `damaged`: what was found.
  virtual SearchResult<void> verify() = 0;
};

// Whose index it is: another's is never believed.
struct IndexOwner {
  std::uint32_t uid_validity = 0;
  std::string mailbox;  // its GUID
};

// The index in `directory` (a real path: no symbolic link in it is followed).
SearchResult<std::unique_ptr<SearchIndex>> open_index(const std::string& directory,
                                                      const IndexOwner& owner,
                                                      const Limits& limits = {});
// The same; made if it is missing, and made anew if it is another's or damaged: `remark` says so then.
SearchResult<std::unique_ptr<SearchIndex>> make_index(const std::string& directory,
                                                      const IndexOwner& owner, const Limits& limits,
                                                      std::string& remark);
// Whether there is one, whosever it is.
[[nodiscard]] bool has_index(const std::string& directory);
void remove_index(const std::string& directory);

}  // namespace posthorn::search
