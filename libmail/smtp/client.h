// The client's side of SMTP (RFC 5321) and LMTP (RFC 2033): one connection, one transaction at a
// time. Sans I/O: the driver writes what output() holds, feeds what it reads to receive(), and
// shakes hands when asked to.
//
//   opening --> handshake --> opening --> ready <--> transaction         (any) --> closed
//
// Commands are put into output() at once if the server offers PIPELINING, so that a whole group
// (MAIL, every RCPT, DATA or BDAT) is one write; without it they are held back until the reply
// before has come. Replies find their command by order. Whatever the server does, every recipient
// ends with exactly one Status:
//
//   MAIL refused               all recipients: that reply
//   RCPT refused               that recipient: that reply
//   DATA or BDAT refused       all accepted recipients: that reply
//   the last reply             SMTP: all accepted recipients; LMTP: one reply each, in order of
//   RCPT 421, lost, nonsense        whoever has no status yet: 4.x.x; the connection is closed
//
// DATA answered with 354 although no recipient was accepted gets an empty body at once (RFC
// 2920 3.1), and its reply counts for nobody. A positive reply where none is possible (250 to DATA)
// is nonsense, never a success.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/smtp/client_extensions.h"
#include "libmail/smtp/dot.h"
#include "libmail/smtp/envelope.h"
#include "libmail/smtp/reply_parser.h"
#include "libmail/smtp/status.h"

namespace posthorn::smtp {

enum class ClientDialect : std::uint8_t { smtp, lmtp };

enum class TlsLevel : std::uint8_t {
  never,
  opportunistic,  // STARTTLS if offered; in clear otherwise, and when the server then refuses it
  required,       // nothing goes out in clear: 4.7.4
};

// A mechanism whose client speaks once: OAUTHBEARER, XOAUTH2 (libmail/sasl/client.h writes their responses).
struct TokenResponse {
  std::string mechanism;
  std::string response;  // octets, not base64
};

struct Credentials {
  std::string user;
  std::string password;
  std::vector<TokenResponse> tokens = {};  // best first; if there are any, the password is not said
};

struct ClientOptions {
  ClientDialect dialect = ClientDialect::smtp;
  std::string name;         // of ourselves, for EHLO
  std::string remote_name;  // of the server: "mx.example.org"; with an address, texts begin "host
                            // NAME[ADDR] said: "
  std::string remote_address;  // "192.0.2.1"; both empty: a status holds the server's bare words
  TlsLevel tls = TlsLevel::never;
  std::optional<Credentials>
      login;  // a token (RFC 7628), else AUTH PLAIN (RFC 4616), else LOGIN; a failure is ours, so 4.7.8
  // XFORWARD where it is offered. False for a server that is none of our site: whom we have a message from is not its
  // business.
  bool xforward = true;
  // XCLIENT where it is offered, and no XFORWARD then: the server is to treat each message as if its client and user
  // had come themselves.
  bool xclient = false;
  // A Unix socket: as private as TLS, so passwords and REQUIRETLS may pass.
  bool private_path = false;
  // RFC 6152 wants a 7-bit conversion or a bounce for a server without 8BITMIME. We convert nothing
  // (it breaks signatures), and servers that are not 8-bit clean have died out: by default the
  // octets go out as they are, without BODY=. True: 5.6.3.
  bool refuse_unoffered_8bit = false;
  ReplyLimits reply_limits;

  ClientOptions() = default;
};

enum class LastPiece : bool { no, yes };

class ClientCore {
 public:
  enum class Phase : std::uint8_t { opening, handshake, ready, transaction, closed };

  explicit ClientCore(ClientOptions options);

  // The connection

