// The client's side of POP3 (RFC 1939, 2449, 2595, 5034, 6856, 3206). Sans I/O: the driver writes output(), feeds what it reads,
// takes the events one after the other. Commands are pipelined if the server offers it, else one at a time.
//
//   greeting --> authorization <-> handshake (STLS)      (any) --> closed
//                     |
//                     +--logged in--> transaction --QUIT--> closed
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "libmail/pop3/body.h"
#include "libmail/pop3/reply.h"

namespace posthorn::pop3 {

struct ClientLimits {
  std::size_t line = 64 * 1024;                // of a reply or a line of a list
  std::size_t list = 1'000'000;                // lines of LIST or UIDL
  std::size_t list_octets = 64 * 1024 * 1024;  // and all of them
  std::size_t capabilities = 1000;             // lines of CAPA

  ClientLimits() = default;
};

struct ServerCapabilities {
  bool known = false;  // CAPA was answered with +OK
  bool top = false;
  bool user = false;
  bool uidl = false;
  bool stls = false;
  bool pipelining = false;
  bool utf8 = false;
  std::vector<std::string> mechanisms;  // of SASL, upper case

  ServerCapabilities() = default;
};

using RequestId = std::uint64_t;

// A command is answered. The lines or octets of its answer came before.
struct Answered {
  RequestId id = 0;
  Reply reply;
};
struct AnswerLine {  // of LIST, UIDL, CAPA
  RequestId id = 0;
  std::string text;
};
struct MessageOctets {  // of RETR and TOP, dots taken off
  RequestId id = 0;
  std::string octets;
};
struct Challenge {  // SASL's "+ ", still in base64
  RequestId id = 0;
  std::string text;
};
struct Secure {};  // +OK to STLS: shake hands, then secured(). What was read behind it is gone
struct Ended {
  std::string why;
};
using ClientEvent = std::variant<Answered, AnswerLine, MessageOctets, Challenge, Secure, Ended>;

class ClientCore {
 public:
  enum class Phase : std::uint8_t { greeting, authorization, handshake, transaction, closed };
  // What follows +OK.
  enum class Answer : std::uint8_t { line, list, message };

  explicit ClientCore(ClientLimits limits = ClientLimits()) : limits_(limits) {}

  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] std::string& output() { return output_; }
  // In any cut. Take all events before the next.
  void feed(std::string_view octets) { input_ = octets; }
  // Nothing: read more.
  [[nodiscard]] std::optional<ClientEvent> next();
  void secured();
  void lost(std::string_view why);

  // `line` without its end: "RETR 1". What it has must not hold CR or LF: it is refused as if by the server.
  RequestId send(std::string line, Answer answer = Answer::line);
  // USER, PASS and the rest of a log-in: success of the last one begins the transaction.
  RequestId send_login(std::string line);
  // The answer to a Challenge, in octets; or "*".
  void respond(std::string_view octets);
  void cancel_exchange() { output_ += "*\r\n"; }

  [[nodiscard]] const Reply& greeting() const { return greeting_; }
  [[nodiscard]] const ServerCapabilities& capabilities() const { return capabilities_; }
  [[nodiscard]] bool secure() const { return secure_; }
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  enum class Kind : std::uint8_t { plain, login, stls, capa, quit };
  struct Command {
    RequestId id = 0;
    std::string line;
    Answer answer = Answer::line;
    Kind kind = Kind::plain;
  };

  RequestId queue(std::string line, Answer answer, Kind kind);
  void push();
  [[nodiscard]] std::optional<std::string> take_line();
  [[nodiscard]] std::optional<ClientEvent> on_line(const std::string& line);
  [[nodiscard]] std::optional<ClientEvent> on_reply(const Reply& reply);
  [[nodiscard]] std::optional<ClientEvent> on_list_line(std::string line);
  [[nodiscard]] std::optional<ClientEvent> take_message();
  [[nodiscard]] ClientEvent finish(Reply reply);
  void note_capability(std::string_view line);
  void close(std::string why);

  ClientLimits limits_;
  Phase phase_ = Phase::greeting;
  std::string output_;
  std::string_view input_;
  std::string line_;  // begun
  std::deque<Command> commands_;
  std::size_t sent_ = 0;
  RequestId next_id_ = 1;
  bool inside_ = false;  // +OK was heard, its lines or octets come
  Reply first_;          // that +OK
  std::size_t lines_ = 0;
  std::size_t list_octets_ = 0;
  BodyDecoder decoder_;
  Reply greeting_;
  ServerCapabilities capabilities_;
  ServerCapabilities heard_;  // while CAPA is answered
  bool secure_ = false;
  bool ended_said_ = false;
  std::string trouble_;
};

}  // namespace posthorn::pop3
