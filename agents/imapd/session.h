// One session of the worker: AUTHENTICATE EXTERNAL, then commands, one after the other. What commands need of it is public;
// commands.h has them.
//
//   Input --LineReader--> parse_command --commands.h--> Reply, untagged data --Output-->
//
// At rest there are the two frames that wait for the client, its MailboxView, and the place at the mailbox's bell.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agents/imapd/accounts.h"
#include "agents/imapd/input.h"
#include "agents/imapd/output.h"
#include "agents/imapd/selected.h"
#include "libmail/access/mail_place.h"
#include "libmail/imap/command.h"
#include "libmail/imap/server/login_core.h"
#include "libmail/sasl/mechanism.h"
#include "libmail/service/log.h"
#include "libmail/service/metrics.h"
#include "libmail/store/retry.h"

namespace posthorn::imapd {

struct WorkerSettings {
  std::string host;  // ours, in URLs
  access::MailPlaces places;
  char separator = '.';
  std::string prefix;
  std::map<std::string, std::string> special_use;
  store::QuotaLimits quota;
  bool index = true;
  bool search_index = true;
  std::uint64_t append_limit = 0;
  std::uint32_t message_limit = 0;  // messages that one command may be about; 0: any number
  std::string server_comment;       // RFC 5464, /shared/comment and /shared/admin of the server
  std::string server_admin;
  std::map<std::string, std::string>
      filters;  // RFC 5466, of all users: name in lower case to search keys
  Duration lock_time{};
  Duration idle_time{};
  imap::Limits limits;
  unsigned max_errors = 20;
  std::optional<store::MailLocation> public_location;
  std::string public_prefix;              // "Public."
  std::string others_prefix;              // "user."; "" = nobody sees mailboxes of others
  std::string share_list;                 // libmail/store/share_list.h
  std::vector<std::string> quota_admins;  // users who may SETQUOTA

  WorkerSettings() = default;
};

struct WorkerCounters {
  service::Gauge& sessions;
  service::Gauge& idle;
  service::Counter& commands;
  service::Counter& bad_commands;
  service::Counter& appended;
  explicit WorkerCounters(service::Metrics& metrics);
};

// What ENABLE and some other commands switch on.
struct Enabled {
  bool condstore = false;
  bool qresync = false;
  bool utf8 = false;  // UTF8=ACCEPT or IMAP4rev2
  bool rev2 = false;
  bool metadata = false;  // changes of annotations are told
  bool uid_only = false;  // RFC 9586: no message numbers
};

class Notifier;

class Session {
 public:
  // May the peer open any mailbox? Decided by who connected (SO_PEERCRED). All references outlive it.
  Session(std::unique_ptr<async::Stream> stream, bool peer_is_trusted,
          session::UserdbClient& userdb, Accounts& accounts,
          std::shared_ptr<const WorkerSettings> settings, service::Log& log,
          WorkerCounters& counters);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  async::Task<void> serve();
  // We are stopping: the client is told between two commands.
  void end();

  // ---- for commands ----
  [[nodiscard]] const WorkerSettings& settings() const { return *settings_; }
  [[nodiscard]] Accounts& accounts() { return accounts_; }
  [[nodiscard]] Account& account() { return *account_; }
  [[nodiscard]] store::Store& store() { return *account_->store; }
  [[nodiscard]] Output& out() { return out_; }
  [[nodiscard]] Enabled& enabled() { return enabled_; }
  [[nodiscard]] service::Log& log() { return log_; }
  [[nodiscard]] WorkerCounters& counters() { return counters_; }
  [[nodiscard]] const std::string& tag() const { return tag_; }
  [[nodiscard]] imap::CommandDialect dialect() const;
  [[nodiscard]] std::string capabilities() const;
  // To the other sessions of the account.
  void tell(const AccountEvent& event);
  // From now on what others tell is heard.
  void hear_news();
  [[nodiscard]] AccountNews::Reader* news() { return news_.get(); }
  // NOTIFY: what this client hears from now on.
  void notify(std::unique_ptr<Notifier> notifier);
  // Something besides the selected mailbox's bell is to be said; and when to look for more.
  [[nodiscard]] bool has_news() const;
  [[nodiscard]] async::Deadline next_look() const;
  void wake() { wake_.set(); }
  // A mailbox name as this client writes them; the same as a string, never an atom.
  [[nodiscard]] std::string wire_name(const std::string& name) const;
  [[nodiscard]] std::string wire_string(const std::string& name) const;

