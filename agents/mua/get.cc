// mua get: POP3 mail into a Maildir, an mbox or a program. A message is deleted there once it is safe here.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "agents/mua/command.h"
#include "agents/mua/local_store.h"
#include "agents/mua/output.h"
#include "agents/mua/secret.h"
#include "agents/mua/verbs.h"
#include "libmail/async/files.h"
#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/base/fd.h"
#include "libmail/base/text.h"
#include "libmail/message/address_reader.h"
#include "libmail/message/header.h"
#include "libmail/sasl/scram.h"
#include "libmail/service/options.h"
#include "libmail/session/pop3_client.h"
#include "libmail/store/maildir_delivery.h"
#include "libmail/store/mbox.h"
#include "libmail/store/retry.h"

namespace posthorn::mua {

using Kind = MailError::Kind;
using session::Pop3Error;

namespace {

MailError from_pop3(const Pop3Error& error) {
  switch (error.kind) {
    case Pop3Error::Kind::login:
    case Pop3Error::Kind::tls:
      return {Kind::refused, error.text};
    case Pop3Error::Kind::timed_out:
      return {Kind::try_again, error.text};
    default:
      return {Kind::unavailable, error.text};
  }
}

class OctetsSink final : public session::Pop3Sink {
 public:
  void octets(std::string_view piece) override {
    if (kept_) kept_ = writer_.append(piece);
  }
  [[nodiscard]] std::string_view refuses() const override {
    if (!kept_) return kept_.error().text;
    return writer_.size() > largest_message ? "the server's message has no end" : "";
  }
  Mail<Octets> finish() { return writer_.finish(); }

 private:
  OctetsWriter writer_;
  Mail<void> kept_;
};

// The unique ids (RFC 1939 7) of messages that are safe here and may still be there. They hold for one maildrop and one
// target: what a trial printed is not safe in the Maildir of the next run.
class Seen {
 public:
  Seen(const Account& account, const std::string& target)
      : path_(data_directory() + "/pop3/" + account.name + "." +
              name_of(account.server.socket.empty()
                          ? fmt::format("{}:{}", account.server.host, account.server.port)
                          : account.server.socket,
                      account.server.user, target)) {
    std::ifstream in(path_, std::ios::binary);
    for (std::string line; std::getline(in, line);) known_.insert(line);
  }
  [[nodiscard]] bool has(const std::string& uidl) const { return known_.contains(uidl); }
  // On disk when it returns.
  Mail<void> add(const std::string& uidl) {
    if (uidl.empty() || !known_.insert(uidl).second) return {};
    std::error_code error;
    std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), error);
    const Fd file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (file && write_all(file.get(), uidl + "\n") && ::fdatasync(file.get()) == 0) return {};
    return fail(MailError(Kind::try_again, io_error("write", path_).text()));
  }
  // Those that are gone there need no memory.
  void keep_only(const std::vector<session::Pop3Listed>& listed) {
    std::set<std::string> there;
    for (const auto& each : listed) {
      if (known_.contains(each.uidl)) there.insert(each.uidl);
    }
    if (there == known_) return;
    known_ = std::move(there);
    const std::string temporary = path_ + ".new";
    {
      std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
      for (const std::string& uidl : known_) out << uidl << '\n';
      out.flush();
      if (!out) return;
    }
    std::error_code error;
    std::filesystem::rename(temporary, path_, error);
  }

 private:
  // Of fixed length, whatever the parts are.
  static std::string name_of(const std::string& host, const std::string& user,
                             const std::string& target) {
    const std::string identity = host + '\0' + user + '\0' + target;
    return hex(sasl::sha256(identity));
  }
  std::string path_;
  std::set<std::string> known_;
};

// Where messages go. deliver() returns when the message is safe.
class Target {
 public:
  virtual ~Target() = default;
  virtual Task<Mail<void>> deliver(Octets octets, Deadline deadline) = 0;
  virtual Task<void> end() { co_return; }
};

// The path, or what of it is there already.
std::string existing_directory(std::filesystem::path path) {
  std::error_code error;
  while (!std::filesystem::is_directory(path, error) && path.has_relative_path())
    path = path.parent_path();
  return path.string();
}

class MaildirTarget final : public Target {
 public:
  explicit MaildirTarget(store::MailLocation location)
      : location_(std::move(location)),
        near_(existing_directory(location_.base)),
        delivery_(files_, service::HostOptions().hostname, static_cast<int>(::getpid())) {}
  Task<Mail<void>> deliver(Octets octets, Deadline) override {
    auto work = [this, &octets] { return content_of(octets, files_, near_); };
    auto body = co_await async::blocking(std::move(work));
    if (!body) co_return fail(mail_error(body.error()));
    const auto done = co_await delivery_.deliver(location_, "", "", std::move(*body));
    if (!done) co_return fail(MailError(Kind::try_again, done.error().text));
    co_return Mail<void>();
  }
  Task<void> end() override { co_await delivery_.join(); }

