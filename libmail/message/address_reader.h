// Address lists of mail that has arrived: whatever stands there, a reader gets the addresses out of it.
// What is about to be sent has a parser that refuses: address_list.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/message/address_lexer.h"
#include "libmail/message/address_list.h"
#include "libmail/message/anomaly.h"

namespace posthorn::message {

// Takes one mailbox or one end of a group at a time off a field body, folds and all, so that a list
// of 80 000 costs what is looked at. What it recovers from: absent or doubled commas, ';' for ',', open
// quotes, comments, brackets and groups, blanks in addresses, brackets within brackets, groups
// within groups, unquoted specials in names, an address as its own name, words without any address (an
// address with an empty domain). Adds bad_address_list, address_limit and nul_in_header.
class AddressReader {
 public:
  struct Item {
    enum class Kind : std::uint8_t { mailbox, group_begin, group_end };
    Kind kind = Kind::mailbox;
    Address address;         // of a mailbox; display_name alone for group_begin
    std::size_t offset = 0;  // where it begins in the text
  };

  // `text` must outlive the reader, which stays where it is.
  explicit AddressReader(std::string_view text, const AddressLimits& limits = reading_limits());
  AddressReader(const AddressReader&) = delete;
  AddressReader& operator=(const AddressReader&) = delete;
  // Nothing at the end. Does not recurse; all calls together are linear in text.size().
  [[nodiscard]] std::optional<Item> next();
  [[nodiscard]] const Anomalies& anomalies() const { return anomalies_; }

  [[nodiscard]] static AddressLimits reading_limits() { return {.mailboxes = 100'000}; }

 private:
  void bad(std::size_t offset) { anomalies_.add(AnomalyKind::bad_address_list, offset); }
  std::optional<Item> element();
  void read_words();
  [[nodiscard]] std::string phrase(std::size_t count) const;
  std::optional<Item> open_group(std::size_t begin);
  Item angle(std::size_t begin, std::string display_name);
  std::optional<Item> bare(std::size_t begin);
  std::optional<Item> own_name(std::size_t begin);
  std::size_t local_part(Address& into) const;
  void read_address(Address& into);
  [[nodiscard]] std::string read_domain();

  std::string_view text_;
  AddressLimits limits_;
  Anomalies anomalies_;
  AddressLexer lexer_;
  std::vector<AddressToken> words_;
  std::size_t depth_ = 0;  // of groups
  std::size_t mailboxes_ = 0;
};

// The whole list. A group's mailboxes are those of its inner groups, too.
[[nodiscard]] AddressList read_address_list(
    std::string_view text, Anomalies* anomalies = nullptr, std::uint64_t offset = 0,
    const AddressLimits& limits = AddressReader::reading_limits());

// The display name for people: encoded-words decoded, well-formed UTF-8, no controls.
[[nodiscard]] std::string shown_name(const Address& address);

}  // namespace posthorn::message