  // ---- namespaces.cc ----
  // Mailboxes of users who share something with this one become visible. At log-in, LIST and NAMESPACE.
  async::Task<void> meet_sharers();
  // An administrator names a quota root ("user.ann"): whose is it? Nothing happens if it is nobody's.
  async::Task<void> meet(std::string root);
  [[nodiscard]] bool sets_quota() const;

  [[nodiscard]] Selected* selected() { return selected_.get(); }
  void select(std::unique_ptr<Selected> mailbox);
  void unselect();

  // Blocking work of the store, again while somebody else holds the mailbox. `work` may refer to what the awaiter keeps alive.
  template <class F>
  auto in_store(F work) {
    accounts_.search_filler().make_way();
    return store::when_unlocked(async::Deadline::in(settings_->lock_time), std::move(work));
  }
  // NO with the code that fits, and a line in the log where the operator should know.
  [[nodiscard]] imap::Reply refusal(const store::StoreError& error);

  // The UIDs that the client knows are those of the mailbox. False, and BYE: the mailbox has a new UIDVALIDITY, so that they name
  // other messages; nothing may be done with them (RFC 9051 2.3.1.1).
  [[nodiscard]] bool uids_are_good();
  // The same, after a look at the mailbox: in front of every command that changes messages. Something: what the command says.
  async::Task<std::optional<imap::Reply>> look_again();
  // What a command that found them bad says after the BYE.
  [[nodiscard]] static imap::Reply uids_are_bad();

  // Finds out what others changed in the selected mailbox, and tells the client. Without `may_expunge` messages that are gone
  // keep their numbers (RFC 9051 7.5.1).
  async::Task<void> announce(bool may_expunge);
  // FLAGS, if there are new keywords: before a FETCH has them.
  void announce_keywords();
  // The same without looking: only what is known already. `own`: this client changed the mailbox itself and has to hear of it,
  // whatever NOTIFY says.
  async::Task<void> announce_known(bool may_expunge, bool own = false);

  // For commands that go on listening (APPEND, IDLE). What the reader says; `more`: the client is gone or was silent too long.
  [[nodiscard]] imap::LineReader& reader() { return reader_; }
  async::Task<imap::LineReader::Event> next_event();
  // What is there already; `more`: nothing.
  [[nodiscard]] imap::LineReader::Event event_now();
  // Waits for input, the selected mailbox's bell, or the end. False: `deadline` passed.
  async::Task<bool> wait(async::Deadline deadline, bool is_idle = false);
  [[nodiscard]] bool is_over() const {
    return over_ || stopping_ || input_.has_ended() || out_.is_broken();
  }
  // After the reply the session ends.
  void log_out() { over_ = true; }
  // The client has said no more than this command so far.
  [[nodiscard]] bool nothing_follows();
  // Both directions are packed behind this command's reply (RFC 4978). False: the client said more than it may before the reply.
  bool compress();

 private:
  async::Task<bool> log_in();
  async::Task<bool> handle(imap::LoginCore& core, imap::LoginEvent event);
  async::Task<void> open_account(imap::LoginCore& core, std::string user);
  async::Task<void> add_user(std::string user, std::string level);
  [[nodiscard]] store::QuotaLimits quota_rule(const session::UserdbAnswer& user) const;
  async::Task<void> take_commands();
  async::Task<void> on_literal();
  async::Task<void> on_line(imap::Line line);
  async::Task<void> run_command(imap::Command command);
  void on_error(imap::LineError error);
  void complain(std::string_view tag, const imap::Reply& why);
  async::Task<void> say_changes(const store::ViewChanges& changes,
                                std::shared_ptr<const store::Snapshot> snapshot);
  async::Task<void> say_news();
  // Between two commands, of a client that listens all the time (NOTIFY).
  async::Task<void> announce_unasked();
  async::Task<imap::LineReader::Event> next_command_event();

  std::unique_ptr<async::Stream> stream_;
  bool trusted_;
  session::UserdbClient& userdb_;
  Accounts& accounts_;
  std::shared_ptr<const WorkerSettings> settings_;
  service::Log& log_;
  WorkerCounters& counters_;
  async::Event wake_;
  Input input_;
  Output out_;
  imap::LineReader reader_;
  std::unique_ptr<sasl::ServerMechanism> external_;
  std::shared_ptr<Account> account_;
  std::unique_ptr<Selected> selected_;
  std::unique_ptr<AccountNews::Reader> news_;
  std::unique_ptr<Notifier> notifier_;  // nullptr: NOTIFY was never said
  Enabled enabled_;
  std::string tag_;
  unsigned errors_ = 0;
  bool stopping_ = false;
  bool over_ = false;
  bool compress_ = false;  // behind the reply
};

}  // namespace posthorn::imapd
