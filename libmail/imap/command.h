// Every command as a value: what a client says, parsed (RFC 9051 section 6 and the extensions that stand beside each).
// Mailbox names are UTF-8 (mailbox_name.h); a name that can't be one is kept in `bad_name` and names no mailbox.
//
// A Line comes from LineReader. APPEND and REPLACE carry messages that a server doesn't hold: it looks at the line when a
// literal is announced (append_command.h) and parses nothing here.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "libmail/imap/fetch.h"
#include "libmail/imap/flags.h"
#include "libmail/imap/list.h"
#include "libmail/imap/mailbox_name.h"
#include "libmail/imap/search.h"
#include "libmail/imap/sort.h"

namespace posthorn::imap {

struct MailboxName {
  std::string name;  // UTF-8; INBOX in upper case
  std::optional<NameError> bad_name;

  MailboxName() = default;
  explicit MailboxName(std::string utf8) : name(std::move(utf8)) {}
  bool operator==(const MailboxName&) const = default;
};

// ---- any state, and before login ----
// Without arguments: one type, so that the parser is one table.
enum class Simple : std::uint8_t {
  capability,
  noop,
  logout,
  starttls,
  check,
  close,
  expunge,
  unselect,
  idle,
  name_space,
  unauthenticate,  // RFC 8437
  compress,        // COMPRESS DEFLATE (RFC 4978); another algorithm is a syntax error
};
struct Id {  // RFC 2971; NIL gives no fields
  std::vector<std::pair<std::string, std::optional<std::string>>> fields;
  bool operator==(const Id&) const = default;
};
struct Authenticate {
  std::string mechanism;               // upper case
  std::optional<std::string> initial;  // RFC 4959, decoded; "" was "="
  bool operator==(const Authenticate&) const = default;
};
struct Login {
  std::string user;
  std::string password;
  bool operator==(const Login&) const = default;
};
struct Enable {                           // RFC 5161
  std::vector<std::string> capabilities;  // upper case
  bool operator==(const Enable&) const = default;
};

// ---- mailboxes ----
// RFC 7162 3.2.5.
struct QResync {
  std::uint32_t uid_validity = 0;
  std::uint64_t modseq = 0;
  std::optional<NumberSet> known_uids;
  // 3.2.5.2: message numbers and the UIDs they had, of equal count; of the set as written.
  std::optional<std::pair<NumberSet, NumberSet>> sequence_match;
  bool operator==(const QResync&) const = default;
};
struct Select {
  MailboxName mailbox;
  bool read_only = false;  // EXAMINE
  bool condstore = false;
  std::optional<QResync> qresync;
  bool operator==(const Select&) const = default;
};
struct Create {
  MailboxName mailbox;
  std::vector<std::string> special_use;  // RFC 6154: "\Sent"
  bool operator==(const Create&) const = default;
};
struct Delete {
  MailboxName mailbox;
  bool operator==(const Delete&) const = default;
};
struct Rename {
  MailboxName from;
  MailboxName to;
  bool operator==(const Rename&) const = default;
};
struct Subscribe {
  MailboxName mailbox;
  bool on = true;  // false: UNSUBSCRIBE
  bool operator==(const Subscribe&) const = default;
};
struct List {
  bool lsub = false;
  ListSelection selection;
  std::string reference;  // UTF-8
  std::vector<std::string>
      patterns;  // UTF-8; one at least. One that can't be decoded isn't here: it matches nothing
  ListReturn returns;
  bool extended =
      false;  // options or several patterns were given (RFC 5258 section 3: "" then means itself, not the root)
  bool operator==(const List&) const = default;
};
struct Status {
  MailboxName mailbox;
  StatusItems items = 0;
  bool operator==(const Status&) const = default;
};

// ---- messages ----
struct Store {
  enum class How : std::uint8_t { replace, add, remove };
  bool uid = false;
  SequenceSet messages;
  std::optional<std::uint64_t> unchanged_since;
  How how = How::replace;
  bool silent = false;
  Flags flags;
  bool operator==(const Store&) const = default;
};
struct Copy {
  bool uid = false;
  bool move = false;  // RFC 6851
  SequenceSet messages;
  MailboxName to;
  bool operator==(const Copy&) const = default;
};
struct UidExpunge {  // RFC 4315
  SequenceSet messages;
  bool operator==(const UidExpunge&) const = default;
};
struct Fetch {
  bool uid = false;
  SequenceSet messages;
  std::vector<FetchItem> items;
  std::optional<std::uint64_t> changed_since;  // RFC 7162 3.1.4.1
  bool vanished = false;                       // 3.2.6; needs changed_since
  std::optional<PartialRange> partial;         // RFC 9394
  bool operator==(const Fetch&) const = default;
};
// RFC 7377 MULTISEARCH: which mailboxes.
struct SearchSource {
  enum class Kind : std::uint8_t {
    selected,
    selected_delayed,
    inboxes,
    personal,
    subscribed,
    subtree,
    subtree_one,
    mailboxes
  };
  Kind kind = Kind::selected;
  std::vector<MailboxName> mailboxes;  // subtree, subtree_one, mailboxes
  bool operator==(const SearchSource&) const = default;
};
struct Search {
  bool uid = false;
  std::optional<ReturnOptions> returns;  // nothing: the old SEARCH response
  std::string charset;                   // "" = not said
  SearchKey key;
  std::optional<std::vector<SearchSource>> sources;  // the command was ESEARCH
  bool operator==(const Search&) const = default;
};
struct Sort {
  bool uid = false;
  std::optional<ReturnOptions> returns;
  std::vector<SortCriterion> criteria;
  std::string charset;
  SearchKey key;
  bool operator==(const Sort&) const = default;
};
struct Thread {
  bool uid = false;
  ThreadAlgorithm algorithm = ThreadAlgorithm::references;
  std::string charset;
  SearchKey key;
  bool operator==(const Thread&) const = default;
};
struct CancelUpdate {  // RFC 5267 4.5
  std::vector<std::string> tags;
  bool operator==(const CancelUpdate&) const = default;
};

// ---- quota (RFC 9208), rights (RFC 4314), metadata (RFC 5464), notify (RFC 5465) ----
struct GetQuota {
  std::string root;
  bool operator==(const GetQuota&) const = default;
};
struct GetQuotaRoot {
  MailboxName mailbox;
  bool operator==(const GetQuotaRoot&) const = default;
};
struct SetQuota {
  std::string root;
  std::vector<std::pair<std::string, std::uint64_t>> limits;  // resource in upper case
  bool operator==(const SetQuota&) const = default;
};
struct SetAcl {
  MailboxName mailbox;
  std::string identifier;
  enum class How : std::uint8_t { replace, add, remove } how = How::replace;
  std::string rights;  // without "+" or "-"
  bool operator==(const SetAcl&) const = default;
};
struct DeleteAcl {
  MailboxName mailbox;
  std::string identifier;
  bool operator==(const DeleteAcl&) const = default;
};
struct GetAcl {
  MailboxName mailbox;
  bool operator==(const GetAcl&) const = default;
};
struct ListRights {
  MailboxName mailbox;
  std::string identifier;
  bool operator==(const ListRights&) const = default;
};
struct MyRights {
  MailboxName mailbox;
  bool operator==(const MyRights&) const = default;
};
struct GetMetadata {
  MailboxName mailbox;                    // "" = the server's
  std::optional<std::uint64_t> max_size;  // MAXSIZE
  enum class Depth : std::uint8_t { zero, one, infinity } depth = Depth::zero;
  std::vector<std::string> entries;  // lower case, "/private/..." or "/shared/..."
  bool operator==(const GetMetadata&) const = default;
};
struct SetMetadata {
  MailboxName mailbox;
  std::vector<std::pair<std::string, std::optional<std::string>>> entries;  // nothing: remove
  bool operator==(const SetMetadata&) const = default;
};
struct NotifyEvents {
  enum class Where : std::uint8_t {
    selected,
    selected_delayed,
    inboxes,
    personal,
    subscribed,
    subtree,
    subtree_one,
    mailboxes
  };
  Where where = Where::selected;
  std::vector<MailboxName> mailboxes;  // of subtree, subtree_one and mailboxes
  bool none = false;
  std::vector<std::string> events;  // as RFC 5465 5 writes them: "MessageNew"; others as they came
  std::vector<FetchItem> new_message;  // MessageNew (UID FLAGS ...)
  bool operator==(const NotifyEvents&) const = default;
};
struct Notify {
  bool none = false;    // NOTIFY NONE
  bool status = false;  // NOTIFY SET STATUS
  std::vector<NotifyEvents> sets;
  bool operator==(const Notify&) const = default;
};

using CommandBody =
    std::variant<Simple, Id, Authenticate, Login, Enable, Select, Create, Delete, Rename, Subscribe,
                 List, Status, Store, Copy, UidExpunge, Fetch, Search, Sort, Thread, CancelUpdate,
                 GetQuota, GetQuotaRoot, SetQuota, SetAcl, DeleteAcl, GetAcl, ListRights, MyRights,
                 GetMetadata, SetMetadata, Notify>;

struct Command {
  std::string tag;
  CommandBody body;
};

struct CommandError {
  std::string tag;       // "*" if there is none that can be repeated
  std::string name;      // upper case; "" if there is none
  bool unknown = false;  // no such command: `error` says nothing more
  SyntaxError error;
  // For BAD: "FETCH: expected a sequence set at octet 9". Printable, quotes nothing the client sent but the known name.
  [[nodiscard]] std::string text() const;
};

struct CommandDialect {
  Dialect syntax;
  char separator = '.';  // of the personal namespace, for INBOX as a first level

  CommandDialect() = default;
};

[[nodiscard]] Result<Command, CommandError> parse_command(
    const Line& line, const CommandDialect& dialect = CommandDialect());

// The tag and the name of a command that isn't whole, or that another parser reads: "a1", "APPEND", and where its arguments
// begin (behind the space). UID commands are "UID FETCH". Names in upper case.
struct CommandHead {
  std::string tag;
  std::string name;
  std::size_t arguments = 0;
};
[[nodiscard]] Result<CommandHead, CommandError> parse_command_head(std::string_view text);

// In a client's or server's parser: an astring that names a mailbox.
[[nodiscard]] MailboxName scan_mailbox(Scanner& in, char separator);

}  // namespace posthorn::imap
