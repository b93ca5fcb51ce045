// One search key against one message: rows first, then headers, then bodies, and no more than it takes. Exact: what matches is
// what RFC 9051 6.4.4 says, whatever an index might guess.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agents/imapd/fetch_body.h"
#include "agents/imapd/known_header.h"
#include "agents/imapd/selected.h"
#include "libmail/imap/search.h"

namespace posthorn::imapd {

// A key with all that can be settled before the first message is looked at: texts in UTF-8 and folded, sets resolved,
// conjunctions sorted by cost.
struct PreparedKey {
  enum class Cost : std::uint8_t { row, header, body };
  imap::SearchKey::Kind kind = imap::SearchKey::Kind::all;
  Cost cost = Cost::row;
  std::string text;  // folded
  std::string field;
  std::uint64_t number = 0;
  std::int64_t day = 0;  // since 1970
  imap::NumberSet set;
  std::uint16_t flag = 0;     // a system flag of the store; 0: a keyword
  std::uint64_t keyword = 0;  // its bit; 0: nobody has it
  imap::NumberSet without;    // UIDs that can't have the text, as the search index knows
  bool is_recent = false;
  std::vector<PreparedKey> children;
};

struct SearchFacts {
  const Selected* selected = nullptr;
  std::shared_ptr<const store::Snapshot> snapshot;
  std::int64_t now = 0;  // seconds
};

// Nothing: the charset is not known.
[[nodiscard]] std::optional<PreparedKey> prepare_key(const imap::SearchKey& key,
                                                     const std::string& charset,
                                                     const SearchFacts& facts);

// The known headers of the messages that a search comes to, read from the cache ahead of it, the further the longer none of them was
// passed over.
class HeadersAhead {
 public:
  HeadersAhead(store::OpenMailbox& mailbox, std::shared_ptr<const store::Snapshot> snapshot)
      : snapshot_(std::move(snapshot)), headers_(mailbox) {}
  // "" if the cache has none. Blocking; good until the next call.
  [[nodiscard]] std::string_view of(std::uint32_t uid);

 private:
  std::shared_ptr<const store::Snapshot> snapshot_;
  KnownHeaders headers_;
  std::vector<std::uint32_t> uids_;
  std::size_t at_ = 0;     // of uids_: who was asked about last
  std::size_t count_ = 1;  // how many were read at once
};

// A message under test: what was read for one key serves the next.
class SearchedMessage {
 public:
  SearchedMessage(store::OpenMailbox& mailbox, const SearchFacts& facts, HeadersAhead& headers,
                  std::uint32_t number, const store::MessageRow& row)
      : mailbox_(mailbox), facts_(facts), headers_(headers), number_(number), row_(row) {}

  // Blocking. A message that is gone matches nothing.
  [[nodiscard]] bool matches(const PreparedKey& key);
  // Something: it could not be read, and what matches() said means nothing.
  [[nodiscard]] std::optional<store::StoreError>& error() { return error_; }
  // The message itself, or its header: it was not enough what is kept of it.
  [[nodiscard]] bool has_read() const { return whole_ != nullptr || header_ != nullptr; }

 private:
  bool matches_row(const PreparedKey& key);
  bool matches_date(const PreparedKey& key);
  bool matches_field(const PreparedKey& key, std::string_view name);
  bool matches_sent(const PreparedKey& key);
  std::string_view cached_header();
  std::optional<std::string_view> known();
  FetchedText* header();
  FetchedText* whole();
  void note(store::StoreError error);

  store::OpenMailbox& mailbox_;
  const SearchFacts& facts_;
  HeadersAhead& headers_;
  std::uint32_t number_;
  store::MessageRow row_;
  std::unique_ptr<FetchedText> header_;
  std::unique_ptr<FetchedText> whole_;
  bool gone_ = false;
  std::optional<store::StoreError> error_;
};

}  // namespace posthorn::imapd
