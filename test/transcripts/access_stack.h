// authd, a mail worker and its front in this process, for one transcript: their sessions, joined by Unix sockets as in life. What
// the two speak derives from it.
#pragma once

#include <memory>
#include <string>

#include "agents/authd/auth_session.h"
#include "agents/authd/userdb_session.h"
#include "libmail/async/scope.h"
#include "libmail/async/socket.h"
#include "libmail/session/auth_client.h"
#include "libmail/session/userdb_client.h"
#include "test/transcripts/pop3_world.h"

namespace posthorn::test {

class AccessStack {
 public:
  // Both outlive it. The front finds its worker at `worker_socket` of the site.
  AccessStack(const Transcript& transcript, const Pop3Site& site, std::string worker_socket);
  virtual ~AccessStack();
  AccessStack(const AccessStack&) = delete;
  AccessStack& operator=(const AccessStack&) = delete;

  // "" or "LINE: what went wrong".
  async::Task<std::string> play(bool octet_by_octet);

 protected:
  // The front's session with the transcript's client, and the worker's with the front.
  virtual async::Task<void> serve_client(std::unique_ptr<async::Stream> stream) = 0;
  virtual async::Task<void> serve_front(std::unique_ptr<async::Stream> stream) = 0;
  // All sessions have ended.
  virtual async::Task<void> end() = 0;

  [[nodiscard]] const Transcript& transcript() const { return transcript_; }
  [[nodiscard]] const Pop3Site& site() const { return site_; }
  [[nodiscard]] async::Endpoint worker() const;
  [[nodiscard]] service::Log& log() { return log_; }
  [[nodiscard]] service::Metrics& metrics() { return metrics_; }
  [[nodiscard]] session::AuthClient& auth() { return auth_; }
  [[nodiscard]] session::UserdbClient& userdb() { return userdb_; }

 private:
  [[nodiscard]] std::unique_ptr<async::Listener> listen(const std::string& name) const;
  async::Task<void> accept_auth(async::Listener* listener);
  async::Task<void> serve_auth(std::unique_ptr<async::Stream> stream);
  async::Task<void> accept_userdb(async::Listener* listener);
  async::Task<void> serve_userdb(std::unique_ptr<async::Stream> stream);
  async::Task<void> accept_fronts(async::Listener* listener);
  async::Task<std::unique_ptr<async::Stream>> connect();

  const Transcript& transcript_;
  const Pop3Site& site_;
  std::string worker_socket_;
  service::Log log_;
  service::Metrics metrics_;
  authd::Users users_;
  std::unique_ptr<authd::Verifier> verifier_;
  authd::UserdbSettings userdb_settings_;
  authd::UserdbCounters lookups_;
  session::AuthClient auth_;
  session::UserdbClient userdb_;
  async::Scope clients_;  // and the workers' side of them
  async::Scope scope_;
};

}  // namespace posthorn::test
