// A deliverd of memory, for tests: its own disk, a userdb that is a list, reports that are kept.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agents/deliverd/mailbox_delivery.h"
#include "agents/deliverd/session.h"
#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/store/memory_files.h"
#include "test/support/test_folder.h"

namespace posthorn::deliverd::test {

using store::MemoryFiles;

class ListedUsers final : public Users {
 public:
  std::map<std::string, sasl::dovecot::Fields> known;
  bool away = false;
  async::Task<session::UserdbAnswer> find(std::string user) override {
    using Kind = session::UserdbAnswer::Kind;
    if (away) co_return session::UserdbAnswer(Kind::unavailable, "connection refused");
    const auto found = known.find(user);
    if (found == known.end()) co_return session::UserdbAnswer(Kind::unknown);
    session::UserdbAnswer answer(Kind::found);
    answer.user = user;
    answer.fields = found->second;
    co_return answer;
  }
};

class KeptReports final : public ReportSink {
 public:
  struct Sent {
    std::string to;
    std::string message;
  };
  std::vector<Sent> sent;
  bool full = false;
  async::Task<Result<void, std::string>> send(smtp::Mailbox to, std::string message, bool,
                                              bool) override {
    if (full) co_return fail(std::string("no space left"));
    Sent one;
    one.to = smtp::format_mailbox(to);
    one.message = std::move(message);
    sent.push_back(std::move(one));
    co_return Result<void, std::string>();
  }
};

struct Mda {
  std::unique_ptr<MemoryFiles> files = std::make_unique<MemoryFiles>();
  ListedUsers users;
  KeptReports reports;
  service::Metrics metrics;
  Counters counters{metrics};
  service::Log log{"test", service::Log::Format::kv, service::Level::error, -1};
  posthorn::TestFolder
      holding;  // the one directory of a real disk: messages wait there for filters
  filter::Filters filters{service::Site::find("/nowhere"), log, metrics,
                          filter::HoldingPlace(holding.path(), 100000)};
  queue::IdSource ids{7};
  MailboxRules rules;
  std::unique_ptr<store::MaildirDelivery> maildirs;
  std::unique_ptr<MailboxDelivery> mailboxes;
  session::SmtpSessions sessions;
  async::Scope scope;

  explicit Mda(store::DeliveryLimits limits = {}) {
    REQUIRE(files->make_directories("/site/mail", 0700));
    rules.hostname = "mx.beta.test";
    rules.domain = "beta.test";
    rules.mail_location = "maildir:/site/mail/%d/%n/Maildir";
    rules.mail_directories = {"/site/mail", "/var/mail", "/home"};
    rules.lock_time = std::chrono::milliseconds(50);
    for (const char* name : {"bob@beta.test", "carol@beta.test"}) users.known[name];
    maildirs = std::make_unique<store::MaildirDelivery>(*files, rules.hostname, 812, limits);
    mailboxes = std::make_unique<MailboxDelivery>(*files, *maildirs, users, log);
  }

  // A client's end of a new LMTP connection. `wrap` may put something around the server's end.
  template <class Wrap>
  std::unique_ptr<async::Stream> connect(Wrap wrap) {
    mailboxes->set_rules(rules);
    async::Peer local;
    local.kind = async::Peer::Kind::unix_socket;
    auto pair = async::make_memory_pair(local, local);
    session::SmtpSessionSettings settings;
    settings.server.protocol = smtp::Protocol::lmtp;
    settings.server.hostname = rules.hostname;
    settings.server.limits.message_size = 0;
    settings.log = &log;
    settings.sessions = &sessions;
    const Services services(*mailboxes, *files, reports, filters, ids, log, counters);
    auto session_rules = std::make_shared<SessionRules>();
    session_rules->hostname = rules.hostname;
    session_rules->spool = "/site/mail";
    scope.spawn(session::serve_smtp(wrap(std::move(pair.right)), std::move(settings),
                                    std::make_unique<Session>(services, std::move(session_rules)),
                                    nullptr));
    return std::move(pair.left);
  }
  std::unique_ptr<async::Stream> connect() {
    return connect([](std::unique_ptr<async::Stream> stream) { return stream; });
  }

  // The files in a user's new/, by content.
  [[nodiscard]] std::multiset<std::string> inbox(const std::string& user) const {
    return inbox_of(*files, user);
  }
  static std::multiset<std::string> inbox_of(const MemoryFiles& disk, const std::string& user) {
    std::multiset<std::string> texts;
    const std::string path = "/site/mail/beta.test/" + user + "/Maildir/new";
    for (const std::string& name : disk.names(path)) texts.insert(*disk.content(path + "/" + name));
    return texts;
  }
};

// Reads replies: the last line of each.
class ReplyReader {
 public:
  explicit ReplyReader(async::Stream& stream) : stream_(stream) {}
  // "" when the connection is closed.
  async::Task<std::string> next() {
    for (;;) {
      const std::size_t end = input_.view().find("\r\n");
      if (end != std::string_view::npos) {
        std::string line(input_.view().substr(0, end));
        input_.consume(end + 2);
        if (line.size() < 4 || line[3] != '-') co_return line;
        continue;
      }
      const async::Deadline deadline = async::Deadline::in(std::chrono::seconds(10));
      const auto got = co_await stream_.read(input_, deadline);
      if (!got || *got == 0) co_return std::string();
    }
  }

 private:
  async::Stream& stream_;
  async::Buffer input_;
};

// Says everything at once and gives the last line of each reply.
inline async::Task<std::vector<std::string>> talk(async::Stream& stream, std::string say) {
  const async::Deadline deadline = async::Deadline::in(std::chrono::seconds(10));
  const auto written = co_await stream.write(say, deadline);
  std::vector<std::string> replies;
  if (!written) co_return replies;
  ReplyReader reader(stream);
  for (;;) {
    std::string line = co_await reader.next();
    if (line.empty()) co_return replies;
    replies.push_back(std::move(line));
  }
}

inline async::Task<std::vector<std::string>> converse(Mda& mda, std::string say) {
  const std::unique_ptr<async::Stream> stream = mda.connect();
  auto replies = co_await talk(*stream, std::move(say));
  co_await mda.scope.join();
  co_await mda.maildirs->join();
  co_return replies;
}

// One transaction: MAIL, RCPTs and the body as one group.
inline std::string transaction(const std::vector<std::string>& recipients, const std::string& body,
                               const std::string& mail = "MAIL FROM:<ann@alpha.test>") {
  std::string say = mail + "\r\n";
  for (const std::string& recipient : recipients) say += "RCPT TO:" + recipient + "\r\n";
  return say + "BDAT " + std::to_string(body.size()) + " LAST\r\n" + body;
}

}  // namespace posthorn::deliverd::test
