// One SMTP or LMTP session over a stream: drives smtp::ServerCore, and asks a Handler what each
// step means. smtpd, submissiond, deliverd and relayd differ only in their handlers and settings.
//
// Order of calls for one message: on_mail, on_rcpt (each once per command), on_data, on_body*,
// on_message_end. Whatever goes wrong between a positive on_mail and on_message_end (RSET, lost
// connection, faulty body, timeout) is one on_reset; on_message_end is the end too, so neither
// follows the other. Calls never overlap.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/async/stream.h"
#include "libmail/service/log.h"
#include "libmail/service/networks.h"
#include "libmail/session/sasl_server.h"
#include "libmail/smtp/replies.h"
#include "libmail/smtp/server.h"
#include "libmail/tls/tls.h"

namespace posthorn::session {

class SmtpHandler {
 public:
  virtual ~SmtpHandler() = default;

  // Before the greeting, and again when XCLIENT has named another client. A negative reply stands in place of the
  // greeting.
  virtual async::Task<smtp::Reply> on_connect(const smtp::SessionInfo& session);
  // EHLO, HELO, LHLO. A negative reply refuses the client.
  virtual async::Task<smtp::Reply> on_hello(const smtp::SessionInfo& session);
  // `envelope` is filled from the command, XFORWARD and the session; the handler gives it its id
  // (and trace_id, if that is still empty) and arrival time. A positive reply begins the
  // transaction.
  virtual async::Task<smtp::Reply> on_mail(smtp::Envelope& envelope,
                                           const smtp::SessionInfo& session) = 0;
  // A positive reply adds `recipient` to the envelope; the handler may change it before.
  virtual async::Task<smtp::Reply> on_rcpt(const smtp::Envelope& envelope,
                                           smtp::Recipient& recipient,
                                           const smtp::SessionInfo& session) = 0;
  // All recipients are known, the body comes next. 2xx or 3xx: send it.
  virtual async::Task<smtp::Reply> on_data(const smtp::Envelope& envelope,
                                           const smtp::SessionInfo& session) = 0;
  // Message octets, checked and without dot-stuffing, in any cut; valid during the call. The client
  // is not read from until this returns: that is the back-pressure. A negative reply refuses the
  // message: the rest is thrown away, the reply is given at the end, on_reset follows.
  virtual async::Task<smtp::Reply> on_body(std::string_view octets) = 0;
  // The whole message is here; envelope.size is its octets. SMTP: one reply. LMTP: one for each of
  // envelope.recipients, in their order.
  virtual async::Task<std::vector<smtp::Reply>> on_message_end(
      smtp::Envelope& envelope, const smtp::SessionInfo& session) = 0;
  virtual async::Task<void> on_reset() = 0;
  // Default: 252 to everybody.
  virtual async::Task<smtp::Reply> on_vrfy(std::string argument, const smtp::SessionInfo& session);
  virtual async::Task<smtp::Reply> on_expn(std::string argument, const smtp::SessionInfo& session);
};

struct SmtpTimeouts {
  Duration command = std::chrono::minutes(5);   // RFC 5321 4.5.3.2.7
  Duration line = std::chrono::minutes(1);      // from the first octet of a command to its CRLF
  Duration body = std::chrono::minutes(3);      // between two reads of message octets
  Duration message = std::chrono::minutes(30);  // from DATA or the first BDAT to the last octet
  Duration write = std::chrono::minutes(5);
  Duration handshake = std::chrono::minutes(1);

  SmtpTimeouts() = default;
};

class SmtpSession;

// The sessions of an agent, so that they can be told to end.
class SmtpSessions {
 public:
  SmtpSessions() = default;
  SmtpSessions(const SmtpSessions&) = delete;
  SmtpSessions& operator=(const SmtpSessions&) = delete;
  ~SmtpSessions() { check(first_ == nullptr, "sessions outlive their list"); }

  // Who waits for a command gets 421 now, who is in a transaction behind its end, who comes later
  // in place of the greeting.
  void stop();
  [[nodiscard]] bool stopping() const { return stopping_; }

 private:
  friend class SmtpSession;
  SmtpSession* first_ = nullptr;  // intrusive list
  bool stopping_ = false;
};

// What a session is made with. `log` and `sessions` outlive the session.
struct SmtpSessionSettings {
  smtp::ServerSettings server;  // starttls is set from `tls`; see below for Unix-socket peers
  SmtpTimeouts timeouts;
  std::shared_ptr<tls::ServerContext> tls;  // null: no STARTTLS
  bool implicit_tls = false;                // shake hands before the greeting
  std::string service = "smtp";             // for SASL
  service::Networks xclient_networks;       // clients from here may speak for others (XCLIENT)
  service::Networks xforward_networks;      // ... or say whom a message is from (XFORWARD)
  std::string client_name;                  // verified reverse DNS name, if somebody asked
  service::Log* log = nullptr;
  SmtpSessions* sessions = nullptr;

  SmtpSessionSettings() = default;
};

// Speaks until the client leaves. A Unix-socket peer is a program of this machine: it is offered
// XFORWARD, may AUTH without TLS, and no limit on the length of a session holds for it. `sasl` may
// be null: AUTH is not offered.
async::Task<void> serve_smtp(std::unique_ptr<async::Stream> stream, SmtpSessionSettings settings,
                             std::unique_ptr<SmtpHandler> handler,
                             std::unique_ptr<SaslServer> sasl);

}  // namespace posthorn::session