 private:
  store::SystemFiles files_;
  store::MailLocation location_;
  std::string near_;
  store::MaildirDelivery delivery_;
};

class MboxTarget final : public Target {
 public:
  explicit MboxTarget(store::MailLocation location) : location_(std::move(location)) {}
  Task<Mail<void>> deliver(Octets octets, Deadline deadline) override {
    const auto head = octets.header();
    if (!head) co_return fail(head.error());
    const message::Header header = message::Header::parse(*head);
    std::string sender = "MAILER-DAEMON";
    if (const auto* path = header.find("Return-Path")) {
      const auto list = message::read_address_list(header.raw_value(*path));
      if (!list.mailboxes.empty()) sender = list.mailboxes.front().addr_spec();
    }
    auto make = [this, &octets] {
      return content_of(octets, files_, existing_directory(location_.base));
    };
    const auto body = co_await async::blocking(std::move(make));
    if (!body) co_return fail(mail_error(body.error()));
    auto work = [this, &body, &sender] {
      return store::append_to_mbox(files_, location_, sender, "", **body);
    };
    const auto done = co_await store::when_unlocked(deadline, std::move(work));
    if (!done) co_return fail(MailError(Kind::try_again, done.error().text));
    co_return Mail<void>();
  }

 private:
  store::SystemFiles files_;
  store::MailLocation location_;
};

class CommandTarget final : public Target {
 public:
  explicit CommandTarget(std::string line) : line_(std::move(line)) {}
  Task<Mail<void>> deliver(Octets octets, Deadline deadline) override {
    const auto file = file_of(octets);
    if (!file) co_return fail(file.error());
    CommandCall call;
    call.argv = {"/bin/sh", "-c", line_};
    call.input = file->get();
    call.keep_output = false;
    const auto done = co_await run_command(std::move(call), deadline);
    if (!done) co_return fail(done.error());
    if (done->code == exit_code::ok) co_return Mail<void>();
    co_return fail(MailError(
        done->code == exit_code::try_again ? Kind::try_again : Kind::unavailable,
        fmt::format("{} ended with {}; the message stays on the server", line_, done->code)));
  }

 private:
  std::string line_;
};

struct GetRun {
  std::string to;
  std::string exec;
  bool keep = false;
  std::uint32_t limit = UINT32_MAX;
  Duration timeout{};
  bool json = false;
  bool found = false;
  int failure = 0;
};

std::string target_path(const GetRun& run) {
  const auto colon = run.to.find(':');
  const std::string path = run.to.substr(colon == std::string::npos ? 0 : colon + 1);
  return std::filesystem::absolute(expand_path(path, "./x")).lexically_normal().string();
}

// What Seen knows the target by.
std::string target_name(const GetRun& run) {
  return run.exec.empty() ? target_path(run) : "exec:" + run.exec;
}

Mail<std::unique_ptr<Target>> make_target(const GetRun& run) {
  std::unique_ptr<Target> target;
  if (!run.exec.empty()) {
    target = std::make_unique<CommandTarget>(run.exec);
    return target;
  }
  store::MailLocation location;
  const bool mbox = run.to.starts_with("mbox:");
  location.base = target_path(run);
  location.format = mbox ? store::MailFormat::mbox : store::MailFormat::maildir;
  if (mbox)
    target = std::make_unique<MboxTarget>(std::move(location));
  else
    target = std::make_unique<MaildirTarget>(std::move(location));
  return target;
}

Task<Mail<std::unique_ptr<session::Pop3Client>>> connect(const Account& account, Duration timeout) {
  Deadline deadline = Deadline::in(timeout);
  const Server& server = account.server;
  session::Pop3ClientOptions options;
  options.tls = server.tls;
  options.tls_name = server.tls_name;
  options.silence = timeout;
  options.clear_password = server.tls == TlsMode::never;
  auto context = tls_context(server);
  if (!context) co_return fail(context.error());
  options.tls_context = std::move(*context);
  auto login = co_await find_log_in(server, account.name, deadline);
  if (!login) co_return fail(login.error());
  options.login = std::move(*login);
  auto client = std::make_unique<session::Pop3Client>(server.endpoint(), std::move(options));
  const auto opened = co_await client->open(deadline);
  if (!opened) co_return fail(from_pop3(opened.error()));
  co_return client;
}

struct Fetched {
  std::size_t messages = 0;
  std::size_t deleted = 0;
  std::size_t left = 0;  // on the server
};

