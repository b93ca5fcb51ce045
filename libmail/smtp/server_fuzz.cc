// A session whole and in pieces must say and take the same.
#include <algorithm>
#include <cstdint>
#include <string>

#include "libmail/smtp/replies.h"
#include "libmail/smtp/server.h"

namespace {

using namespace posthorn;
using namespace posthorn::smtp;

smtp::ServerSettings settings_from(std::uint8_t bits) {
  ServerSettings settings;
  settings.protocol = (bits & 1) != 0 ? Protocol::lmtp : Protocol::smtp;
  settings.chunking = (bits & 2) == 0;
  settings.dsn = (bits & 2) == 0;
  settings.auth_in_clear = (bits & 4) != 0;
  settings.auth_required = (bits & 8) != 0;
  settings.xforward = (bits & 16) != 0;
  settings.xclient = (bits & 64) != 0;
  settings.unlimited = (bits & 32) != 0;
  settings.limits.message_size = 200;
  settings.limits.body_line = 80;
  settings.limits.command_line = 200;
  settings.limits.recipients = 3;
  return settings;
}

struct Outcome {
  std::string said;   // the classes of its replies
  std::string taken;  // the messages
  bool operator==(const Outcome&) const = default;
};

class Session {
 public:
  explicit Session(std::uint8_t bits) : core_(settings_from(bits), Client()) { core_.start(); }

  Outcome run(std::string_view wire, std::size_t piece) {
    while (!wire.empty() && !closed_) {
      const std::string_view octets = wire.substr(0, piece);
      wire.remove_prefix(octets.size());
      core_.feed(octets);
      for (Event event = core_.next(); event != Event::need_input; event = core_.next()) {
        react(event);
        if (closed_) break;
      }
    }
    outcome_.said = classes(core_.output());
    return std::move(outcome_);
  }

 private:
  // The first digit of each reply: which of several faults of a body is named depends on the cut.
  static std::string classes(std::string_view said) {
    std::string digits;
    while (!said.empty()) {
      if (said[3] == ' ') digits.push_back(said[0]);
      said.remove_prefix(said.find("\r\n") + 2);
    }
    return digits;
  }

  void react(Event event) {
    switch (event) {
      case Event::hello:
        core_.set_auth_mechanisms({"PLAIN"});
        return core_.answer(reply::ok);
      case Event::mail:
        check(!in_transaction_, "one transaction at a time");
        in_transaction_ = true;
        return core_.answer(reply::mail_ok);
      case Event::rcpt: {
        const bool refused = core_.recipient().mailbox.local_part.starts_with("n");
        return core_.answer(refused ? reply::no_such_user : reply::rcpt_ok);
      }
      case Event::data:
        body_.clear();
        return core_.answer(reply::start_body);
      case Event::body:
        body_.append(core_.octets());
        return;
      case Event::message_end:
        return take();
      case Event::reset:
        check(in_transaction_, "only a transaction is reset");
        in_transaction_ = false;
        return;
      case Event::auth:
        return core_.challenge("x");
      case Event::auth_response:
        return core_.octets() == "y" ? core_.authenticated("ann")
                                     : core_.refuse_auth(reply::auth_failed);
      case Event::start_tls:
        return core_.tls_started(TlsInfo());
      case Event::vrfy:
      case Event::expn:
        return core_.answer(reply::cannot_vrfy);
      case Event::xclient:
        check(!in_transaction_, "XCLIENT is no part of a transaction");
        return core_.answer(core_.session().user == "no" ? reply::try_later : reply::ok);
      case Event::close:
        closed_ = true;
        return;
      case Event::refused:
      case Event::auth_cancelled:
      case Event::need_input:
        return;
    }
  }

  void take() {
    in_transaction_ = false;
    check(body_.size() == core_.envelope().size, "the size is what was given");
    check(body_.size() <= 200, "the limit holds");
    check(body_.find('\0') == std::string::npos, "no NUL passes");
    for (std::size_t i = 0; i < body_.size(); ++i) {
      const bool lf_behind = i + 1 < body_.size() && body_[i + 1] == '\n';
      check(body_[i] != '\r' || lf_behind, "no bare CR passes");
      check(body_[i] != '\n' || (i > 0 && body_[i - 1] == '\r'), "no bare LF passes");
    }
    outcome_.taken += body_ + "\n--\n";
    const bool lmtp = core_.settings().protocol == Protocol::lmtp;
    core_.answer_message(
        std::vector<Reply>(lmtp ? core_.envelope().recipients.size() : 1, reply::ok));
  }

  ServerCore core_;
  Outcome outcome_;
  std::string body_;
  bool in_transaction_ = false;
  bool closed_ = false;
};

}  // namespace

// The first octet chooses the settings, the second the size of the pieces, the rest is the wire.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view wire(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Outcome whole = Session(data[0]).run(wire, wire.size());
  const Outcome pieces = Session(data[0]).run(wire, std::max<std::size_t>(1, data[1]));
  check(whole == pieces, "a session is the same in any cut");
  return 0;
}
