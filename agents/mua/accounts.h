// Accounts: whose mail, where it lies, where it is sent. One TOML file, read and never written by mua.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libmail/message/address_list.h"
#include "libmail/service/tool.h"
#include "libmail/session/mail_login.h"

namespace posthorn::mua {

enum class StoreKind : std::uint8_t { none, imap, pop3, maildir, mbox };
// In the file: implicit, starttls, none.
using TlsMode = session::MailTls;

// How a password or token is got; nothing secret is ever in the configuration file itself.
struct Secret {
  std::vector<std::string> password_command;  // argv; its first line of output
  std::string password_file;                  // mode 0600, owned by the caller; its first line
  std::vector<std::string> token_command;     // argv; an OAuth 2 access token
  std::optional<std::string> typed;           // by a person, beforehand; never in the file
  [[nodiscard]] bool empty() const {
    return password_command.empty() && password_file.empty() && token_command.empty() && !typed;
  }
};

// A server and how to log in there.
struct Server {
  std::string host;
  std::uint16_t port = 0;
  std::string socket;  // a Unix socket in place of host and port
  TlsMode tls = TlsMode::implicit;
  std::string tls_name;  // what the certificate must be good for; "" = host
  std::string ca_file;   // PEM; "" = the system's
  std::string user;      // "" = no log-in
  Secret secret;
  [[nodiscard]] bool empty() const { return host.empty() && socket.empty(); }
  [[nodiscard]] async::Endpoint endpoint() const {
    return socket.empty() ? async::Endpoint::inet(host, port) : async::Endpoint::unix_path(socket);
  }
};

struct Account {
  std::string name;                       // of the account: "work"
  message::Address address;               // From of what is sent
  std::vector<message::Address> aliases;  // other addresses of the same person
  std::string signature;
  StoreKind store = StoreKind::none;
  Server server;     // imap, pop3
  std::string path;  // maildir, mbox: absolute; mbox: a file, or a directory of files
  Server submission;
  std::vector<std::string> sendmail;  // argv, in place of a submission server
  // Role ("sent", "drafts", "trash", "junk", "archive") to folder; goes before special-use (RFC 6154).
  std::map<std::string, std::string> folders;
  bool copy_to_sent = true;
  [[nodiscard]] bool sends() const { return !submission.empty() || !sendmail.empty(); }
  [[nodiscard]] bool keeps_folders() const {
    return store == StoreKind::imap || store == StoreKind::maildir;
  }
  // Is it one of the account's own addresses?
  [[nodiscard]] bool owns(const message::Address& address) const;
};

struct Accounts {
  std::string file;    // where they were read from
  std::string outbox;  // directory; "" = the user's data directory
  std::vector<Account>
      all;  // in the order of the file; the first is the default one unless the file says `default`
};

// --config, else $POSTHORN_MUA_CONFIG, else $XDG_CONFIG_HOME/posthorn/mua.toml.
[[nodiscard]] std::string accounts_file(const std::string& given);
// Errors name file and line: exit code 78.
[[nodiscard]] Result<Accounts, service::ToolError> read_accounts(const std::string& file);
[[nodiscard]] Result<Accounts, service::ToolError> parse_accounts(const std::string& text,
                                                                  const std::string& file);
// `names`: "work,home", "" = the default one. An unknown one is exit code 78 with the nearest name.
[[nodiscard]] Result<std::vector<Account>, service::ToolError> choose_accounts(
    const Accounts& accounts, const std::string& names, bool all);
// "~/x" and "$XDG..."-less paths of the file made absolute, relative ones inside the file's directory.
[[nodiscard]] std::string expand_path(const std::string& path, const std::string& file);
// What stands in a file the user names, or in a pipe: "<(...)" of a shell. Nothing if it can't be read.
[[nodiscard]] std::optional<std::string> read_named_file(const std::string& path);
// $XDG_DATA_HOME/posthorn or ~/.local/share/posthorn.
[[nodiscard]] std::string data_directory();

}  // namespace posthorn::mua
