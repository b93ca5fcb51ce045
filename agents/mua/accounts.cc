#include "agents/mua/accounts.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "libmail/base/text.h"

namespace posthorn::mua {

namespace exit_code = service::exit_code;
using service::ToolError;

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): read before any thread
  return value == nullptr ? "" : value;
}

std::string in_home(const std::string& variable, const std::string& below_home) {
  const std::string given = environment(variable.c_str());
  return given.empty() ? environment("HOME") + "/" + below_home : given;
}

// Reads one table and remembers the first thing that was wrong, with its line.
class TableReader {
 public:
  TableReader(const toml::table& table, std::string file) : table_(table), file_(std::move(file)) {}

  std::string text(std::string_view key, const std::string& otherwise = {}) {
    const toml::node* node = take(key);
    if (node == nullptr) return otherwise;
    if (const auto* value = node->as_string()) return value->get();
    wrong(*node, fmt::format("\"{}\" is a text", key));
    return otherwise;
  }
  std::uint16_t port(std::string_view key, std::uint16_t otherwise) {
    const toml::node* node = take(key);
    if (node == nullptr) return otherwise;
    const auto* value = node->as_integer();
    if (value != nullptr && value->get() > 0 && value->get() < 65536)
      return static_cast<std::uint16_t>(value->get());
    wrong(*node, fmt::format("\"{}\" is a number from 1 to 65535", key));
    return otherwise;
  }
  bool truth(std::string_view key, bool otherwise) {
    const toml::node* node = take(key);
    if (node == nullptr) return otherwise;
    if (const auto* value = node->as_boolean()) return value->get();
    wrong(*node, fmt::format("\"{}\" is true or false", key));
    return otherwise;
  }
  // An array of words, or one text for the shell.
  std::vector<std::string> command(std::string_view key) {
    const toml::node* node = take(key);
    if (node == nullptr) return {};
    if (const auto* value = node->as_string()) return {"/bin/sh", "-c", value->get()};
    auto words = list_of(*node, key);
    if (words.empty())
      wrong(*node, fmt::format("\"{}\" is a command line or a list of words", key));
    return words;
  }
  std::vector<std::string> list(std::string_view key) {
    const toml::node* node = take(key);
    return node == nullptr ? std::vector<std::string>() : list_of(*node, key);
  }
  const toml::table* table(std::string_view key) {
    const toml::node* node = take(key);
    if (node == nullptr) return nullptr;
    if (node->as_table() == nullptr) wrong(*node, fmt::format("\"{}\" is a table", key));
    return node->as_table();
  }
  void wrong(const toml::node& node, const std::string& what) {
    if (error_.empty()) error_ = fmt::format("{}:{}: {}", file_, node.source().begin.line, what);
  }
  void wrong_here(const std::string& what) { wrong(table_, what); }
  // All keys were asked for by now: others are errors.
  void end() {
    for (const auto& [key, node] : table_) {
      const std::string name(key.str());
      if (std::ranges::find(known_, name) != known_.end()) continue;
      const auto near = nearest(name, known_);
      wrong(node, fmt::format("unknown key \"{}\"{}", printable(name),
                              near ? "; did you mean \"" + *near + "\"?" : ""));
    }
  }
  [[nodiscard]] const std::string& error() const { return error_; }
  void take_error(const TableReader& of) {
    if (error_.empty()) error_ = of.error_;
  }

 private:
  const toml::node* take(std::string_view key) {
    known_.emplace_back(key);
    return table_.get(key);
  }
  std::vector<std::string> list_of(const toml::node& node, std::string_view key) {
    std::vector<std::string> words;
    const auto* array = node.as_array();
    if (array == nullptr) wrong(node, fmt::format("\"{}\" is a list of texts", key));
    if (array == nullptr) return words;
    for (const toml::node& item : *array) {
      if (const auto* word = item.as_string())
        words.push_back(word->get());
      else
        wrong(item, fmt::format("\"{}\" is a list of texts", key));
    }
    return words;
  }

  const toml::table& table_;
  std::string file_;
  std::string error_;
  std::vector<std::string> known_;
};

TlsMode read_tls(TableReader& in) {
  const std::string text = in.text("tls", "implicit");
  if (text == "starttls") return TlsMode::starttls;
  if (text == "none") return TlsMode::never;
  if (text != "implicit") in.wrong_here("\"tls\" is \"implicit\", \"starttls\" or \"none\"");
  return TlsMode::implicit;
}

