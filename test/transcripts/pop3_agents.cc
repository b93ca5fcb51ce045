// Transcripts against the programs: authd, and pop3d or imapd, started for each, with a mail worker of its own.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>

#include "libmail/async/loop.h"
#include "libmail/async/process.h"
#include "libmail/async/socket.h"
#include "libmail/base/text.h"
#include "test/transcripts/dialogue.h"
#include "test/transcripts/pop3_world.h"

namespace posthorn::test {

using async::Deadline;
using async::Endpoint;
using async::Task;

namespace {

constexpr Duration patience = std::chrono::seconds(20);

// Config keys that are options of pop3d or imapd, and those of them that are flags.
const std::set<std::string> options = {
    "max-errors",    "max-logins",   "max-line",      "plaintext-in-clear", "delete-after-retr",
    "mark-seen",     "refuse-utf8",  "idle-time",     "login-time",         "append-limit",
    "separator",     "prefix",       "quota",         "lock-time",          "public-location",
    "shared-prefix", "quota-admins", "mail-location", "message-limit",      "server-comment"};

class Programs {
 public:
  Programs(const Transcript& transcript, const Pop3Site& site, const std::string& agent,
           const std::string& authd)
      : transcript_(transcript), site_(site), agent_(agent), authd_(authd) {}

  Task<std::string> play() {
    std::string wrong = start_authd();
    if (wrong.empty()) wrong = start_agent();
    if (wrong.empty()) wrong = co_await dialogue();
    for (auto& process : processes_) {
      process->signal(SIGTERM);
      const auto ended = co_await process->wait(Deadline::in(patience));
      if (wrong.empty() && (!ended || ended->signal != 0 || ended->code != 0))
        wrong = "0: an agent did not end well";
      if (!ended) process->signal(SIGKILL);
    }
    co_return wrong;
  }

 private:
  static void flag(async::Command& command, const std::string& name, const std::string& value) {
    command.argv.push_back("--" + name + "=" + value);
  }
  std::string start(async::Command command) {
    command.die_with_parent = true;
    auto started = async::start(std::move(command));
    if (!started) return "0: " + started.error().text();
    processes_.push_back(std::move(*started));
    return {};
  }

  std::string start_authd() {
    async::Command command;
    command.argv = {authd_, "--site=" + site_.path("")};
    flag(command, "log-level", "error");
    if (transcript_.value("plaintext-in-clear") == "yes")
      command.argv.emplace_back("--plaintext-in-clear");
    command.descriptors = {{2, 2}};
    return start(std::move(command));
  }

  std::string start_agent() {
    const bool implicit = transcript_.value("tls") == "implicit";
    auto listening = async::open_listening_socket(Endpoint::inet("127.0.0.1", 0));
    check(listening.has_value(), "a socket on 127.0.0.1 can be opened");
    async::Command command;
    command.argv = {agent_, "--site=" + site_.path("")};
    flag(command, implicit ? "listen-tls" : "listen", "fd:3");
    flag(command, implicit ? "listen" : "listen-tls", "unix:run/other.sock");
    if (!implicit) flag(command, "listen", "unix:run/client.sock");
    if (transcript_.value("tls").empty()) flag(command, "tls-cert", "tls/none.pem");
    flag(command, "log-level", "error");
    for (const auto& [key, value] : transcript_.config) {
      if (!options.contains(key)) continue;
      if (value == "yes" || value == "no") {
        command.argv.push_back((value == "yes" ? "--" : "--no-") + key);
      } else {
        flag(command, key, value);
      }
    }
    auto copy = async::listen_on(Fd(::dup(listening->get())));
    check(copy.has_value(), "a listening socket can be looked at");
    at_ = (*copy)->endpoint();
    command.descriptors = {{2, 2}, {3, listening->get()}};
    return start(std::move(command));
  }

