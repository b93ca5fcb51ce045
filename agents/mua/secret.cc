#include "agents/mua/secret.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "agents/mua/command.h"
#include "libmail/async/event.h"
#include "libmail/async/poll.h"
#include "libmail/async/signals.h"

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
  struct stat facts{};
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

// The terminal without echo.
class QuietTerminal {
 public:
  QuietTerminal() : terminal_(::open("/dev/tty", O_RDWR | O_CLOEXEC)) {
    is_there_ = terminal_ && ::tcgetattr(terminal_.get(), &before_) == 0;
    if (!is_there_) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(terminal_.get(), TCSAFLUSH, &quiet);
  }
  ~QuietTerminal() {
    if (!is_there_) return;
    ::tcsetattr(terminal_.get(), TCSAFLUSH, &before_);
    (void)write_all(terminal_.get(), "\n");
  }
  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;
  [[nodiscard]] bool is_there() const { return is_there_; }
  [[nodiscard]] int descriptor() const { return terminal_.get(); }

 private:
  Fd terminal_;
  termios before_{};
  bool is_there_ = false;
};

Task<Mail<std::string>> ask(std::string question) {
  int ended_by = 0;
  std::string line;
  {
    const QuietTerminal terminal;
    if (!terminal.is_there()) {
      co_return fail(MailError(MailError::Kind::config, "the account says no password",
                               "password_command, password_file or token_command in its table"));
    }
    async::Event something;
    const auto end = [&](int signal) {
      ended_by = signal;
      something.set();
    };
    const async::SignalWatch interrupted(SIGINT, [&end] { end(SIGINT); });
    const async::SignalWatch terminated(SIGTERM, [&end] { end(SIGTERM); });
    const async::SignalWatch hung_up(SIGHUP, [&end] { end(SIGHUP); });
    async::FdWatch typed(terminal.descriptor(), [&something](bool, bool) { something.set(); });
    (void)write_all(terminal.descriptor(), question);
    typed.want(true, false);
    co_await something.wait();
    std::array<char, longest_secret> octets{};
    const ssize_t count =
        ended_by != 0 ? 0 : ::read(terminal.descriptor(), octets.data(), octets.size());
    if (count > 0) line.assign(octets.data(), static_cast<std::size_t>(count));
  }
  // It does what it would have done.
  if (ended_by != 0) (void)::raise(ended_by);
  if (line.empty()) co_return fail(MailError(MailError::Kind::config, "no password was typed"));
  co_return first_line(std::move(line));
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

Task<Mail<std::string>> ask_password(std::string user, std::string account) {
  static async::Semaphore one_question(1);  // there is one person
  (void)co_await one_question.acquire(Deadline::never());
  auto password = co_await ask(fmt::format("Password of {} for account {}: ", user, account));
  one_question.release();
  co_return password;
}

Task<Mail<session::MailLogin>> find_log_in(Server server, std::string account, Deadline& deadline) {
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
  } else if (secret.typed) {
    password = *secret.typed;
  } else {
    const Duration left = deadline.left();
    password = co_await ask_password(login.user, std::move(account));
    if (!deadline.is_never()) deadline = Deadline::in(left);
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
