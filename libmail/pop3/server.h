// The server's side of a POP3 session, for both halves of pop3d: a front that only gets clients
// logged in, and a worker that has the maildrop. See README.md for the states.
//
//   core.feed(octets);
//   while (auto event = core.next()) { ... answer it ... }
//   write(core.take_output());
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libmail/pop3/body.h"
#include "libmail/pop3/command.h"
#include "libmail/pop3/reply.h"

namespace posthorn::pop3 {

struct Limits {
  std::size_t command =
      2048;  // octets of a line; RFC 2449 section 4 asks for 255, passwords may be longer
  std::size_t response = 16384;  // of a SASL response
  unsigned errors = 20;          // replies -ERR before the session is ended
  unsigned logins = 5;           // attempts
  unsigned before_login = 100;   // commands before log-in
  std::size_t read_ahead =
      65536;  // pipelined octets that may wait; the driver reads no more than this
};

struct Settings {
  Limits limits;
  bool can_stls = false;   // a certificate is there and TLS is not on yet
  bool plaintext = false;  // USER and PASS are taken: the connection is secured, or it is allowed
  std::vector<std::string> mechanisms;  // for AUTH, as they are to be listed
  bool delete_after_retr = false;       // EXPIRE 0: what was retrieved is deleted at QUIT
  bool refuse_utf8 = false;             // see README.md
  std::string implementation = "Posthorn";
  std::string greeting = "POP3 server ready";

  Settings() = default;
};

// What the core knows of the maildrop. Indexes count from 0 and never change.
class Messages {
 public:
  virtual ~Messages() = default;
  [[nodiscard]] virtual std::size_t count() const = 0;
  [[nodiscard]] virtual std::uint64_t size(std::size_t index) const = 0;  // with CRLF
  [[nodiscard]] virtual std::string_view uidl(std::size_t index) const = 0;
};

// What the driver must do now.
struct Event {
  enum class Kind {
    start_tls,      // write the output, shake hands, tls_started() or close
    login,          // user, password: logged_in() or refused()
    sasl_start,     // mechanism, initial: challenge(), logged_in() or refused()
    sasl_response,  // data: the same
    sasl_cancel,    // forget the exchange; nothing to answer
    retrieve,       // index: message_begins(), message_part()*, message_ends(), or refused() before
                    // message_begins()
    commit,  // delete what deleted() lists and mark retrieved(), then committed() or refused()
    close,   // write the output and close
  };
  Kind kind = Kind::close;
  std::string user;
  std::string password;
  std::string mechanism;
  std::optional<std::string> initial;
  std::string data;
  std::size_t index = 0;
  bool whole = true;  // retrieve: RETR, not TOP

  Event() = default;
  explicit Event(Kind what) : kind(what) {}
};

class ServerCore {
 public:
  // The greeting is in the output at once.
  explicit ServerCore(Settings settings);

  void feed(std::string_view octets);
  // What to do before more is read; nothing: write the output, read.
  [[nodiscard]] std::optional<Event> next();

  // What is to be written; hands it over.
  [[nodiscard]] std::string take_output() { return std::exchange(output_, {}); }
  [[nodiscard]] bool has_output() const { return !output_.empty(); }
  [[nodiscard]] std::size_t output_size() const { return output_.size(); }
  // What was fed and not looked at: after a log-in in a front it is the worker's.
  [[nodiscard]] std::string take_rest();
  // Settings change with TLS and when the auth server comes or goes: what is listed and allowed
  // from now on.
  [[nodiscard]] Settings& settings() { return settings_; }

  // ---- answers to events ----
  // TLS is on: everything the client said before is forgotten (RFC 2595 section 4).
  void tls_started();
  void challenge(std::string_view octets);
  // A worker: the maildrop is open, `messages` outlives the core. TRANSACTION begins.
  void logged_in(const Messages& messages);
  // A front: the text of the worker's +OK; the core has done its work.
  void handed_over(const Reply& reply);
  // -ERR to the event, whichever it was. After a log-in that was refused too often the next event
  // is `close`.
  void refused(std::string_view response_code, std::string_view text);
  // False if the message was refused after all (refuse_utf8): the event is answered then.
  [[nodiscard]] bool message_begins(std::string_view first_part);
  void message_part(std::string_view text);
  // False once no more parts are needed (TOP).
  [[nodiscard]] bool wants_parts() const { return !top_ || !top_->done(); }
  void message_ends();
  void committed();
  // The server goes away or the client was silent too long: -ERR, then `close`.
  void end(std::string_view response_code, std::string_view text);

  [[nodiscard]] bool in_transaction() const { return messages_ != nullptr; }
  // For `commit`, indexes in order: marked by DELE or, with delete_after_retr, retrieved; and
  // retrieved but to stay.
  [[nodiscard]] std::vector<std::size_t> deleted() const;
  [[nodiscard]] std::vector<std::size_t> retrieved() const;
  [[nodiscard]] unsigned failed_logins() const { return failed_logins_; }

 private:
  enum class State { authorization, sasl, waiting, transaction, sending, closed };
  struct Marks {
    bool deleted = false;
    bool retrieved = false;
  };

  std::optional<std::string> take_line();
  void compact();
  void on_line(std::string_view line);
  void on_sasl_line(std::string_view line);
  void on_command(const Command& command);
  void on_simple(Simple command);
  void on_authorization(const Command& command);
  void on_transaction(const Command& command);
  void on_auth(const Auth& auth);
  void on_pass(const Pass& pass);
  void on_quit();
  void on_list(std::optional<std::uint32_t> message);
  void on_uidl(std::optional<std::uint32_t> message);
  void on_dele(std::uint32_t message);
  void on_retrieve(std::uint32_t message, std::optional<std::uint64_t> lines);
  void list_capabilities();
  void say_status();
  void ok(std::string_view text);
  void error(std::string_view response_code, std::string_view text);
  void raise(Event event);
  void close();
  // The index of a message that is there and not deleted; -ERR was said if nothing.
  std::optional<std::size_t> find(std::uint32_t message);

  Settings settings_;
  State state_ = State::authorization;
  std::string input_;
  std::size_t begin_ = 0;     // of what was not looked at
  std::size_t searched_ = 0;  // no line end before this
  std::string output_;
  std::optional<Event> event_;                  // raised, not handed out yet
  Event::Kind waits_for_ = Event::Kind::close;  // in State::waiting: the event that was handed out
  std::string user_;                            // from USER, for PASS
  bool utf8_ = false;
  unsigned errors_ = 0;
  unsigned failed_logins_ = 0;
  unsigned commands_ = 0;
  const Messages* messages_ = nullptr;
  std::vector<Marks> marks_;
  std::uint64_t total_size_ = 0;  // of what is not deleted
  std::size_t total_count_ = 0;
  std::size_t sending_ = 0;  // index
  std::optional<TopCutter> top_;
  BodyEncoder encoder_;
};

}  // namespace posthorn::pop3
