// The options that a front and its worker have, whatever they speak.
#pragma once

#include <string>
#include <vector>

#include "libmail/access/mail_place.h"
#include "libmail/service/agent.h"

namespace posthorn::access {

struct Options {
  bool worker = false;

  std::vector<std::string> listen;
  std::vector<std::string> listen_tls;
  service::SocketAccess access;
  service::TlsOptions tls;
  std::string auth = "unix:run/auth.sock";
  bool plaintext_in_clear = false;
  std::string worker_at;  // "" = a worker of our own
  service::ServeLimits serve;
  service::ServeLimits serve_tls;
  Duration login_time = std::chrono::minutes(3);

  std::vector<std::string> worker_listen;
  service::SocketAccess worker_access{"0600"};
  std::string front_user;  // "" = our own uid
  std::string userdb = "unix:run/userdb.sock";
  std::string mail_location = "maildir:~/Maildir";
  std::vector<std::string> mail_directories = {"mail"};
  service::ServeLimits serve_worker;

  Duration idle_time{};

  // The words that differ: "POP3 is spoken, with STLS", "TLS comes before the greeting (pop3s)", "USER, PASS and AUTH PLAIN".
  struct Words {
    std::string spoken;
    std::string spoken_tls;
    std::string passwords;
  };
  // Three groups' beginnings; an agent adds its own in between.
  void describe_front(service::OptionTable& table, const Words& words);
  void describe_worker(service::OptionTable& table);
  void describe_both(service::OptionTable& table);

  [[nodiscard]] std::vector<std::string> check(const service::Site& site) const;
  // mail_location with a path inside the site made absolute.
  [[nodiscard]] std::string full_location(const service::Site& site) const;
  [[nodiscard]] MailPlaces mail_places(const service::Site& site) const;
};

}  // namespace posthorn::access
