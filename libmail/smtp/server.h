// The server's side of SMTP and LMTP without sockets: octets in, events out, replies in, octets
// out.
//
//   core.start();                                  greeting into output()
//   core.feed(octets);                             they must stay where they are until need_input
//   switch (core.next()) {
//     case Event::need_input: write output(), read more
//     case Event::rcpt:       core.answer(reply) ...
//
// RFC 5321, 2033 (LMTP), 2920 (PIPELINING), 1870 (SIZE), 6152 (8BITMIME), 6531 (SMTPUTF8), 3030
// (CHUNKING), 3461 (DSN), 2034, 3207 (STARTTLS), 4954 (AUTH), 8689 (REQUIRETLS), 9422 (LIMITS),
// XFORWARD, XCLIENT. Everything that changes the state of a session is in server.cc and server_commands.cc;
// a transaction is one optional<Envelope>, so half a reset can't be written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/smtp/command.h"
#include "libmail/smtp/dot.h"
#include "libmail/smtp/envelope.h"
#include "libmail/smtp/reply.h"

namespace posthorn::smtp {

enum class Protocol : std::uint8_t { smtp, lmtp };

struct ServerLimits {
  std::size_t command_line = 4096;  // octets with CRLF; RFC 5321's 512 plus all extensions
  std::size_t auth_line = 12288;    // RFC 4954 4
  std::size_t body_line = default_body_line;
  std::uint64_t message_size = 64ULL << 20;  // announced by SIZE; 0 = no limit
  std::uint64_t discarded = 256ULL << 20;    // of a refused body, before we hang up
  std::size_t recipients = 1000;             // of one transaction; more get 452 4.5.3
  std::size_t transactions = 1000;           // MAILs of one session (LIMITS MAILMAX)
  std::size_t errors = 20;                   // syntax and sequence errors of one session
  std::size_t errors_in_a_row = 100;         // the same, of a peer that is one of us
  std::size_t refused_recipients = 100;      // 5xx to RCPT in one session
  std::size_t idle_commands = 100;  // in a row, that bring no message on its way (NOOP, RSET, VRFY)
  std::size_t auth_attempts = 5;    // failed AUTHs of one session

  ServerLimits() = default;
};

// What this server is and offers. Held by the session, so a reload doesn't touch sessions that run.
struct ServerSettings {
  Protocol protocol = Protocol::smtp;
  std::string hostname = "localhost";
  std::string greeting = "Posthorn";  // behind "220 mx.example.org ESMTP"
  bool smtputf8 = true;
  bool chunking = true;
  bool dsn = true;
  bool requiretls = false;         // offered over TLS, and to a peer that is one of us
  bool starttls = false;           // a TLS context is there
  bool starttls_required = false;  // 530 to all but EHLO, NOOP, STARTTLS, QUIT before TLS
  bool auth_in_clear = false;      // AUTH without TLS
  bool auth_required = false;      // 530 5.7.0 to MAIL, VRFY, EXPN before AUTH
  bool xforward = false;           // the peer is a Unix socket
  bool xclient = false;            // the peer is a proxy that we believe
  bool unlimited =
      false;  // a peer that is one of us: limits on one message and errors_in_a_row hold
  ServerLimits limits;

  ServerSettings() = default;
};

struct TlsInfo {
  std::string version;  // "TLSv1.3"
  std::string cipher;   // "TLS_AES_256_GCM_SHA384"
  int bits = 0;

  TlsInfo() = default;
  TlsInfo(std::string v, std::string c, int b)
      : version(std::move(v)), cipher(std::move(c)), bits(b) {}
};

// What is known of the session, for policies, Received fields and logs.
struct SessionInfo {
  Client client;  // the peer itself (name, address, port, local), with helo and protocol once said
  bool extended = false;  // EHLO or LHLO
  bool lmtp = false;
  std::optional<TlsInfo> tls;
  std::string user;          // authenticated
  std::string mechanism;     // of its AUTH; empty behind XCLIENT LOGIN
  std::string reverse_name;  // what XCLIENT says of the client's reverse DNS name, verified or not
  // Our end of the connection, or of the proxy's (XCLIENT DESTADDR, DESTPORT); "" and 0: a Unix socket.
  std::string server_address;
  std::uint16_t server_port = 0;
  bool forwarded = false;  // the envelope's client came by XFORWARD

