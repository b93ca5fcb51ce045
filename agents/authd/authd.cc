#include "agents/authd/authd.h"

#include "libmail/sasl/passwd_edit.h"

namespace posthorn::authd {

using async::Deadline;
using async::Task;
using service::Connection;
using service::Daemon;
using service::Site;

void Options::describe(service::OptionTable& table) {
  table.group("Sockets");
  table.add_listeners("listen", listen,
                      "where servers ask for SASL exchanges (Dovecot auth protocol)",
                      &listen_access);
  table.add_listeners("listen-userdb", listen_userdb,
                      "where agents ask for users (USER and LIST, no passwords)", &userdb_access);
  table.add("max-connections", serve.connections, "connections to each of the two kinds of socket")
      .unit("connections");
  table.group("Users");
  table
      .add_path("users", users,
                "the users file, in the format of users(5); read again when it is replaced")
      .at_start();
  table.add("realm", verifier.realm, "the domain of users who log in without one; empty = none");
  table.add("home", home,
            "the home of users whose line has none, with %u %n %d; empty = they have none");
  table.group("Passwords");
  table.add("plaintext-in-clear", verifier.plaintext_in_clear,
            "take PLAIN and LOGIN from connections that are not secured");
  table
      .add("free-failures", verifier.throttle.free,
           "wrong passwords of a client or at a user that cost nothing")
      .unit("failures");
  table.add("first-delay", verifier.throttle.first,
            "the gap between attempts after those; it doubles each time");
  table.add("max-delay", verifier.throttle.most, "the longest gap");
  table.add("max-wait", verifier.throttle.most_wait,
            "an attempt that would wait longer than this is told to come later");
  table.add("forget", verifier.throttle.forget,
            "failures are forgotten when there was none for this long");
  table
      .add("max-remembered", verifier.throttle.entries,
           "clients and users whose failures are remembered")
      .between(16, 10'000'000);
  table.add("max-waiting", verifier.most_waiting, "attempts that may wait for their turn at once");
}

std::vector<std::string> Authd::check(const Site& site) {
  std::vector<std::string> problems;
  const auto users = sasl::read_users(options_.users);
  if (!users) problems.push_back(users.error().text);
  if (!options_.home.empty() && options_.home.find('%') == std::string::npos)
    problems.push_back("home = \"" + options_.home +
                       "\" is the same for all users: put %u, or %d and %n, into it");
  (void)site;
  return problems;
}

service::Confinement Authd::confinement(const Site&) {
  service::Confinement confinement;
  confinement.read.push_back(service::directory_of(options_.users));
  confinement.internet = false;  // listeners are open already
  return confinement;
}

UserdbSettings Authd::userdb_settings(const Site& site) const {
  UserdbSettings settings;
  settings.realm = options_.verifier.realm;
  if (!options_.home.empty()) settings.home = site.path(options_.home);
  return settings;
}

Task<Result<void, std::string>> Authd::start(Daemon& daemon) {
  daemon_ = &daemon;
  userdb_ = userdb_settings(daemon.site());
  users_ = std::make_unique<Users>(options_.users, daemon.log(), [this] { users_changed(); });
  auto read = co_await users_->start();
  if (!read) co_return read;
  offers_scram_ = users_->all_have_scram();
  verifier_ =
      std::make_unique<Verifier>(*users_, options_.verifier, daemon.log(), daemon.metrics());
  counters_ = std::make_unique<UserdbCounters>(daemon.metrics());
  daemon.metrics().gauge("posthorn_authd_users", "users in the users file", [this] {
    return static_cast<double>(users_->now()->file.entries.size());
  });
  daemon.serve(
      "listen", [this](Connection connection) { return serve_auth(std::move(connection)); },
      options_.serve);
  daemon.serve(
      "listen-userdb",
      [this](Connection connection) { return serve_userdb(std::move(connection)); },
      options_.serve);
  daemon.scope().spawn(end_sessions_when_stopping());
  co_return read;
}

Task<void> Authd::serve_auth(Connection connection) {
  AuthSession session(std::move(connection.stream), *verifier_, daemon_->log(), ++connections_);
  auth_sessions_.insert(&session);
  co_await session.serve();
  auth_sessions_.erase(&session);
}

Task<void> Authd::serve_userdb(Connection connection) {
  UserdbSession session(std::move(connection.stream), *users_, userdb_, *counters_, daemon_->log());
  userdb_sessions_.insert(&session);
  co_await session.serve();
  userdb_sessions_.erase(&session);
}

// Clients keep their connections for ever: they see that we go, and try again when they need us.
Task<void> Authd::end_sessions_when_stopping() {
  co_await daemon_->stopping().wait();
  for (AuthSession* session : std::set<AuthSession*>(auth_sessions_))
    session->retire(AuthSession::Retire::now);
  for (UserdbSession* session : std::set<UserdbSession*>(userdb_sessions_)) session->end();
}

void Authd::users_changed() {
  if (users_->all_have_scram() == offers_scram_) return;
  offers_scram_ = users_->all_have_scram();
  daemon_->log().info("", "mechanisms-changed", {{"scram", offers_scram_}});
  for (AuthSession* session : std::set<AuthSession*>(auth_sessions_))
    session->retire(AuthSession::Retire::when_idle);
}

Result<void, std::string> Authd::reload(Daemon& daemon) {
  verifier_->set_options(options_.verifier);
  userdb_ = userdb_settings(daemon.site());
  return {};
}

Task<void> Authd::drain(Daemon&, Deadline) {
  if (users_) co_await users_->stop();
}

}  // namespace posthorn::authd