  [[nodiscard]] Endpoint target() const {
    if (transcript_.value("client") == "unix")
      return Endpoint::unix_path(site_.socket("client.sock"));
    return at_;
  }
  Task<std::unique_ptr<async::Stream>> connect_once_more() {
    Endpoint to = target();
    auto stream = co_await async::connect(std::move(to), Deadline::in(patience));
    if (!stream) co_return std::unique_ptr<async::Stream>();
    co_return std::move(*stream);
  }

  // What another program does to ann's Maildir:
  //   deliver N      a new message 100N.M1P1.host comes
  //   remove N       its file goes
  //   flag N FS      it is renamed to have these flags
  // Or to any file of the site, PATH as "mail/ann/Maildir":
  //   write PATH words   a file of one line
  //   drop PATH          a file, or a directory with all that is in it, goes
  //   lock PATH          this process holds PATH.lock, until it drops it
  std::string act(const std::string& words) const {
    namespace fs = std::filesystem;
    const auto word = posthorn::words(words);
    if (word.size() < 2) return "do: needs what and whose";
    const fs::path at = site_.path(std::string(word[1]));
    if (word[0] == "write") {
      fs::create_directories(at.parent_path());
      std::string line;
      for (std::size_t i = 2; i < word.size(); ++i) line.append(i == 2 ? "" : " ").append(word[i]);
      std::ofstream(at) << line << "\n";
      return {};
    }
    if (word[0] == "drop") return fs::remove_all(at) > 0 ? "" : "there is no such file";
    if (word[0] == "lock") {
      char host[256] = {};
      ::gethostname(host, sizeof host - 1);
      std::ofstream(at.string() + ".lock") << ::getpid() << ":" << host;
      return {};
    }
    const fs::path maildir = site_.path("mail/ann/Maildir");
    const std::string base = "100" + std::string(word[1]) + ".M1P1.host";
    if (word[0] == "deliver") {
      std::ofstream(maildir / "tmp" / base) << "Subject: " << word[1] << "\n\nnew\n";
      fs::rename(maildir / "tmp" / base, maildir / "new" / base);
      return {};
    }
    for (const char* folder : {"new", "cur"}) {
      for (const auto& entry : fs::directory_iterator(maildir / folder)) {
        if (!entry.path().filename().string().starts_with(base)) continue;
        const fs::path& old = entry.path();
        if (word[0] == "remove") fs::remove(old);
        if (word[0] == "flag")
          fs::rename(old, maildir / "cur" /
                              (base + ":2," + (word.size() > 2 ? std::string(word[2]) : "")));
        return {};
      }
    }
    return "there is no such message";
  }

  Task<std::string> dialogue() {
    const Endpoint to = target();
    const Deadline deadline = Deadline::in(patience);
    // authd first: a client that comes before it finds no mechanisms.
    for (const Endpoint& wanted : {Endpoint::unix_path(site_.socket("auth.sock")), to}) {
      auto stream = co_await async::connect(wanted, deadline);
      while (!stream && !deadline.passed()) {
        co_await async::sleep_until(Deadline::in(std::chrono::milliseconds(20)));
        stream = co_await async::connect(wanted, deadline);
      }
      if (!stream) co_return "0: " + stream.error().text();
    }
    auto stream = co_await async::connect(to, deadline);
    if (!stream) co_return "0: " + stream.error().text();
    Stage stage;
    stage.in_process = false;
    stage.tls = site_.client_tls();
    stage.take_message = [this] { return site_.messages(); };
    stage.connect = [this] { return connect_once_more(); };
    stage.act = [this](const std::string& words) { return act(words); };
    auto wrong = co_await test::play(transcript_, std::move(*stream), stage);
    co_return wrong;
  }

  const Transcript& transcript_;
  const Pop3Site& site_;
  const std::string& agent_;
  const std::string& authd_;
  std::vector<std::unique_ptr<async::Process>> processes_;
  Endpoint at_;
};

}  // namespace

std::string play_with_agents(const Transcript& transcript, const Pop3Site& site,
                             const std::string& agent, const std::string& authd) {
  site.renew();
  Programs programs(transcript, site, agent, authd);
  return async::run(programs.play());
}

}  // namespace posthorn::test