  SessionInfo() = default;
};

enum class Event : std::uint8_t {
  need_input,  // everything fed is used up
  hello,       // answer(): a negative reply refuses the client; set_auth_mechanisms() before
  mail,        // envelope(): answer()
  rcpt,        // recipient(): answer(); a positive one adds it to envelope().recipients
  data,        // DATA or the first BDAT: answer(); 2xx or 3xx = send it
  body,  // octets(): message octets, at most what was fed; refuse_body() if they can't be taken
  message_end,  // answer_message(): one reply, for LMTP one per recipient
  reset,        // the transaction is gone (RSET, refused body; last_reply()); nothing to answer
  refused,      // a command was wrong and is answered: octets() its verb, last_reply(); for the log
  auth,         // auth_mechanism(), auth_initial(): challenge(), authenticated() or refuse_auth()
  auth_response,   // octets(), decoded: the same
  auth_cancelled,  // the client sent "*" or no base64; answered already
  start_tls,       // write output(), shake hands, then tls_started(); close if that fails
  vrfy,            // octets(): answer()
  expn,            // octets(): answer()
  xclient,         // session() is of another client: answer(), a positive reply greets it
  close,           // write output() and hang up: QUIT, or too much of something
};

class ServerCore {
 public:
  // `peer`: name, address, port and local of the client.
  ServerCore(ServerSettings settings, Client peer);

  void set_server(std::string address, std::uint16_t port);  // our end, before start()
  void begin_with_tls(TlsInfo tls);                          // implicit TLS, before start()
  void start();                                              // 220
  void start_refusing(const Reply& why);  // 554 or 421 as greeting; commands but QUIT get 503 5.5.1
  void feed(std::string_view octets);     // only after need_input
  [[nodiscard]] Event next();             // only when the last event is answered

  // 421 and 521 close the channel (RFC 5321 3.8, 7504): the next event is `close`.
  void answer(const Reply& reply);
  void answer_message(const std::vector<Reply>& replies);
  // During `body`: the rest is read and thrown away, and `why` is the answer at its end.
  void refuse_body(const Reply& why);
  void challenge(std::string_view octets);  // "334 " and base64
  void authenticated(std::string user);     // 235
  void refuse_auth(const Reply& why);
  void tls_started(TlsInfo tls);  // RFC 3207 4.2: all that the client said is forgotten
  void set_auth_mechanisms(std::vector<std::string> names);  // for EHLO and AUTH
  // 421 at the next command, and close: the daemon ends, or the client was silent too long.
  void shut_down(const Reply& why);

  // What is to be written; take it, clear it. Replies to pipelined commands gather here.
  [[nodiscard]] std::string& output() { return output_; }
  [[nodiscard]] Envelope& envelope() { return *envelope_; }
  [[nodiscard]] bool in_transaction() const { return envelope_.has_value(); }
  [[nodiscard]] Recipient& recipient() { return recipient_; }
  [[nodiscard]] std::string_view octets() const { return octets_; }
  [[nodiscard]] const std::string& auth_mechanism() const { return auth_.mechanism; }
  [[nodiscard]] const std::optional<std::string>& auth_initial() const { return auth_.initial; }
  [[nodiscard]] const SessionInfo& session() const { return session_; }
  [[nodiscard]] const ServerSettings& settings() const { return settings_; }
  // The last reply that went out, for the log.
  [[nodiscard]] const Reply& last_reply() const { return last_reply_; }
  // What the session waits for: a command, message octets, or an answer to a challenge. For
  // timeouts.
  [[nodiscard]] bool reading_body() const;
  [[nodiscard]] bool mid_line() const { return !partial_.empty() || skipped_ > 0; }

