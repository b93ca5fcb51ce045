// Plays SMTP transcripts: in process, whole and octet by octet, or against a server that runs.
//
//   smtp_transcripts FILE-OR-DIRECTORY...                    in process
//   smtp_transcripts --agent PROGRAM FILE-OR-DIRECTORY...    against smtpd, started for each transcript
//
// Exit: 0 all as written, 1 something else came, 64 usage. README.md has the format.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "agents/smtpd/session.h"
#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/base/text.h"
#include "test/transcripts/dialogue.h"
#include "test/transcripts/smtp_agent.h"
#include "test/transcripts/smtp_world.h"

namespace posthorn::test {

using async::Task;

namespace {

template <class T>
void set_number(const Transcript& transcript, const char* key, T& into) {
  const std::string text = transcript.value(key);
  if (text.empty()) return;
  const auto number = parse_size(text);
  check(number.has_value(), "a config value that is a number");
  into = static_cast<T>(*number);
}

void set_time(const Transcript& transcript, const char* key, Duration& into) {
  const std::string text = transcript.value(key);
  if (!text.empty()) check(parse_duration(text, into), "a config value that is a span of time");
}

// The config keys are smtpd's options; those that have no option in smtpd are listed in README.md.
session::SmtpSessionSettings settings_of(const Transcript& transcript, Certificates& certificates) {
  session::SmtpSessionSettings settings;
  settings.server.hostname = "mx.example.org";
  if (transcript.value("agent") == "lmtp") settings.server.protocol = smtp::Protocol::lmtp;
  smtp::ServerLimits& limits = settings.server.limits;
  set_number(transcript, "message-size", limits.message_size);
  set_number(transcript, "max-recipients", limits.recipients);
  set_number(transcript, "max-messages", limits.transactions);
  set_number(transcript, "max-errors", limits.errors);
  set_number(transcript, "max-unknown-recipients", limits.refused_recipients);
  set_number(transcript, "max-idle-commands", limits.idle_commands);
  set_number(transcript, "max-line", limits.body_line);
  set_time(transcript, "command-time", settings.timeouts.command);
  set_time(transcript, "line-time", settings.timeouts.line);
  set_time(transcript, "body-time", settings.timeouts.body);
  set_time(transcript, "message-time", settings.timeouts.message);
  const std::string tls = transcript.value("tls");
  if (!tls.empty()) settings.tls = certificates.server;
  settings.implicit_tls = tls == "implicit";
  settings.server.starttls_required = tls == "required";
  const std::string auth = transcript.value("auth");
  settings.server.auth_in_clear = auth == "clear" || auth == "required";
  settings.server.auth_required = auth == "required";
  return settings;
}

smtpd::Policy policy_of(const Transcript& transcript) {
  smtpd::Policy policy;
  policy.hostname = "mx.example.org";
  const auto networks = [&transcript](const char* key) {
    std::vector<std::string> list;
    const std::string value = transcript.value(key);
    for (const std::string_view word : words(value)) list.emplace_back(word);
    return *service::Networks::parse(list);
  };
  policy.relay_networks = networks("relay-networks");
  policy.local_networks = networks("local-networks");
  set_number(transcript, "max-received", policy.max_received);
  set_number(transcript, "max-header", policy.max_header);
  return policy;
}

async::Peer peer_of(const Transcript& transcript) {
  async::Peer peer;
  const std::string client = transcript.value("client", "192.0.2.7");
  peer.kind = client == "unix" ? async::Peer::Kind::unix_socket : async::Peer::Kind::inet;
  if (client == "unix") return peer;
  peer.address = client;
  peer.port = 4711;
  return peer;
}

// One server in this process, for one transcript.
class Theatre {
 public:
  Theatre(const Transcript& transcript, Certificates& certificates)
      : transcript_(transcript),
        certificates_(certificates),
        log_("transcript", service::Log::Format::kv, service::Level::error),
        intake_(transcript.value("intake")),
        lists_("all@example.org", "ann, bob"),
        site_(service::Site::find("/nonexistent")),
        resolver_(site_, resolver_settings(), tables(), users_, route::Transport(),
                  route::Transport()),
        policy_servers_(site_, no_servers_, metrics_, true),
        counters_(metrics_),
        policy_(std::make_shared<smtpd::Policy>(policy_of(transcript))) {}