  [[nodiscard]] Phase phase() const { return phase_; }
  // Octets to be written now, in order with what goes before. The driver empties it after (or
  // before) each write.
  [[nodiscard]] std::string& output() { return output_; }
  // Takes all of `octets`, in any cut.
  void receive(std::string_view octets);
  // Phase handshake: TLS stands. Everything known about the server is forgotten and EHLO is said
  // again (RFC 3207 4.2).
  void secured();
  // The connection broke or a deadline passed. `what`: "lost connection", "timed out". Ends
  // everything.
  void lost(std::string_view what);
  // Ends everything with a status the caller knows (failed handshake, our own shutdown). The status
  // must be negative.
  void abandon(const Status& why);
  // Why the phase is closed.
  [[nodiscard]] const Status& trouble() const { return trouble_; }
  [[nodiscard]] const ServerExtensions& extensions() const { return extensions_; }
  [[nodiscard]] const ClientOptions& options() const { return options_; }
  [[nodiscard]] bool secure() const { return secure_; }
  // What the server calls itself in its reply to EHLO, LHLO or HELO.
  [[nodiscard]] const std::string& server_name() const { return server_name_; }
  // QUIT; phase closed, nothing more is read.
  void quit();
  // Phase ready, at least one transaction done or none: a further one is within the server's
  // MAILMAX.
  [[nodiscard]] bool reusable() const;
  [[nodiscard]] std::uint64_t transactions() const { return transactions_; }
  // True once anything at all was received in this transaction: an idle connection that the server
  // had given up ends before that, and its transaction can be tried again at once.
  [[nodiscard]] bool heard() const { return heard_; }

  // A transaction

  // Begins one: RSET if the last one left something behind, XCLIENT and EHLO or XFORWARD as far as they are wanted and
  // offered, MAIL
  // with the parameters that are offered. Phase must be ready. Refused here, without a word to the
  // server: SMTPUTF8 needed and not offered 5.6.7, REQUIRETLS 5.7.30, larger than the server's
  // SIZE 5.3.4, 8-bit if so configured 5.6.3. The recipients of `envelope` are not looked at. It
  // isn't kept.
  void mail(const Envelope& envelope);
  // Adds a recipient and gives its index in results(). Before begin_body().
  std::size_t rcpt(const Recipient& recipient);

  [[nodiscard]] const std::optional<Status>& mail_status() const { return mail_; }
  // The reply to this RCPT; nothing while it is awaited.
  [[nodiscard]] const std::optional<Status>& rcpt_status(std::size_t index) const {
    return rcpts_[index].reply;
  }
  // The server's own reply code; 0 if the status is ours.
  [[nodiscard]] int mail_code() const { return mail_code_; }
  [[nodiscard]] int rcpt_code(std::size_t index) const { return rcpts_[index].code; }
  [[nodiscard]] std::size_t rcpt_count() const { return rcpts_.size(); }
  // All of MAIL and RCPT are answered.
  [[nodiscard]] bool envelope_answered() const { return unanswered_ == 0; }
  // Recipients that the server has accepted so far and that have no final status.
  [[nodiscard]] std::size_t accepted() const;

  // The body comes now: asks for it (DATA), or nothing (CHUNKING: BDAT).
  void begin_body();
  // Octets are welcome: 354 is here, or CHUNKING makes them part of the group. False also when
  // nobody is left to receive them: look at body_wanted().
  [[nodiscard]] bool body_open() const;
  // False once it is certain that no recipient takes the message: send no more of it. end_body()
  // isn't needed then.
  [[nodiscard]] bool body_wanted() const;
  // Octets of the message are on their way, or were.
  [[nodiscard]] bool body_begun() const { return body_begun_; }
  // A piece of the message, CRLF lines, encoded into output(). Stray CR and LF become spaces.
  // Pieces may be cut anywhere. With CHUNKING each is a BDAT of its own: let them be large.
  void body(std::string_view piece, LastPiece last);
  // Every recipient has its status and no reply is awaited: phase ready or closed. Call results().
  [[nodiscard]] bool finished() const;
  // One Status a recipient, in the order of rcpt(). Meaningful when finished().
  [[nodiscard]] std::vector<Status> results() const;
  // The code that goes with the recipient's result, where it is the server's word about the message
  // (to DATA, to a chunk, to the end); 0 if it is not.
  [[nodiscard]] int final_code(std::size_t index) const { return rcpts_[index].final_code; }
  // Gives the transaction up, or ends one that came to nothing: phase ready, RSET goes before the
  // next MAIL. Between DATA and the end of the body that is impossible: phase closed. results() are
  // gone.
  void reset();

