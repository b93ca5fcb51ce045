// The header fields that clients ask for again and again, kept beside the message: what SORT, THREAD, SEARCH and most FETCHes of
// BODY[HEADER.FIELDS (...)] need without reading it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agents/imapd/value_keeper.h"
#include "libmail/imap/fetch.h"
#include "libmail/message/header.h"

namespace posthorn::imapd {

// ASCII case ignored.
[[nodiscard]] bool is_known_field(std::string_view name);
// Does this item ask for known fields of the message's own header, and for nothing else?
[[nodiscard]] bool asks_for_known_fields(const imap::FetchItem& item);

// What is kept: those fields of a message in their order, folds and all, with CRLF line ends. "" for a header that is not worth it.
[[nodiscard]] std::string known_header(std::string_view message);

// Takes the fields of that name (ASCII case ignored) from a header, their raw values (message/header.h) one after the other:
// quicker than to read them all.
class FieldFinder {
 public:
  FieldFinder(std::string_view header, std::string_view name) : rest_(header), name_(name) {}
  [[nodiscard]] std::optional<std::string_view> next();

 private:
  std::string_view rest_;
  std::string_view name_;
};

// The known headers of a run of messages: from the cache, else read.
class KnownHeaders {
 public:
  explicit KnownHeaders(store::OpenMailbox& mailbox)
      : mailbox_(mailbox), made_(store::CachedValue::header) {}

  // Blocking, as header(). `uids` ascend and outlive it.
  store::StoreResult<void> load(std::span<const std::uint32_t> uids);
  [[nodiscard]] bool is_loaded() const { return !at_.empty(); }
  // Of the message `index` of the run; what has no known header comes as it is stored. It lives until the next call.
  store::StoreResult<std::string_view> header(std::size_t index);
  // "" if it is not in the cache.
  [[nodiscard]] std::string_view cached(std::size_t index) const;
  // This message has been read.
  void put(std::size_t index, std::string_view message);
  [[nodiscard]] MadeValues take_made();

 private:
  store::OpenMailbox& mailbox_;
  std::span<const std::uint32_t> uids_;
  std::string octets_;                                       // of all that was found
  std::vector<std::pair<std::uint32_t, std::uint32_t>> at_;  // begin and size in it
  std::string read_;
  MadeValues made_;
};

}  // namespace posthorn::imapd
