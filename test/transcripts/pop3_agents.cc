// Transcripts against the programs: authd, and pop3d or imapd, started for each, with a mail worker of its own.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>

#include "libmail/async/loop.h"
#include "libmail/async/process.h"
#include "libmail/async/socket.h"
#include "test/transcripts/dialogue.h"
#include "test/transcripts/pop3_world.h"

namespace posthorn::test {

using async::Deadline;
using async::Endpoint;
using async::Task;

namespace {

constexpr Duration patience = std::chrono::seconds(20);

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
    for (std::string& text : agent_flags(transcript_)) command.argv.push_back(std::move(text));
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
    stage.act = [this](const std::string& words) { return site_.act(words); };
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
