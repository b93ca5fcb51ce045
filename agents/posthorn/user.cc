// posthorn user add|passwd|list|delete: the site's users file.
#include <fcntl.h>
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "agents/posthorn/commands.h"
#include "agents/posthorn/users_file.h"
#include "libmail/base/random.h"
#include "libmail/base/text.h"
#include "libmail/sasl/passwd_edit.h"

namespace posthorn::operate {

using service::OptionTable;
namespace exit_code = service::exit_code;

namespace {

ToolError users_error(const sasl::PasswdError& error) {
  using Kind = sasl::PasswdError::Kind;
  switch (error.kind) {
    case Kind::no_such_user:
      return {exit_code::unknown_user, "no-such-user", error.text, "posthorn user list shows all"};
    case Kind::user_exists:
      return {exit_code::failed, "user-exists", error.text,
              "posthorn user passwd changes a password"};
    case Kind::bad_input:
      return {exit_code::data, "bad-input", error.text};
    case Kind::io:
      break;
  }
  return {exit_code::unavailable, "io", error.text};
}

// Standard input as a terminal that does not show what is typed, as long as this lives.
class Silence {
 public:
  Silence() : is_terminal_(::tcgetattr(STDIN_FILENO, &before_) == 0) {
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    if (is_terminal_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
  }
  ~Silence() {
    if (is_terminal_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  [[nodiscard]] bool is_terminal() const { return is_terminal_; }

 private:
  termios before_{};
  bool is_terminal_;
};

// One line from standard input; a person is asked, twice.
Result<std::string, ToolError> read_password() {
  std::string first;
  const Silence silence;
  if (silence.is_terminal()) fmt::print(stderr, "Password: ");
  if (!std::getline(std::cin, first)) {
    return fail(ToolError(exit_code::data, "no-password", "there is no password on standard input",
                          "write it as one line, or use --generate"));
  }
  if (first.ends_with('\r')) first.pop_back();
  if (!silence.is_terminal()) return first;
  std::string second;
  fmt::print(stderr, "\nOnce more: ");
  std::getline(std::cin, second);
  fmt::print(stderr, "\n");
  if (first != second)
    return fail(ToolError(exit_code::data, "not-equal", "the two passwords are not the same"));
  return first;
}

// 20 letters and digits, 103 bits, without those that look alike.
std::string generate_password() {
  constexpr std::string_view letters = "abcdefghjkmnpqrstuvwxyz23456789ABCDEFGH";
  std::string password;
  while (password.size() < 20) {
    const auto octet = static_cast<unsigned char>(random_octets(1).front());
    if (octet < 256 / letters.size() * letters.size())
      password.push_back(letters[octet % letters.size()]);
  }
  return password;
}

Result<std::string, ToolError> one_user(const ToolCall& call) {
  if (call.words.size() != 1) {
    return fail(ToolError(exit_code::usage, "usage", "one user has to be named",
                          "posthorn user COMMAND --help"));
  }
  return call.words.front();
}

// Options and steps that `add` and `passwd` share.
class PasswordCommand : public Tool {
 public:
  [[nodiscard]] std::string_view words() const override { return "USER"; }
  void describe(OptionTable& table) override {
    table.group("Password");
    table
        .add("generate", generate_,
             "make a password and print it; else it is read from standard input")
        .flag_only();
    table.add("scheme", scheme_, "how it is stored").one_of({"SCRAM-SHA-256", "CRYPT"});
  }
  Result<int, ToolError> run(const ToolCall& call) final {
    const auto user = one_user(call);
    if (!user) return fail(user.error());
    const auto file = users_file(call.site);
    if (!file) return fail(file.error());
    const auto scheme = sasl::parse_scheme(scheme_);
    if (!scheme) return fail(ToolError(exit_code::usage, "usage", scheme.error()));
    auto password =
        generate_ ? Result<std::string, ToolError>(generate_password()) : read_password();
    if (!password) return fail(password.error());
    const auto done = change(*file, *user, *password, *scheme);
    if (!done) return fail(users_error(done.error()));
    if (call.json) {
      nlohmann::json result = {{"user", *user}};
      if (generate_) result["password"] = *password;
      fmt::print("{}\n", result.dump());
    } else if (generate_) {
      fmt::print("{}\n", *password);
    }
    return exit_code::ok;
  }

 protected:
  virtual Result<void, sasl::PasswdError> change(const std::string& file, const std::string& user,
                                                 const std::string& password,
                                                 sasl::Scheme scheme) = 0;

 private:
  bool generate_ = false;
  std::string scheme_ = "SCRAM-SHA-256";
};

class UserAdd final : public PasswordCommand {
 public:
  [[nodiscard]] std::string_view name() const override { return "user add"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "add a user, with a password from standard input";
  }
  void describe(OptionTable& table) override {
    PasswordCommand::describe(table);
    table.group("User");
    table.add("home", home_, "the user's directory; empty: mail/DOMAIN/USER of the site");
    table.add("extra", extra_, "a field more, KEY or KEY=VALUE (userdb_mail=maildir:~/Maildir)");
  }

 protected:
  Result<void, sasl::PasswdError> change(const std::string& file, const std::string& user,
                                         const std::string& password,
                                         sasl::Scheme scheme) override {
    sasl::PasswdEntry entry;
    entry.user = user;
    entry.home = home_;
    for (const std::string& field : extra_) {
      const auto equals = std::min(field.find('='), field.size());
      entry.extra.emplace_back(field.substr(0, equals),
                               field.substr(std::min(equals + 1, field.size())));
    }
    return sasl::add_user(file, std::move(entry), password, scheme);
  }

 private:
  std::string home_;
  std::vector<std::string> extra_;
};

class UserPasswd final : public PasswordCommand {
 public:
  [[nodiscard]] std::string_view name() const override { return "user passwd"; }
  [[nodiscard]] std::string_view purpose() const override { return "change a user's password"; }

 protected:
  Result<void, sasl::PasswdError> change(const std::string& file, const std::string& user,
                                         const std::string& password,
                                         sasl::Scheme scheme) override {
    return sasl::change_password(file, user, password, scheme);
  }
};

class UserDelete final : public Tool {
 public:
  [[nodiscard]] std::string_view name() const override { return "user delete"; }
  [[nodiscard]] std::string_view words() const override { return "USER"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "delete a user; the mail stays where it is";
  }
  Result<int, ToolError> run(const ToolCall& call) override {
    const auto user = one_user(call);
    if (!user) return fail(user.error());
    const auto file = users_file(call.site);
    if (!file) return fail(file.error());
    const auto done = sasl::delete_user(*file, *user);
    if (!done) return fail(users_error(done.error()));
    if (call.json) fmt::print("{}\n", nlohmann::json({{"user", *user}}).dump());
    return exit_code::ok;
  }
};

// "SCRAM-SHA-256" of "{SCRAM-SHA-256}...".
std::string scheme_of(const std::string& field) {
  if (field.empty()) return "none";
  if (!field.starts_with('{')) return "CRYPT";
  return field.substr(1, std::min(field.find('}'), field.size()) - 1);
}

class UserList final : public Tool {
 public:
  [[nodiscard]] std::string_view name() const override { return "user list"; }
  [[nodiscard]] std::string_view words() const override { return ""; }
  [[nodiscard]] std::string_view purpose() const override { return "list the users"; }
  Result<int, ToolError> run(const ToolCall& call) override {
    const auto file = users_file(call.site);
    if (!file) return fail(file.error());
    const auto users = sasl::read_users(*file);
    if (!users) return fail(users_error(users.error()));
    for (const sasl::PasswdProblem& problem : users->problems) {
      fmt::print(stderr, "{}:{}: {}\n", *file, problem.line, problem.text);
    }
    nlohmann::json all = nlohmann::json::array();
    std::vector<std::vector<std::string>> rows = {{"USER", "PASSWORD", "HOME"}};
    for (const sasl::PasswdEntry& entry : users->entries) {
      const std::string home = home_of(call.site, entry);
      all.push_back({{"user", printable(entry.user)},
                     {"scheme", scheme_of(entry.password)},
                     {"home", printable(home)}});
      rows.push_back({entry.user, scheme_of(entry.password), home});
    }
    if (call.json) {
      fmt::print("{}\n", nlohmann::json({{"users", all}}).dump());
    } else if (!users->entries.empty()) {
      fmt::print("{}", service::format_columns(rows));
    }
    return users->entries.empty() ? exit_code::failed : exit_code::ok;
  }
};

}  // namespace

void add_user_commands(Tools& tools) {
  tools.push_back(std::make_unique<UserAdd>());
  tools.push_back(std::make_unique<UserPasswd>());
  tools.push_back(std::make_unique<UserList>());
  tools.push_back(std::make_unique<UserDelete>());
}

}  // namespace posthorn::operate