 private:
  enum class Awaited : std::uint8_t {
    greeting,
    ehlo,
    helo,
    starttls,
    auth,
    auth_user,
    auth_password,
    auth_token,    // its 334: the response is wanted
    auth_refused,  // what follows our answer to the reason
    ignored,       // RSET, XFORWARD, and what belongs to a transaction that was given up
    xclient,
    ehlo_again,  // behind XCLIENT
    mail,
    rcpt,
    data,
    chunk,
    last_chunk,
    dot,
    empty_dot,
  };
  struct Command {
    Awaited awaited;
    std::size_t rcpt;
    std::string held;  // its line while it waits for the reply before
  };
  struct Fate {
    std::optional<Status> reply;  // to RCPT
    std::optional<Status> final;  // what became of it
    int code = 0;                 // of the reply to RCPT
    int final_code = 0;           // of the reply that decided about the message
  };
  enum class BodyState : std::uint8_t { none, asked, open, ended };

  // client.cc: the connection
  void say(Awaited awaited, std::string_view line, std::size_t rcpt = 0);
  void send_held();
  void handle(const Reply& reply);
  void on_greeting(const Reply& reply);
  void on_hello(Awaited awaited, const Reply& reply);
  void on_starttls(const Reply& reply);
  void on_xclient(const Reply& reply);
  void on_hello_again(const Reply& reply);
  void on_auth(Awaited awaited, const Reply& reply);
  void after_hello();
  void say_hello(Awaited awaited);
  void say_auth();
  void say_token();
  void close(Status why);
  void on_unasked(const Reply& reply);
  [[nodiscard]] std::string_view awaited_now() const;
  [[nodiscard]] Status status_of(const Reply& reply) const;
  [[nodiscard]] Status own(EnhancedStatus code, std::string_view words) const;
  [[nodiscard]] Status nonsense(const Reply& reply) const;

  // client_transaction.cc: one message
  [[nodiscard]] std::optional<Status> refusal(const Envelope& envelope) const;
  void introduce(const Envelope& envelope);
  void on_mail(const Reply& reply);
  void on_rcpt(std::size_t index, const Reply& reply);
  void on_data(const Reply& reply);
  void on_chunk(const Reply& reply);
  // True if no further reply to this command is to come.
  bool on_last(const Reply& reply);
  void refuse_mail(Status status);
  void drop_held();
  void settle_accepted(const Status& status, int code);
  void settle_everyone(const Status& status);
  void append_chunk(std::string_view piece, LastPiece last);

  ClientOptions options_;
  Phase phase_ = Phase::opening;
  std::string output_;
  ReplyParser parser_;
  ServerExtensions extensions_;
  std::string server_name_;
  std::string introduced_;  // the XCLIENT line that the server has taken, or is asked to
  Status trouble_;
  bool secure_ = false;
  bool starttls_refused_ = false;

  std::deque<Command> commands_;  // sent and unanswered, then held back
  std::size_t sent_ = 0;          // how many of them are on their way

  std::optional<Status> mail_;
  int mail_code_ = 0;
  std::vector<Fate> rcpts_;
  std::size_t unanswered_ = 0;  // MAIL and RCPTs without a reply
  std::size_t next_final_ = 0;  // LMTP: whose reply comes next
  BodyState body_ = BodyState::none;
  Utf8 utf8_ = Utf8::refused;  // this MAIL said SMTPUTF8
  bool dirty_ = false;         // the server may still hold a transaction
  bool body_begun_ = false;    // octets of it went out
  bool carried_cr_ = false;    // a piece ended in CR: it waits for its LF
  bool heard_ = false;
  std::uint64_t transactions_ = 0;
  TokenResponse token_;  // the one that was said
  std::optional<DotEncoder> dots_;
};

}  // namespace posthorn::smtp
