#include "libmail/access/options.h"

#include <pwd.h>
#include <unistd.h>

#include "libmail/service/proxied.h"
#include "libmail/store/location.h"

namespace posthorn::access {

void Options::describe_front(service::OptionTable& table, const Words& words) {
  table.add("worker", worker, "be a mail worker: open mailboxes for a front, listen on no network")
      .flag_only();

  table.group("Front");
  table.add_listeners("listen", listen, "where " + words.spoken, &access);
  table.add_listeners("listen-tls", listen_tls, "where " + words.spoken_tls);
  tls.describe(table);
  table.add_endpoint("auth", auth, "who checks passwords (Dovecot auth protocol)").at_start();
  table.add("plaintext-in-clear", plaintext_in_clear,
            "take " + words.passwords + " without TLS too");
  table
      .add_endpoint("worker-at", worker_at,
                    "a mail worker that somebody else runs; empty = start one")
      .at_start();
  table.add("max-connections", serve.connections, "clients at once").unit("clients");
  table
      .add("max-connections-per-client", serve.connections_per_client,
           "clients at once from one IPv4 address or IPv6 /64")
      .unit("clients");
  service::describe_proxies(table, serve.proxy_networks);
  table.add("login-time", login_time,
            "a client that has not logged in after this long is sent away");
}

void Options::describe_worker(service::OptionTable& table) {
  table.group("Worker");
  table.add_listeners("worker-listen", worker_listen,
                      "where the worker listens, and its own front connects", &worker_access);
  table
      .add("front-user", front_user,
           "the user whose processes may open any mailbox; empty = the worker's own")
      .at_start();
  table.add_endpoint("userdb", userdb, "who knows where a user's mail lies").at_start();
  table.add(
      "mail-location", mail_location,
      "mailboxes of users without a mail field: maildir:PATH or mbox:PATH with ~, %u, %n, %d, %h");
  table.add("mail-directories", mail_directories, "mailboxes lie below these").at_start();
}

void Options::describe_both(service::OptionTable& table) {
  table.group("Both");
  table.add("idle-time", idle_time, "a client that is silent this long is sent away");
}

std::vector<std::string> Options::check(const service::Site& site) const {
  std::vector<std::string> problems;
  if (idle_time < std::chrono::seconds(1)) problems.emplace_back("idle_time must be at least 1s");
  store::MailUser anybody;
  anybody.name = "ann@example.org";
  anybody.local = "ann";
  anybody.domain = "example.org";
  anybody.home = "/home/ann";
  const auto location = store::make_mail_location(full_location(site), anybody);
  if (!location) problems.push_back("mail_location: " + location.error().text);
  if (!front_user.empty() && ::getpwnam(front_user.c_str()) == nullptr)
    problems.push_back("front_user: there is no user \"" + front_user + "\"");
  if (!worker && worker_at.empty()) {
    const async::Endpoint at = worker_listen.empty()
                                   ? async::Endpoint()
                                   : service::endpoint_of(site, worker_listen.front());
    const std::string folder = service::directory_of(at.path);
    if (at.kind != async::Endpoint::Kind::unix_socket) {
      problems.emplace_back("worker_listen: a worker of our own listens on one unix:PATH");
    } else if (::access(folder.c_str(), W_OK | X_OK) != 0) {
      problems.push_back("worker_listen: " + io_error("write in", folder).text() +
                         "; make the directory, or give --worker-listen unix:PATH");
    }
  }
  return problems;
}

std::string Options::full_location(const service::Site& site) const {
  const std::size_t colon = mail_location.find(':');
  if (colon == std::string::npos || colon + 1 == mail_location.size()) return mail_location;
  const char first = mail_location[colon + 1];
  if (first == '/' || first == '~' || first == '%') return mail_location;
  return mail_location.substr(0, colon + 1) + site.path(mail_location.substr(colon + 1));
}

MailPlaces Options::mail_places(const service::Site& site) const {
  MailPlaces places;
  places.mail_location = full_location(site);
  for (const std::string& directory : mail_directories)
    places.mail_directories.push_back(site.path(directory));
  return places;
}

}  // namespace posthorn::access
