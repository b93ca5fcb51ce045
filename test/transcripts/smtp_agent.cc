#include "test/transcripts/smtp_agent.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>

#include "libmail/async/loop.h"
#include "libmail/async/process.h"
#include "libmail/async/scope.h"
#include "libmail/async/socket.h"
#include "libmail/base/text.h"
#include "test/transcripts/dialogue.h"

namespace posthorn::test {

using async::Deadline;
using async::Endpoint;
using async::Task;

namespace {

constexpr Duration patience = std::chrono::seconds(20);

// Config keys that are smtpd's options; a transcript with another one is not for the program.
const std::set<std::string> options = {
    "message-size",      "max-recipients", "max-messages", "max-errors",   "max-unknown-recipients",
    "max-idle-commands", "max-line",       "max-header",   "max-received", "relay-networks",
    "local-networks",    "command-time",   "line-time",    "body-time",    "message-time"};

// The next hop and the userdb of one run, and the agent between them.
class Site {
 public:
  Site(const Transcript& transcript, const std::string& program, Certificates& certificates)
      : transcript_(transcript),
        program_(program),
        certificates_(certificates),
        directory_(certificates.directory() + "/site"),
        log_("transcript", service::Log::Format::kv, service::Level::error),
        intake_("") {
    std::filesystem::remove_all(directory_);
    for (const char* name : {"/conf", "/run"})
      std::filesystem::create_directories(directory_ + name);
    std::ofstream(directory_ + "/conf/lists") << "all@example.org ann, bob\n";
  }

  Task<std::string> play() {
    auto hop = serve("next-hop.sock");
    auto userdb = serve("userdb.sock");
    scope_.spawn(next_hop(hop.get()));
    scope_.spawn(answer_users(userdb.get()));
    std::string wrong = start_agent();
    if (wrong.empty()) wrong = co_await dialogue();
    if (process_ != nullptr) {
      process_->signal(SIGTERM);
      const auto ended = co_await process_->wait(Deadline::in(patience));
      if (wrong.empty() && (!ended || ended->signal != 0 || ended->code != 0)) {
        wrong = "0: the agent did not end well";
      }
      if (!ended) process_->signal(SIGKILL);
    }
    hop->close();
    userdb->close();
    sessions_.stop();
    co_await scope_.join();
    co_return wrong;
  }

 private:
  [[nodiscard]] std::string socket(const std::string& name) const {
    return directory_ + "/run/" + name;
  }

  std::unique_ptr<async::Listener> serve(const std::string& name) {
    auto opened = async::open_listening_socket(Endpoint::unix_path(socket(name)));
    check(opened.has_value(), "a Unix socket in a temporary directory can be opened");
    return *async::listen_on(std::move(*opened));
  }

  Task<void> next_hop(async::Listener* listener) {
    while (true) {
      auto stream = co_await listener->accept();
      if (!stream) co_return;
      session::SmtpSessionSettings settings;
      settings.server.protocol = smtp::Protocol::lmtp;
      settings.server.limits.message_size = 0;
      settings.log = &log_;
      settings.sessions = &sessions_;
      std::unique_ptr<session::SmtpHandler> handler = std::make_unique<LmtpHandler>(intake_);
      scope_.spawn(session::serve_smtp(std::move(*stream), std::move(settings), std::move(handler),
                                       nullptr));
    }
  }

  // Dovecot's userdb protocol, as much of it as USER needs.
  Task<void> answer_users(async::Listener* listener) {
    while (true) {
      auto stream = co_await listener->accept();
      if (!stream) co_return;
      scope_.spawn(answer_client(std::move(*stream)));
    }
  }

  Task<void> answer_client(std::unique_ptr<async::Stream> stream) {
    const std::string greeting = "VERSION\t1\t1\nSPID\t1\n";
    auto sent = co_await stream->write(greeting, Deadline::in(patience));
    async::Buffer buffer;
    while (sent) {
      const std::size_t end = buffer.view().find('\n');
      if (end == std::string_view::npos) {
        auto count = co_await stream->read(buffer, Deadline::in(std::chrono::hours(1)));
        if (!count || *count == 0) co_return;
        continue;
      }
      const std::string line(buffer.view().substr(0, end));
      buffer.consume(end + 1);
      const auto fields = split(line, '\t');
      if (fields.size() < 3 || fields[0] != "USER") continue;
      const std::string answer = co_await user_line(std::string(fields[1]), std::string(fields[2]));
      sent = co_await stream->write(answer, Deadline::in(patience));
    }
  }

