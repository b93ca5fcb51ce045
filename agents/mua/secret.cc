#include "agents/mua/secret.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <mutex>

#include "agents/mua/command.h"
#include "libmail/async/files.h"

namespace posthorn::mua {

using async::Deadline;
using async::Task;

namespace {

constexpr std::size_t longest_secret = 16 * 1024;

std::string first_line(std::string text) {
  text.resize(std::min(text.find('\n'), text.size()));
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

Mail<std::string> read_secret_file(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat facts {};
  if (!file || ::fstat(file.get(), &facts) != 0)
    return fail(MailError(MailError::Kind::config, io_error("open", path).text()));
  if ((facts.st_mode & 077) != 0 || (facts.st_uid != ::getuid() && facts.st_uid != 0)) {
    return fail(
        MailError(MailError::Kind::config, path + " can be read by others", "chmod 600 " + path));
  }
  std::array<char, longest_secret> octets{};
  const ssize_t count = ::read(file.get(), octets.data(), octets.size());
  if (count < 0) return fail(MailError(MailError::Kind::config, io_error("read", path).text()));
  return first_line(std::string(octets.data(), static_cast<std::size_t>(count)));
}

Mail<std::string> ask(const std::string& question) {
  static std::mutex one_question;  // several accounts may want to know at once
  const std::scoped_lock lock(one_question);
  const Fd terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC));
  termios before{};
  if (!terminal || ::tcgetattr(terminal.get(), &before) != 0) {
    return fail(MailError(MailError::Kind::config, "the account says no password",
                          "password_command, password_file or token_command in its table"));
  }
  termios quiet = before;
  quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  (void)write_all(terminal.get(), question);
  ::tcsetattr(terminal.get(), TCSAFLUSH, &quiet);
  std::array<char, longest_secret> octets{};
  const ssize_t count = ::read(terminal.get(), octets.data(), octets.size());
  ::tcsetattr(terminal.get(), TCSAFLUSH, &before);
  (void)write_all(terminal.get(), "\n");
  return first_line(std::string(octets.data(), count > 0 ? static_cast<std::size_t>(count) : 0));
}

Task<Mail<std::string>> ask_command(std::vector<std::string> argv, Deadline deadline) {
  const std::string shown = argv.back();
  CommandCall call;
  call.argv = std::move(argv);
  auto done = co_await run_command(std::move(call), deadline);
  if (!done) co_return fail(done.error());
  std::string secret = first_line(std::move(done->output));
  if (done->code != 0 || secret.empty()) {
    const std::string why = fmt::format("{} ended with {} and gave {}", shown, done->code,
                                        secret.empty() ? "nothing" : "a line");
    co_return fail(MailError(MailError::Kind::config, why));
  }
  co_return secret;
}

}  // namespace

Mail<std::string> ask_password(const std::string& user, const std::string& account) {
  return ask(fmt::format("Password of {} for account {}: ", user, account));
}

Task<Mail<session::MailLogin>> find_log_in(Server server, std::string account, Deadline deadline) {
  session::MailLogin login;
  login.user = server.user;
  if (login.user.empty()) co_return login;
  const Secret& secret = server.secret;
  if (!secret.token_command.empty()) {
    auto token = co_await ask_command(secret.token_command, deadline);
    if (!token) co_return fail(token.error());
    login.token = std::move(*token);
    co_return login;
  }
  Mail<std::string> password = std::string();
  if (!secret.password_command.empty()) {
    password = co_await ask_command(secret.password_command, deadline);
  } else if (!secret.password_file.empty()) {
    password = read_secret_file(secret.password_file);
  } else if (!secret.typed.empty()) {
    password = secret.typed;
  } else {
    // On a thread of its own: the other accounts go on meanwhile.
    auto work = [&login, &account] { return ask_password(login.user, account); };
    password = co_await async::blocking(std::move(work));
  }
  if (!password) co_return fail(password.error());
  login.password = std::move(*password);
  co_return login;
}

Mail<std::shared_ptr<tls::ClientContext>> tls_context(const Server& server) {
  std::shared_ptr<tls::ClientContext> none;
  if (server.tls == TlsMode::never) return none;
  tls::ClientContext::Options rules;
  rules.verify = tls::ClientContext::Verify::require;
  rules.ca_file = server.ca_file;
  auto context = tls::ClientContext::load(rules);
  if (!context) return fail(MailError(MailError::Kind::config, context.error().text));
  return std::move(*context);
}

}  // namespace posthorn::mua
