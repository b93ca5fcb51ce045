// SMTP and LMTP to another host or agent: ClientCore on a Stream, with deadlines, TLS and
// connection reuse.
//
// Two ways to use one. Whole: deliver() does everything, connects when it has to, and gives one
// Status a recipient whatever happens; queued, sendmail. In steps: open(), mail(), rcpt(),
// begin_body(), body(), end_body() while a transaction arrives from somewhere else; relayd, the
// next hop of an intake. One transaction at a time, one caller at a time; to be parallel have more
// of them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/async/endpoint.h"
#include "libmail/async/stream.h"
#include "libmail/smtp/client.h"
#include "libmail/tls/tls.h"

namespace posthorn::session {

// "smtp:inet:HOST:PORT", "smtp:unix:PATH", "lmtp:inet:HOST:PORT", "lmtp:unix:PATH".
struct NextHop {
  smtp::ClientDialect dialect = smtp::ClientDialect::smtp;
  async::Endpoint endpoint;

  NextHop() = default;
  NextHop(smtp::ClientDialect speaks, async::Endpoint where)
      : dialect(speaks), endpoint(std::move(where)) {}
  [[nodiscard]] std::string text() const;
  bool operator==(const NextHop&) const = default;
};
// The error says what is wrong with `text` and what is expected.
[[nodiscard]] Result<NextHop, std::string> parse_next_hop(std::string_view text);

// RFC 5321 4.5.3.2, each wait on its own. The caller's deadline ends all of them.
struct SmtpClientTimeouts {
  Duration connect = std::chrono::seconds(30);
  Duration greeting = std::chrono::minutes(5);
  Duration command = std::chrono::minutes(5);  // EHLO, MAIL, RCPT, and TLS's handshake
  Duration data = std::chrono::minutes(2);     // the 354
  Duration block = std::chrono::minutes(3);    // a write
  Duration final = std::chrono::minutes(10);   // the reply to the end of the body

  SmtpClientTimeouts() = default;
};

struct SmtpClientOptions {
  // name, remote_name, remote_address, tls, login; `dialect` is taken from the NextHop
  smtp::ClientOptions core;
  std::shared_ptr<tls::ClientContext> tls_context;  // needed for any TlsLevel but never
  std::string tls_name;  // SNI, and what the certificate must be good for if the context verifies
  bool implicit_tls = false;   // TLS before the greeting (RFC 8314), whatever core.tls says
  std::string source_address;  // "" = the kernel's choice
  std::string
      preamble;  // the first octets of a connection, before TLS and the greeting: a PROXY header
  SmtpClientTimeouts timeouts;

  SmtpClientOptions() = default;
};

// A message that is at hand whole: in memory, or a stretch of an open file (queue/spool). Neither
// is owned.
struct WholeBody {
  std::string_view octets;
  int fd = -1;  // >= 0: read from here, octets is empty
  std::uint64_t offset = 0;
  std::uint64_t size = 0;

  explicit WholeBody(std::string_view in_memory) : octets(in_memory), size(in_memory.size()) {}
  WholeBody(int file, std::uint64_t from, std::uint64_t length)
      : fd(file), offset(from), size(length) {}
};

class SmtpClient {
 public:
  // Up to this size the body goes out with MAIL and RCPT in one group if the server offers
  // CHUNKING; a larger one waits for the RCPT replies, so that it isn't sent for nothing.
  static constexpr std::uint64_t grouped_body = 64 * 1024;

  SmtpClient(NextHop hop, SmtpClientOptions options);
  ~SmtpClient();  // closes without a QUIT; no call of ours may be waiting
  SmtpClient(const SmtpClient&) = delete;
  SmtpClient& operator=(const SmtpClient&) = delete;

  // Whole

  // One transaction for all recipients of `envelope`; one Status each, in their order. Opens the
  // connection if there is none that can be used; one that was kept and turns out to have been
  // given up by the server is replaced once. `envelope` and what `body` points to stay valid until
  // it returns. A body file that can't be read gives 4.3.0.
  async::Task<std::vector<smtp::Status>> deliver(const smtp::Envelope& envelope, WholeBody body,
                                                 async::Deadline deadline);

  // In steps

