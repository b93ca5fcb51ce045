// The client's side of IMAP: one connection. Sans I/O: the driver writes what output() holds, feeds what it reads, and takes the
// events one after the other.
//
//   greeting --> not_authenticated <-> handshake (STARTTLS)     (any) --> closed
//       |               |
//       +--PREAUTH--> authenticated <--SELECT--> selected
//
// Commands are queued with send() and go out as soon as RFC 9051 5.5 lets them: see request.h. Octets of FETCH's bodies are
// handed on as they come and never held.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "libmail/imap/client/fetch_tracker.h"
#include "libmail/imap/client/request.h"
#include "libmail/imap/client/view.h"

namespace posthorn::imap::client {

struct CoreOptions {
  Limits limits = Limits::of_client();
  // Literals in FETCH bodies of more octets than this are streamed; smaller ones are in Fetched::bodies. 0: all are streamed.
  std::size_t keep_bodies = 0;
  std::size_t most_remembered = 2'000'000;  // View

  CoreOptions() = default;
};

// Which command an event belongs to.
using CommandId = std::uint64_t;

// A command has its tagged answer. Its untagged data came before, each as an event.
struct Done {
  CommandId id = 0;
  StatusText status;
};
// "+": of a Request that `continues`, or whose octets are welcome now.
struct Continuation {
  CommandId id = 0;
  std::string text;  // base64 if it is SASL's
};
struct Untagged {
  Response data;
};
struct BodyBegins {
  std::uint32_t number = 0;
  std::uint32_t uid =
      0;  // as far as it is known by now: from the response, else from the view; 0 if not
  FetchItem item;
  std::uint64_t size = 0;
};
struct BodyOctets {
  std::string_view octets;  // valid until the next call of the core
};
struct BodyEnds {};
struct StartTls {};  // OK to STARTTLS: shake hands, then secured(). What was read behind it is gone
// The connection is over: BYE, nonsense, lost(). Commands without an answer end with it, no Done follows.
struct Closed {
  std::string why;
};
using Event =
    std::variant<Untagged, Done, Continuation, BodyBegins, BodyOctets, BodyEnds, StartTls, Closed>;

class Core {
 public:
  enum class Phase : std::uint8_t {
    greeting,
    not_authenticated,
    handshake,
    authenticated,
    selected,
    closed
  };

  explicit Core(CoreOptions options);

  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] std::string& output() { return output_; }
  // Octets from the server, in any cut. Take all events before the next: they point into them.
  void feed(std::string_view octets);
  // Nothing: read more.
  [[nodiscard]] std::optional<Event> next();
  // What was fed and not looked at: behind the OK to COMPRESS it is compressed.
  [[nodiscard]] std::string take_rest() { return std::string(std::exchange(input_, {})); }
  // TLS stands: capabilities and all that was read in clear are forgotten (RFC 9051 6.2.1).
  void secured();
  // The connection broke, or a deadline passed: "lost connection".
  void lost(std::string_view why);

  CommandId send(Request request);
  // Octets of the APPEND whose Continuation came (or whose Request doesn't wait); exactly as many as announced in all.
  void octets(std::string_view piece);
  // Fewer can't be sent: the connection must be closed then.
  [[nodiscard]] std::uint64_t octets_left() const { return octets_left_; }
  // The answer to a Continuation: a SASL response in octets; "*" to give up.
  void respond(std::string_view octets);
  void cancel_exchange();
  void done_idling();
  // In IDLE, between its "+" and DONE.
  [[nodiscard]] bool idling() const { return idling_; }
  // The octets of this APPEND may go now: after its Continuation, or at once if it needn't wait.
  [[nodiscard]] bool may_send_octets(CommandId id) const;
  // Nothing is under way, nothing waits.
  [[nodiscard]] bool idle() const { return sent_.empty() && waiting_.empty(); }

  [[nodiscard]] const Capabilities& capabilities() const { return capabilities_; }
  // The server has said them since TLS or log-in; if not, ask CAPABILITY.
  [[nodiscard]] bool capabilities_known() const { return capabilities_known_; }
  [[nodiscard]] Manner manner() const { return Manner(capabilities_, utf8_); }
  [[nodiscard]] bool is_enabled(std::string_view capability) const;
  [[nodiscard]] bool secure() const { return secure_; }
  [[nodiscard]] const StatusText& greeting() const { return greeting_; }

  // Meaningful in phase selected.
  [[nodiscard]] const Selected& mailbox() const { return mailbox_; }
  [[nodiscard]] const View& view() const { return view_; }
  // Why the phase is closed.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  struct Sent {
    CommandId id = 0;
    std::string tag;
    Request request;
    std::size_t written = 0;     // octets of its text that went out
    std::size_t next_break = 0;  // index in request.breaks
    bool octets_welcome = false;
  };

  // client.cc: what goes out
  void push();
  [[nodiscard]] bool may_start(const Request& request) const;
  void write_on(Sent& command);
  [[nodiscard]] bool writing() const;
  void begins(const Request& request);
  // client_responses.cc: what comes in
  [[nodiscard]] std::optional<Event> step();
  [[nodiscard]] std::optional<Event> on_literal();
  [[nodiscard]] std::optional<Event> on_line();
  [[nodiscard]] std::optional<Event> on_tagged(const std::string& tag, StatusText status);
  [[nodiscard]] std::optional<Event> on_continuation(std::string_view line);
  [[nodiscard]] std::optional<Event> on_untagged(Response data);
  [[nodiscard]] std::optional<Event> on_greeting(const StatusText& status);
  [[nodiscard]] bool apply(const Response& data);  // false: it cannot be
  void apply_code(const ResponseCode& code);
  void after(const Sent& command, const StatusText& status);
  void close(std::string why);

  CoreOptions options_;
  Phase phase_ = Phase::greeting;
  std::string output_;
  std::string_view input_;
  LineReader reader_;
  FetchTracker tracker_;
  bool body_ends_ = false;
  bool closed_said_ = false;

  std::deque<std::pair<CommandId, Request>> waiting_;
  std::deque<Sent> sent_;
  CommandId next_id_ = 1;
  std::uint64_t octets_left_ = 0;
  std::string octets_tail_;  // what ends the command whose octets are being sent
  bool idling_ = false;

  Capabilities capabilities_;
  bool capabilities_known_ = false;
  std::vector<std::string> enabled_;
  bool utf8_ = false;
  bool secure_ = false;
  StatusText greeting_;
  std::string trouble_;
  std::string bye_;

  Selected mailbox_;
  bool selecting_ = false;
  View view_;
};

}  // namespace posthorn::imap::client