  Task<std::string> play(bool octet_by_octet) {
    Stage stage;
    stage.octet_by_octet = octet_by_octet;
    stage.tls = certificates_.client;
    stage.take_message = [this] { return intake_.take_message(); };
    async::StreamPair pair = async::make_memory_pair(async::Peer(), peer_of(transcript_));
    // left_sees is the peer that the left end names: the client is left, the server right.
    session::SmtpSessionSettings settings = settings_of(transcript_, certificates_);
    settings.log = &log_;
    settings.sessions = &sessions_;
    std::unique_ptr<session::SaslServer> sasl;
    if (!transcript_.value("auth").empty()) sasl = std::make_unique<MemorySasl>();
    scope_.spawn(session::serve_smtp(std::move(pair.right), std::move(settings), make_handler(),
                                     std::move(sasl)));
    auto wrong = co_await test::play(transcript_, std::move(pair.left), stage);
    co_await scope_.join();
    if (wrong.empty() && intake_.open() != 0)
      wrong = "0: a transaction was neither ended nor reset";
    co_return wrong;
  }

 private:
  static route::ResolverSettings resolver_settings() {
    route::ResolverSettings settings;
    settings.domains = {"example.org", "xn--mller-kva.example"};
    return settings;
  }
  route::Resolver::Tables tables() {
    route::Resolver::Tables all;
    all.lists = &lists_;
    return all;
  }
  std::unique_ptr<session::SmtpHandler> make_handler() {
    if (transcript_.value("agent") == "lmtp") return std::make_unique<LmtpHandler>(intake_);
    const smtpd::Services services(resolver_, intake_, log_, counters_);
    return std::make_unique<smtpd::Session>(
        services, policy_,
        std::make_unique<reception::Gates>(policy_servers_, service::Networks(), no_filters_,
                                           intake_, log_));
  }

  const Transcript& transcript_;
  Certificates& certificates_;
  service::Log log_;
  service::Metrics metrics_;
  MemoryIntake intake_;
  MemoryUsers users_;
  OneEntryTable lists_;
  service::Site site_;
  route::Resolver resolver_;
  reception::PolicyOptions no_servers_;
  reception::PolicyServers policy_servers_;
  filter::Filters no_filters_{site_, log_, metrics_, filter::HoldingPlace()};
  smtpd::Counters counters_;
  std::shared_ptr<const smtpd::Policy> policy_;
  session::SmtpSessions sessions_;
  async::Scope scope_;
};

std::vector<std::string> files_of(const std::vector<std::string>& names) {
  std::vector<std::string> files;
  for (const std::string& name : names) {
    if (!std::filesystem::is_directory(name)) {
      files.push_back(name);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(name)) {
      if (entry.path().extension() == ".txt") files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

Result<Transcript, std::string> read_transcript(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail("0: " + io_error("open", path).text());
  auto transcript = parse_transcript(std::string(std::istreambuf_iterator<char>(in), {}));
  if (transcript) transcript->path = path;
  return transcript;
}

// "" or what went wrong.
std::string play_in_process(const Transcript& transcript, Certificates& certificates) {
  for (const bool octet_by_octet : {false, true}) {
    if (octet_by_octet && transcript.value("split") == "no") continue;
    Theatre theatre(transcript, certificates);
    std::string wrong = async::run(theatre.play(octet_by_octet));
    if (!wrong.empty()) return wrong + (octet_by_octet ? " (octet by octet)" : "");
  }
  return {};
}

int run_all(const std::string& agent, const std::vector<std::string>& names) {
  Certificates certificates;
  if (agent.empty()) async::Loop::current().use_virtual_time();
  int failed = 0;
  int played = 0;
  int left_out = 0;
  for (const std::string& file : files_of(names)) {
    const auto transcript = read_transcript(file);
    std::string wrong = transcript ? std::string() : transcript.error();
    if (transcript && !agent.empty() && !fits_agent(*transcript)) {
      ++left_out;
      continue;
    }
    if (transcript) {
      wrong = agent.empty() ? play_in_process(*transcript, certificates)
                            : play_with_agent(*transcript, agent, certificates);
    }
    ++played;
    if (wrong.empty()) continue;
    ++failed;
    fmt::print("{}:{}\n", file, wrong);
  }
  fmt::print("{} transcripts played, {} failed, {} not for this server\n", played, failed,
             left_out);
  return failed == 0 && played > 0 ? 0 : 1;
}

}  // namespace
}  // namespace posthorn::test

int main(int argc, char** argv) {
  std::vector<std::string> names(argv + 1, argv + argc);
  std::string agent;
  if (names.size() > 2 && names[0] == "--agent") {
    agent = names[1];
    names.erase(names.begin(), names.begin() + 2);
  }
  if (names.empty()) {
    fmt::print(stderr, "usage: smtp_transcripts [--agent PROGRAM] FILE-OR-DIRECTORY...\n");
    return 64;
  }
  return posthorn::test::run_all(agent, names);
}
