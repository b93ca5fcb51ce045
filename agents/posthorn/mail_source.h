// Where messages come from when a mailbox is imported or exported: an mbox, a Maildir, an IMAP server, a user's own store.
//
// Folders are named by their levels, so that each side writes them with its own separator. Nothing is changed in a source.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libmail/async/task.h"
#include "libmail/base/clock.h"
#include "libmail/service/tool.h"
#include "libmail/session/imap_client.h"
#include "libmail/store/store.h"

namespace posthorn::operate {

template <class T>
using ToolResult = Result<T, service::ToolError>;

struct SourceFolder {
  std::vector<std::string> levels;          // UTF-8; one "INBOX" is the inbox
  std::string name;                         // as the source itself calls it
  [[nodiscard]] std::string shown() const;  // levels with "/" between them
};

// How two messages are told to be the same: header and size, or all octets if there is no Message-ID; line ends apart.
struct MailIdentity {
  std::uint64_t size = 0;  // with CRLF line ends, the last line included
  std::string digest;
  bool operator==(const MailIdentity&) const = default;
};
[[nodiscard]] MailIdentity identity_of(std::string_view whole);
// From a header and the size of the whole as a server gives it. Nothing: there is no Message-ID.
[[nodiscard]] std::optional<MailIdentity> identity_of_header(std::string_view header,
                                                             std::uint64_t size);

struct SourceMessage {
  std::optional<MailIdentity> identity;  // nothing: read() has to tell
  std::uint16_t flags = 0;               // of store::flag::system_flags
  std::vector<std::string> keywords;
  std::optional<WallTime> date;  // INTERNALDATE
};

class MailSource {
 public:
  virtual ~MailSource() = default;
  virtual async::Task<ToolResult<std::vector<SourceFolder>>> folders() = 0;
  // Makes it the current folder; gives how many messages it has. They are numbered from 0.
  virtual async::Task<ToolResult<std::size_t>> open(SourceFolder folder) = 0;
  // Messages [first, first + count) of the current folder.
  virtual async::Task<ToolResult<std::vector<SourceMessage>>> look(std::size_t first,
                                                                   std::size_t count) = 0;
  // The octets of these messages, ascending, one call of `take` for each that is still there: with CRLF line ends, or LF.
  using Take = std::function<void(std::size_t number, std::string octets)>;
  virtual async::Task<ToolResult<void>> read(std::vector<std::size_t> numbers, Take take) = 0;
  // Says good-bye.
  virtual async::Task<void> close() { co_return; }
};

// A file, or a directory with NAME.mbox files in it, sub-directories being levels.
std::unique_ptr<MailSource> make_mbox_source(std::string path);
// A Maildir with its Maildir++ folders.
std::unique_ptr<MailSource> make_maildir_source(std::string path);
// Mailboxes of a store, these or all.
std::unique_ptr<MailSource> make_store_source(store::Store& store, std::vector<std::string> names);
std::unique_ptr<MailSource> make_imap_source(async::Endpoint server,
                                             session::ImapClientOptions options);

}  // namespace posthorn::operate
