// LIST, LSUB and STATUS: options, items and answers (RFC 9051 6.3.9, 6.3.11; RFC 5258, 5819, 6154, 7889, 8438, 8440, 8474, 9590).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libmail/imap/scanner.h"

namespace posthorn::imap {

enum class StatusItem : std::uint16_t {
  messages = 1,
  recent = 2,
  uid_next = 4,
  uid_validity = 8,
  unseen = 16,
  deleted = 32,
  size = 64,
  highest_modseq = 128,
  append_limit = 256,
  mailbox_id = 512,
  deleted_storage = 1024,
};
using StatusItems = std::uint16_t;  // StatusItem bits

[[nodiscard]] StatusItems scan_status_items(Scanner& in);        // "(MESSAGES UIDNEXT)"
[[nodiscard]] std::string status_items_text(StatusItems items);  // "MESSAGES UIDNEXT"

// The answer. What isn't said isn't there.
struct StatusData {
  std::optional<std::uint64_t> messages, recent, uid_next, uid_validity, unseen, deleted, size,
      highest_modseq, deleted_storage;
  std::optional<std::uint64_t> append_limit;  // NIL: nothing, too
  std::string mailbox_id;

  StatusData() = default;
  bool operator==(const StatusData&) const = default;
};
[[nodiscard]] StatusData scan_status_data(
    Scanner& in);  // "(MESSAGES 17 UIDNEXT 4392)"; unknown ones are passed over
[[nodiscard]] std::string status_data_text(const StatusData& data);

struct ListSelection {
  bool subscribed = false;
  bool remote = false;
  bool recursive_match = false;
  bool special_use = false;
  ListSelection() = default;
  bool operator==(const ListSelection&) const = default;
};
struct ListReturn {
  bool subscribed = false;
  bool children = false;
  bool special_use = false;
  bool my_rights = false;
  StatusItems status = 0;
  std::vector<std::string> metadata;  // entries
  ListReturn() = default;
  bool operator==(const ListReturn&) const = default;
};
[[nodiscard]] ListSelection scan_list_selection(Scanner& in);  // in parentheses
[[nodiscard]] ListReturn scan_list_return(Scanner& in);        // in parentheses
[[nodiscard]] std::string list_selection_text(const ListSelection& options);
[[nodiscard]] std::string list_return_text(const ListReturn& options);

// What LIST and LSUB answer.
struct ListEntry {
  std::vector<std::string> attributes;  // "\HasChildren", "\Sent", as they came
  char separator = '\0';                // '\0': NIL
  std::string name;                     // UTF-8
  std::optional<std::string> old_name;  // OLDNAME (RFC 9051 6.3.9.7)
  std::vector<std::string> child_info;  // CHILDINFO: "SUBSCRIBED"

  ListEntry() = default;
  [[nodiscard]] bool has(std::string_view attribute) const;
  bool operator==(const ListEntry&) const = default;
};
[[nodiscard]] ListEntry scan_list_entry(Scanner& in);  // what follows "LIST "
// "LIST (\Noselect) "/" foo" without CRLF, with `word` LIST or LSUB.
[[nodiscard]] std::string list_entry_text(const ListEntry& entry, bool utf8,
                                          std::string_view word = "LIST");

}  // namespace posthorn::imap