// Everything new; deletes what is safe. A message that can't be had or delivered keeps nothing behind it from its way; the
// first failure is the run's.
Task<Mail<Fetched>> fetch_all(const Account& account, const GetRun& run,
                              session::Pop3Client& client, Target& target) {
  const auto soon = [&run] { return Deadline::in(run.timeout); };
  const auto listed = co_await client.list(soon());
  if (!listed) co_return fail(from_pop3(listed.error()));
  Seen seen(account, target_name(run));
  seen.keep_only(*listed);
  Fetched result;
  std::vector<std::uint32_t> safe;
  std::optional<MailError> trouble;
  Progress progress(account.name + ": messages", listed->size());
  for (const session::Pop3Listed& each : *listed) {
    progress.step(each.number);
    if (!each.uidl.empty() && seen.has(each.uidl)) {
      safe.push_back(each.number);
      continue;
    }
    if (result.messages >= run.limit) continue;
    if (each.size > largest_message) {
      fmt::print(stderr, "mua: {}: message {} is larger than 1 GiB and stays there\n", account.name,
                 each.number);
      continue;
    }
    OctetsSink sink;
    // However long it is, as long as something comes.
    const auto got = co_await client.retr(each.number, sink, Deadline::never());
    if (!got) {
      if (!trouble) trouble = from_pop3(got.error());
      if (client.connected()) continue;
      break;
    }
    auto octets = sink.finish();
    Mail<void> delivered;
    if (!octets)
      delivered = fail(octets.error());
    else
      delivered = co_await target.deliver(std::move(*octets), soon());
    if (!delivered) {
      if (!trouble) trouble = delivered.error();
      continue;
    }
    const auto noted = seen.add(each.uidl);
    if (!noted && !trouble) trouble = noted.error();
    safe.push_back(each.number);
    ++result.messages;
  }
  result.left = listed->size();
  if (!run.keep && !safe.empty() && client.connected()) {
    std::vector<std::uint32_t> numbers = safe;
    const auto marked = co_await client.dele(std::move(numbers), soon());
    if (!marked && !trouble) trouble = from_pop3(marked.error());
  }
  const auto ended = co_await client.quit(soon());
  if (ended && !run.keep) {
    result.deleted = safe.size();
    result.left -= safe.size();
  } else if (!ended && !trouble) {
    trouble = from_pop3(ended.error());
  }
  if (trouble) co_return fail(std::move(*trouble));
  co_return result;
}

Task<Mail<Fetched>> get_from(const Account& account, const GetRun& run) {
  if (account.store != StoreKind::pop3)
    co_return fail(
        MailError(Kind::unsupported, "this is no POP3 account", "mua sync fetches from IMAP"));
  auto target = make_target(run);
  if (!target) co_return fail(target.error());
  auto client = co_await connect(account, run.timeout);
  if (!client) co_return fail(client.error());
  auto result = co_await fetch_all(account, run, **client, **target);
  co_await (*target)->end();
  co_return result;
}

Task<void> get_account(Account account, GetRun* run) {
  const auto result = co_await get_from(account, *run);
  if (!result) {
    const ToolError said = tool_error(result.error(), account.name);
    print_error(said, account.name, run->json);
    if (run->failure == 0) run->failure = said.exit;
    co_return;
  }
  run->found = run->found || result->messages > 0;
  if (run->json)
    print_json({{"account", account.name},
                {"fetched", result->messages},
                {"deleted", result->deleted},
                {"left", result->left}});
  else if (run->exec.empty())
    fmt::print("{}: {} fetched, {} left on the server\n", shown(account.name), result->messages,
               result->left);
  std::fflush(stdout);
}

Task<void> get_all(const std::vector<Account>& accounts, GetRun& run) {
  async::Scope scope;
  for (const Account& account : accounts) scope.spawn(get_account(account, &run));
  co_await scope.join();
}

class Get final : public Tool {
 public:
  [[nodiscard]] std::string_view name() const override { return "get"; }
  [[nodiscard]] std::string_view words() const override { return ""; }
  [[nodiscard]] std::string_view purpose() const override {
    return "fetch POP3 mail into a Maildir, an mbox or a program";
  }
  void describe(OptionTable& table) override {
    common_.describe(table);
    table.group("Where to");
    table.add("to", run_.to, "maildir:PATH or mbox:PATH").flag_only();
    table
        .add("exec", run_.exec,
             "a command for /bin/sh, run with each message on its standard input")
        .flag_only();
    table.add("keep", run_.keep, "leave the messages on the server, and fetch each once")
        .flag_only();
    table.add("limit", limit_, "at most so many; 0 = all").unit("messages").flag_only();
  }
  Result<int, ToolError> run(const ToolCall& call) override {
    const auto accounts = common_.accounts();
    if (!accounts) return fail(accounts.error());
    if (run_.to.empty() == run_.exec.empty())
      return fail(ToolError(exit_code::usage, "usage", "say where the mail goes",
                            "--to maildir:PATH, --to mbox:PATH or --exec COMMAND"));
    if (limit_ != 0) run_.limit = limit_;
    run_.timeout = common_.timeout;
    run_.json = call.json;
    async::run(get_all(*accounts, run_));
    if (run_.failure != 0) return run_.failure;
    return run_.found ? exit_code::ok : exit_code::failed;
  }

 private:
  Common common_;
  GetRun run_;
  std::uint32_t limit_ = 0;
};

}  // namespace

std::unique_ptr<Tool> make_get() {
  return std::make_unique<Get>();
}

}  // namespace posthorn::mua