 private:
  enum class Phase : std::uint8_t { command, data, chunk, auth, closed };
  // What the next answer belongs to.
  enum class Pending : std::uint8_t {
    none,
    xclient,
    hello,
    mail,
    rcpt,
    data,
    message_end,
    auth,
    tls,
    query
  };
  // A step of the machine: an event for the driver, or nothing: go on.
  using Step = std::optional<Event>;

  // server.cc: the input in its phases.
  Step next_command();
  Step next_data();
  Step next_chunk();
  Step next_auth();
  Step take_body(std::string_view octets, std::size_t used);
  Step end_of_chunk();
  Step end_of_body();
  Step drop_transaction();
  void begin_body();
  void put_for_body(const Reply& reply);
  [[nodiscard]] const Reply* body_refusal() const;
  Step syntax_error(const SyntaxError& error);
  Step refuse(const Reply& reply);
  void count_error();
  Step hang_up(const Reply& reply);
  enum class Line : std::uint8_t { none, whole, too_long, bad_end, endless };
  Line take_line(std::string_view& line, std::size_t limit);
  void put(const Reply& reply);

  // server_commands.cc: what each command does.
  Step on(Helo& command);
  Step on(Ehlo& command);
  Step on(Lhlo& command);
  Step on(Mail& command);
  Step on(Rcpt& command);
  Step on(Data& command);
  Step on(Bdat& command);
  Step on(Rset& command);
  Step on(Noop& command);
  Step on(Vrfy& command);
  Step on(Expn& command);
  Step on(Help& command);
  Step on(Quit& command);
  Step on(StartTls& command);
  Step on(Auth& command);
  Step on(Xforward& command);
  Step on(Xclient& command);
  Step run(Command& command);
  Step hello(std::string& name, bool extended);
  Step query(std::string& argument, Event event);
  Step idle(const Reply& reply);
  [[nodiscard]] const Reply* mail_refusal(const Mail& command) const;
  [[nodiscard]] const Reply* body_not_allowed() const;
  void make_envelope(Mail& command);
  bool forward(const std::string& name, const std::string& value, Client& client);
  void put_greeting();
  void put_hello();

  ServerSettings settings_;
  SessionInfo session_;
  std::vector<std::string> mechanisms_;
  std::string output_;
  Reply last_reply_;

  std::string_view input_;  // fed and not yet used
  std::string partial_;     // the beginning of a line whose end has not been fed
  std::string storage_;     // behind octets_, when they are not in what was fed
  std::string_view octets_;
  std::uint64_t skipped_ = 0;  // of a line that is too long

  Phase phase_ = Phase::command;
  Pending pending_ = Pending::none;
  std::optional<Event> then_;     // behind the event that was given last
  bool greeted_ = false;          // HELO, EHLO or LHLO
  bool refusing_ = false;         // start_refusing()
  std::optional<Reply> goodbye_;  // shut_down()

  std::optional<Envelope> envelope_;  // the transaction
  Recipient recipient_;               // of the RCPT that is being asked about
  Auth auth_;
  std::optional<Client> forwarded_;  // XFORWARD, for the next transaction
  std::string forwarded_ident_;
  bool recipients_refused_ = false;  // in this transaction

  DotDecoder dots_;
  LineChecker lines_;
  std::uint64_t chunk_left_ = 0;
  bool chunk_last_ = false;
  bool in_chunks_ = false;  // BDAT was used in this transaction
  std::uint64_t body_octets_ = 0;
  std::uint64_t discarded_ = 0;
  std::optional<Reply> body_refused_;

  std::size_t errors_ = 0;
  std::size_t errors_in_a_row_ = 0;  // since the last command that was no error
  std::size_t refused_recipients_ = 0;
  std::size_t idle_commands_ = 0;
  std::size_t transactions_ = 0;
  std::size_t auth_failures_ = 0;
};

}  // namespace posthorn::smtp
