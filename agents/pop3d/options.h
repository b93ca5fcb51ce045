// What pop3d can be told; one table for front and worker.
#pragma once

#include <string>
#include <vector>

#include "libmail/async/endpoint.h"
#include "libmail/pop3/server.h"
#include "libmail/service/agent.h"

namespace posthorn::pop3d {

struct Options {
  bool worker = false;

  std::vector<std::string> listen = {"inet:*:110"};
  std::vector<std::string> listen_tls = {"inet:*:995"};
  service::SocketAccess access;
  service::TlsOptions tls;
  std::string auth = "unix:run/auth.sock";
  bool plaintext_in_clear = false;
  std::string worker_at;  // "" = a worker of our own
  service::ServeLimits serve;
  service::ServeLimits serve_tls;
  Duration login_time = std::chrono::minutes(3);

  std::vector<std::string> worker_listen = {"unix:run/pop3-worker.sock"};
  service::SocketAccess worker_access{"0600"};
  std::string front_user;  // "" = our own uid
  std::string userdb = "unix:run/userdb.sock";
  std::string mail_location = "maildir:~/Maildir";
  std::vector<std::string> mail_directories = {"mail"};
  bool delete_after_retr = false;
  bool mark_seen = true;
  bool refuse_utf8 = false;
  Duration lock_time = std::chrono::seconds(30);
  service::ServeLimits serve_worker;

  Duration idle_time = std::chrono::minutes(10);  // RFC 1939 section 3: at least this
  pop3::Limits limits;

  void describe(service::OptionTable& table);
  [[nodiscard]] std::vector<std::string> check(const service::Site& site) const;
  // mail_location with a path inside the site made absolute.
  [[nodiscard]] std::string full_location(const service::Site& site) const;
};

}  // namespace posthorn::pop3d
