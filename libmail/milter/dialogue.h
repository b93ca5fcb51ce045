// One connection to a filter, from the negotiation to its end, without a socket.
//
//   dialogue.negotiate();              or any other step: its octets are in output()
//   while (dialogue.waiting()) {       the filter owes an answer
//     write and clear output(); read; dialogue.feed(octets);
//   }
//   dialogue.problem()                 not empty: the filter is of no use any more
//   dialogue.verdict()                 what it said
//
// A step that the filter does without, or that its earlier verdict has made pointless, adds nothing to output() and
// gives `carry_on`; so does one that it takes without an answer. Order: negotiate, connect, hello, then for each
// message mail, rcpt*, data, field*, end_of_header, body*, end_of_message, or abort in place of the next of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/milter/answer.h"
#include "libmail/milter/packet.h"
#include "libmail/milter/protocol.h"

namespace posthorn::milter {

struct Macro {
  std::string name;  // "i", "{mail_addr}"
  std::string value;

  Macro() = default;
  Macro(std::string key, std::string what) : name(std::move(key)), value(std::move(what)) {}
};
using Macros = std::vector<Macro>;

// Where the client is.
struct ClientAddress {
  char family = 'U';  // '4', '6'; 'U': not known, and there is nothing more
  std::uint16_t port = 0;
  std::string address;

  ClientAddress() = default;
};

class Dialogue {
 public:
  // `version`: the newest to be spoken, 2 to 6.
  Dialogue(std::uint32_t version, Limits limits);

  void negotiate();
  void connect(std::string_view host, const ClientAddress& client, const Macros& macros);
  void hello(std::string_view name, const Macros& macros);
  // `arguments`: the path in its brackets, then the parameters: "<ann@example.org>", "SIZE=1000".
  void mail(const std::vector<std::string>& arguments, const Macros& macros);
  void rcpt(const std::vector<std::string>& arguments, const Macros& macros);
  void data(const Macros& macros);
  // `value`: what stands behind the colon, folds included, CRLF or LF between lines, none at the end.
  void field(std::string_view name, std::string_view value);
  void end_of_header(const Macros& macros);
  void body(std::string_view octets);  // at most body_chunk
  void end_of_message(const Macros& macros);
  void abort();  // there is no answer
  void quit();   // nor here

  void feed(std::string_view octets);

  [[nodiscard]] std::string& output() { return output_; }
  [[nodiscard]] bool waiting() const { return problem_.empty() && pending_ != Pending::none; }
  // What is wrong with it, without its name; "" while nothing is.
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] const Verdict& verdict() const { return verdict_; }
  // True once behind each sign of progress: its time begins anew.
  [[nodiscard]] bool take_progress() { return std::exchange(progress_, false); }
  // What it wants changed, in its order, a new body left out.
  [[nodiscard]] std::vector<Change> take_changes() { return std::exchange(changes_, {}); }
  // Pieces of a new body that came since the last call. replaces_body(): there is one, which may be empty.
  [[nodiscard]] std::string take_body() { return std::exchange(body_, {}); }
  [[nodiscard]] bool replaces_body() const { return replaces_body_; }

  // After the negotiation.
  [[nodiscard]] const Agreement& agreement() const { return agreement_; }
  // Between mail() and the verdict that ends the message or abort(): an abort() is due.
  [[nodiscard]] bool in_message() const { return in_message_; }
  // It takes whatever else this connection, or this message, brings.
  [[nodiscard]] bool has_accepted_session() const { return session_settled_; }
  [[nodiscard]] bool is_settled() const { return session_settled_ || message_settled_; }
  // Whether body() would still send something.
  [[nodiscard]] bool wants_body() const;

 private:
  enum class Pending : std::uint8_t { none, negotiation, step };
  // A step of the protocol as this class handles them all.
  struct Step {
    Command command;
    std::uint32_t absent;  // the bit with which a filter does without it, 0: none can
    std::uint32_t silent;  // the bit with which it takes it without an answer, 0: never
    Stage stage;           // whose macros go before it
  };
  // Puts macros and the step; false if it is not wanted.
  bool begin(const Step& step, std::string_view data, const Macros* macros);
  void put_macros(const Step& step, const Macros& macros);
  [[nodiscard]] bool chose(Stage stage, std::string_view macro) const;
  void take(Answer answer);
  void agree(const Agreement& agreement);
  void change(Change change);
  void decide(const Verdict& verdict);
  void fail_with(std::string why);

  std::uint32_t version_;
  Limits limits_;
  PacketReader reader_;
  Agreement agreement_;
  std::string output_;
  Pending pending_ = Pending::none;
  Command asked_ = Command::negotiate;  // the step whose answer is awaited
  Verdict verdict_;
  std::vector<Change> changes_;
  std::size_t change_count_ = 0;
  std::size_t change_octets_ = 0;
  std::string body_;
  std::uint64_t body_octets_ = 0;
  bool replaces_body_ = false;
  bool progress_ = false;
  bool in_message_ = false;
  bool session_settled_ = false;
  bool message_settled_ = false;
  bool skips_fields_ = false;
  bool skips_body_ = false;
  std::string problem_;
};

}  // namespace posthorn::milter