Secret read_secret(TableReader& in, const std::string& file) {
  Secret secret;
  secret.password_command = in.command("password_command");
  secret.password_file = expand_path(in.text("password_file"), file);
  secret.token_command = in.command("token_command");
  return secret;
}

Server read_server(TableReader& in, const std::string& file, std::uint16_t implicit_port,
                   std::uint16_t clear_port) {
  Server server;
  server.host = in.text("host");
  server.socket = expand_path(in.text("socket"), file);
  server.tls = read_tls(in);
  server.port = in.port("port", server.tls == TlsMode::implicit ? implicit_port : clear_port);
  if (!server.socket.empty()) server.tls = TlsMode::never;
  server.tls_name = in.text("tls_name", server.host);
  server.ca_file = expand_path(in.text("ca_file"), file);
  server.user = in.text("user");
  server.secret = read_secret(in, file);
  return server;
}

void read_own_addresses(TableReader& in, Account& account) {
  const auto one = [&](const std::string& text) -> std::optional<message::Address> {
    const auto list = message::parse_address_list(text);
    if (list && list->mailboxes.size() == 1 && !list->mailboxes.front().domain.empty())
      return list->mailboxes.front();
    in.wrong_here(fmt::format("\"{}\" is no e-mail address", printable(text)));
    return std::nullopt;
  };
  if (const std::string text = in.text("address"); !text.empty()) {
    if (const auto address = one(text)) account.address = *address;
  }
  if (const std::string name = in.text("name"); !name.empty()) account.address.display_name = name;
  for (const std::string& text : in.list("aliases")) {
    if (const auto address = one(text)) account.aliases.push_back(*address);
  }
}

void read_store(TableReader& in, const std::string& file, Account& account) {
  static const std::map<std::string, StoreKind> kinds = {{"", StoreKind::none},
                                                         {"imap", StoreKind::imap},
                                                         {"pop3", StoreKind::pop3},
                                                         {"maildir", StoreKind::maildir},
                                                         {"mbox", StoreKind::mbox}};
  const std::string kind = in.text("store");
  const auto found = kinds.find(kind);
  if (found == kinds.end())
    in.wrong_here("\"store\" is \"imap\", \"pop3\", \"maildir\" or \"mbox\"");
  if (found != kinds.end()) account.store = found->second;
  const bool pop3 = account.store == StoreKind::pop3;
  account.server = read_server(in, file, pop3 ? 995 : 993, pop3 ? 110 : 143);
  account.path = expand_path(in.text("path"), file);
  const bool remote = account.store == StoreKind::imap || pop3;
  if (remote && account.server.empty()) in.wrong_here("\"host\" is missing");
  if (!remote && account.store != StoreKind::none && account.path.empty())
    in.wrong_here("\"path\" is missing");
}

void read_submission(TableReader& in, const std::string& file, Account& account) {
  account.sendmail = in.command("sendmail");
  const toml::table* table = in.table("submission");
  if (table == nullptr) return;
  TableReader below(*table, file);
  account.submission = read_server(below, file, 465, 587);
  if (account.submission.empty()) below.wrong_here("\"host\" is missing");
  // Mostly one and the same log-in.
  if (account.submission.user.empty() && account.submission.socket.empty())
    account.submission.user = account.server.user;
  if (account.submission.secret.empty()) account.submission.secret = account.server.secret;
  if (account.submission.ca_file.empty()) account.submission.ca_file = account.server.ca_file;
  below.end();
  in.take_error(below);
}

void read_folders(TableReader& in, const std::string& file, Account& account) {
  const toml::table* table = in.table("folders");
  if (table == nullptr) return;
  TableReader below(*table, file);
  for (const char* role : {"sent", "drafts", "trash", "junk", "archive"}) {
    if (const std::string name = below.text(role); !name.empty()) account.folders[role] = name;
  }
  below.end();
  in.take_error(below);
}

std::string read_signature(TableReader& in, const std::string& file) {
  const std::string path = expand_path(in.text("signature_file"), file);
  std::string signature = in.text("signature");
  if (path.empty()) return signature;
  auto text = read_named_file(path);
  if (!text) in.wrong_here("signature_file " + path + " can't be read");
  return text.value_or("");
}