  // Connects, shakes hands, logs in: on success connected() holds. The error is 4.4.1 (no
  // connection), 4.4.2 (lost), 4.7.4 (no TLS), or what the server said. With
  // TlsLevel::opportunistic a handshake that fails is followed by a second connection in clear.
  async::Task<Result<void, smtp::Status>> open(async::Deadline deadline);
  // The same over a stream that is there already (tests, socketpairs, relayd's own connect). Such a
  // client can't reconnect.
  async::Task<Result<void, smtp::Status>> open_on(std::unique_ptr<async::Stream> stream,
                                                  async::Deadline deadline);
  // Usable for a transaction now, as far as can be known without asking: a server that said goodbye is noticed.
  [[nodiscard]] bool connected() const;

  // The connection ended before MAIL was accepted: nothing can have been delivered. For one that was kept, a reason to
  // open() it again and say MAIL once more.
  [[nodiscard]] bool given_up_while_idle() const;
  // After deliver() or finish(): the server had accepted this recipient, so its status is about the message. False: MAIL,
  // RCPT or DATA was refused or never said, and another host may still take it.
  [[nodiscard]] bool was_accepted(std::size_t index) const {
    return index < accepted_.size() && accepted_[index];
  }

  // Each waits for the reply. Success is a Status too. connected() must have held before mail().
  async::Task<smtp::Status> mail(const smtp::Envelope& envelope, async::Deadline deadline);
  async::Task<smtp::Status> rcpt(const smtp::Recipient& recipient, async::Deadline deadline);
  // MAIL and all RCPTs of `envelope` in one group, answered; true if at least one recipient was
  // accepted. The statuses: core().mail_status(), core().rcpt_status(i).
  async::Task<bool> say_envelope(const smtp::Envelope& envelope, async::Deadline deadline);
  // DATA and its 354, or nothing with CHUNKING. False if nobody takes the message: finish().
  async::Task<bool> begin_body(async::Deadline deadline);
  // A piece of the message, sent. False once nobody takes it: stop, finish(). The octets stay valid
  // until it returns.
  async::Task<bool> body(std::string_view piece, async::Deadline deadline);
  // The end of the body and its replies; or what is left to wait for if the body didn't begin. One
  // Status a recipient.
  async::Task<std::vector<smtp::Status>> finish(async::Deadline deadline);
  // Gives up a transaction whose body has not begun; in the middle of a body it closes the
  // connection.
  void reset();

  // QUIT without waiting for the answer, and close.
  async::Task<void> quit(async::Deadline deadline);
  // Ends it now: a call that waits returns with a 4.4.2 status.
  void close();

  [[nodiscard]] const smtp::ClientCore& core() const { return *core_; }
  [[nodiscard]] const NextHop& hop() const { return hop_; }
  [[nodiscard]] const std::string& preamble() const { return options_.preamble; }
  // Facts of the TLS session; nothing in clear.
  [[nodiscard]] const tls::Facts* tls_facts() const;
  // Transactions done on this connection.
  [[nodiscard]] std::uint64_t transactions() const { return core_->transactions(); }

 private:
  async::Task<Result<void, smtp::Status>> connect_once(smtp::TlsLevel tls,
                                                       async::Deadline deadline);
  async::Task<Result<void, smtp::Status>> hello(async::Deadline deadline);
  async::Task<bool> shake_hands(async::Deadline deadline);
  async::Task<void> say_mail_and_rcpts(const smtp::Envelope& envelope, async::Deadline deadline);
  async::Task<void> transact(const smtp::Envelope& envelope, WholeBody body,
                             async::Deadline deadline);
  async::Task<void> send_octets(std::string_view octets, async::Deadline deadline);
  async::Task<void> send_file(WholeBody body, async::Deadline deadline);
  async::Task<bool> send_piece(std::string_view piece, smtp::LastPiece last,
                               async::Deadline deadline);
  async::Task<std::vector<smtp::Status>> settle(async::Deadline deadline);
  async::Task<void> pump(Duration wait, async::Deadline deadline);
  async::Task<void> flush(async::Deadline deadline);
  async::Task<void> read_some(async::Deadline deadline);
  async::Task<void> hear_last_words();
  void start(smtp::TlsLevel tls);

  NextHop hop_;
  SmtpClientOptions options_;
  std::unique_ptr<smtp::ClientCore> core_;
  std::unique_ptr<async::Stream> stream_;
  tls::TlsStream* tls_ = nullptr;  // stream_ as what it is
  async::Buffer input_;
  std::string gathered_;  // message octets that wait for more, so that a small piece is no write
  bool body_begun_ = false;
  std::vector<bool> accepted_;
  bool handshake_failed_ = false;
};

}  // namespace posthorn::session