  Task<std::string> user_line(std::string id, std::string name) {
    const route::UserAnswer answer = co_await users_.find(name);
    if (answer.kind == route::UserAnswer::Kind::exists) {
      co_return fmt::format("USER\t{}\t{}\n", id, name);
    }
    const bool unknown = answer.kind == route::UserAnswer::Kind::unknown;
    co_return fmt::format("{}\t{}\n", unknown ? "NOTFOUND" : "FAIL", id);
  }

  std::string start_agent() {
    auto listening = async::open_listening_socket(Endpoint::inet("127.0.0.1", 0));
    check(listening.has_value(), "a socket on 127.0.0.1 can be opened");
    const bool implicit = transcript_.value("tls") == "implicit";
    async::Command command;
    command.argv = {program_, "--site", directory_, "--hostname", "mx.example.org"};
    const auto flag = [&command](const std::string& name, const std::string& value) {
      command.argv.push_back("--" + name);
      command.argv.push_back(value);
    };
    flag("domains", "example.org");
    flag("domains", "xn--mller-kva.example");
    if (implicit) {
      flag("listen-tls", "fd:3");
    } else {
      flag("listen", "fd:3");
    }
    flag("listen", "unix:run/smtp.sock");
    flag("next-hop", "lmtp:unix:run/next-hop.sock");
    flag("log-level", "error");
    if (!transcript_.value("tls").empty()) {
      flag("tls-cert", certificates_.directory() + "/cert.pem");
      flag("tls-key", certificates_.directory() + "/key.pem");
    }
    for (const auto& [key, value] : transcript_.config) {
      if (!options.contains(key)) continue;
      for (const std::string_view word : words(value)) flag(key, std::string(word));
    }
    at_ = local_endpoint(listening->get());
    command.descriptors = {{2, 2}, {3, listening->get()}};
    command.die_with_parent = true;
    auto started = async::start(std::move(command));
    if (!started) return "0: " + started.error().text();
    process_ = std::move(*started);
    return {};
  }

  static Endpoint local_endpoint(int fd) {
    auto copy = async::listen_on(Fd(::dup(fd)));
    check(copy.has_value(), "a listening socket can be looked at");
    return (*copy)->endpoint();
  }

  Task<std::string> dialogue() {
    Endpoint to = at_;
    if (transcript_.value("client") == "unix") to = Endpoint::unix_path(socket("smtp.sock"));
    const Deadline deadline = Deadline::in(patience);
    auto stream = co_await async::connect(to, deadline);
    // The TCP socket is open before the agent runs; the Unix socket is its own.
    while (!stream && !deadline.passed()) {
      co_await async::sleep_until(Deadline::in(std::chrono::milliseconds(20)));
      stream = co_await async::connect(to, deadline);
    }
    if (!stream) co_return "0: " + stream.error().text();
    Stage stage;
    stage.in_process = false;
    stage.tls = certificates_.client;
    stage.take_message = [this] { return intake_.take_message(); };
    auto wrong = co_await test::play(transcript_, std::move(*stream), stage);
    co_return wrong;
  }

  const Transcript& transcript_;
  const std::string& program_;
  Certificates& certificates_;
  std::string directory_;
  service::Log log_;
  MemoryIntake intake_;
  MemoryUsers users_;
  session::SmtpSessions sessions_;
  async::Scope scope_;
  std::unique_ptr<async::Process> process_;
  Endpoint at_;
};

}  // namespace

bool fits_agent(const Transcript& transcript) {
  if (transcript.has(Step::Kind::time)) return false;
  for (const auto& [key, value] : transcript.config) {
    const bool known = options.contains(key) ||
                       (key == "client" && (value == "unix" || value == "127.0.0.1")) ||
                       (key == "agent" && value == "smtpd") || key == "split" ||
                       (key == "tls" && value != "required");
    if (!known) return false;
  }
  return true;
}

std::string play_with_agent(const Transcript& transcript, const std::string& program,
                            Certificates& certificates) {
  Site site(transcript, program, certificates);
  return async::run(site.play());
}

}  // namespace posthorn::test