ToolError config_error(const std::string& text) {
  return {exit_code::config, "configuration", text,
          "mua(1) has an example; mua discover ADDRESS prints one"};
}

}  // namespace

bool Account::owns(const message::Address& other) const {
  const auto same = [&](const message::Address& own) {
    return iequals(own.domain, other.domain) && iequals(own.local_part, other.local_part);
  };
  return same(address) || std::ranges::any_of(aliases, same);
}

std::string expand_path(const std::string& path, const std::string& file) {
  if (path.empty() || path.starts_with('/')) return path;
  if (path.starts_with("~/")) return environment("HOME") + path.substr(1);
  std::error_code error;
  const auto base = std::filesystem::absolute(file, error).parent_path();
  return (base / path).lexically_normal().string();
}

std::optional<std::string> read_named_file(const std::string& path) {
  std::error_code error;
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  if (!in || std::filesystem::is_directory(path, error)) return std::nullopt;
  return text.str();
}

std::string accounts_file(const std::string& given) {
  if (!given.empty()) return given;
  const std::string variable = environment("POSTHORN_MUA_CONFIG");
  return variable.empty() ? in_home("XDG_CONFIG_HOME", ".config") + "/posthorn/mua.toml" : variable;
}

std::string data_directory() {
  return in_home("XDG_DATA_HOME", ".local/share") + "/posthorn";
}

Result<Accounts, ToolError> parse_accounts(const std::string& text, const std::string& file) {
  toml::table table;
  try {
    table = toml::parse(text, file);
  } catch (const toml::parse_error& problem) {
    return fail(config_error(
        fmt::format("{}:{}: {}", file, problem.source().begin.line, problem.description())));
  }
  Accounts accounts;
  accounts.file = file;
  TableReader in(table, file);
  const std::string preferred = in.text("default");
  accounts.outbox = expand_path(in.text("outbox", data_directory() + "/outbox"), file);
  std::vector<std::pair<std::size_t, Account>> in_order;
  if (const toml::table* all = in.table("accounts")) {
    for (const auto& [key, node] : *all) {
      if (node.as_table() == nullptr) in.wrong(node, "an account is a table: [accounts.NAME]");
      if (node.as_table() == nullptr) continue;
      TableReader below(*node.as_table(), file);
      Account account;
      account.name = std::string(key.str());
      read_own_addresses(below, account);
      read_store(below, file, account);
      read_submission(below, file, account);
      read_folders(below, file, account);
      account.signature = read_signature(below, file);
      account.copy_to_sent = below.truth("copy_to_sent", true);
      below.end();
      in.take_error(below);
      const std::size_t rank = account.name == preferred ? 0 : node.source().begin.line;
      in_order.emplace_back(rank, std::move(account));
    }
  }
  in.end();
  if (!in.error().empty()) return fail(config_error(in.error()));
  std::ranges::sort(in_order, {}, [](const auto& each) { return each.first; });
  for (auto& [rank, account] : in_order) accounts.all.push_back(std::move(account));
  if (accounts.all.empty()) return fail(config_error(file + ": there is no account in it"));
  if (!preferred.empty() && accounts.all.front().name != preferred)
    return fail(config_error(fmt::format("{}: \"default\" names no account: {}", file, preferred)));
  return accounts;
}

Result<Accounts, ToolError> read_accounts(const std::string& file) {
  const auto text = read_named_file(file);
  if (!text) return fail(config_error(file + " can't be read"));
  return parse_accounts(*text, file);
}

Result<std::vector<Account>, ToolError> choose_accounts(const Accounts& accounts,
                                                        const std::string& names, bool all) {
  if (all) return accounts.all;
  if (names.empty()) return std::vector<Account>{accounts.all.front()};
  std::vector<Account> chosen;
  std::vector<std::string> known;
  for (const Account& account : accounts.all) known.push_back(account.name);
  for (const std::string_view name : split(names, ',')) {
    const auto found = std::ranges::find(accounts.all, name, &Account::name);
    if (found != accounts.all.end()) {
      chosen.push_back(*found);
      continue;
    }
    const auto near = nearest(name, known);
    return fail(ToolError(
        exit_code::config, "no-such-account",
        fmt::format("there is no account \"{}\" in {}", printable(name), accounts.file),
        near ? "did you mean " + *near + "?" : fmt::format("one of {}", fmt::join(known, ", "))));
  }
  return chosen;
}

}  // namespace posthorn::mua
