// For tests: the state machine of a server with a handler whose answers are known.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libmail/smtp/replies.h"
#include "libmail/smtp/server.h"

namespace posthorn::smtp::test {

// A server whose answers are fixed: user "nobody" is unknown, "later" is deferred, all else is taken.
class Server {
 public:
  explicit Server(ServerSettings settings = {}, Client peer = {})
      : core_(std::move(settings), std::move(peer)) {
    core_.start();
  }

  // Feeds `wire` in pieces of `step` octets; stops when the server hangs up.
  Server& feed(std::string_view wire, std::size_t step = std::string_view::npos) {
    while (!wire.empty() && !closed) {
      const std::string_view piece = wire.substr(0, step);
      wire.remove_prefix(piece.size());
      core_.feed(piece);
      while (!closed) {
        const Event event = core_.next();
        if (event == Event::need_input) break;
        react(event);
      }
    }
    return *this;
  }

  // The codes of all replies since the last call: "250 250 354".
  std::string codes() {
    std::string text;
    std::string_view out = core_.output();
    while (!out.empty()) {
      const std::string_view line = out.substr(0, out.find("\r\n"));
      out.remove_prefix(line.size() + 2);
      if (line.size() > 3 && line[3] == '-') continue;
      if (!text.empty()) text.push_back(' ');
      text.append(line.substr(0, 3));
    }
    core_.output().clear();
    return text;
  }

  ServerCore& core() { return core_; }
  std::string events;               // one letter an event
  std::vector<std::string> bodies;  // of messages that ended
  std::vector<Envelope> envelopes;
  bool closed = false;

 private:
  void react(Event event) {
    constexpr std::string_view letters =
        "nhmrdbexf"
        "asctvpXq";
    events.push_back(letters[static_cast<std::size_t>(event)]);
    switch (event) {
      case Event::hello:
        core_.set_auth_mechanisms({"PLAIN", "LOGIN"});
        return core_.answer(reply::ok);
      case Event::mail: {
        const ReversePath& from = core_.envelope().reverse_path;
        const bool closes = from && from->local_part == "close";
        return core_.answer(closes ? reply::shutting_down : reply::mail_ok);
      }
      case Event::rcpt:
        return core_.answer(verdict());
      case Event::data:
        body_.clear();
        return core_.answer(reply::start_body);
      case Event::body:
        body_.append(core_.octets());
        return;
      case Event::message_end:
        return take();
      case Event::auth:
        return core_.auth_initial() ? core_.authenticated("ann") : core_.challenge("Username:");
      case Event::auth_response:
        return core_.octets() == "ann" ? core_.authenticated("ann")
                                       : core_.refuse_auth(reply::auth_failed);
      case Event::start_tls:
        return core_.tls_started(TlsInfo("TLSv1.3", "X", 256));
      case Event::vrfy:
      case Event::expn:
        return core_.answer(reply::cannot_vrfy);
      case Event::xclient: {
        const bool refused = core_.session().client.address == "192.0.2.66";
        return core_.answer(refused ? reply::relaying_denied : reply::ok);
      }
      case Event::close:
        closed = true;
        return;
      case Event::reset:
      case Event::refused:
      case Event::auth_cancelled:
      case Event::need_input:
        return;
    }
  }
  Reply verdict() {
    if (core_.recipient().mailbox.local_part == "nobody") return reply::no_such_user;
    if (core_.recipient().mailbox.local_part == "later") return reply::try_later;
    if (core_.recipient().mailbox.local_part == "close") return Reply(521, {5, 7, 1}, "no");
    return reply::rcpt_ok;
  }
  void take() {
    bodies.push_back(body_);
    envelopes.push_back(core_.envelope());
    const bool lmtp = core_.settings().protocol == Protocol::lmtp;
    core_.answer_message(
        std::vector<Reply>(lmtp ? core_.envelope().recipients.size() : 1, reply::ok));
  }

  ServerCore core_;
  std::string body_;
};

inline ServerSettings lmtp() {
  ServerSettings settings;
  settings.protocol = Protocol::lmtp;
  return settings;
}

inline ServerSettings with_xclient() {
  ServerSettings settings;
  settings.xclient = true;
  return settings;
}

inline const std::string opening = "EHLO client.example\r\n";
inline const std::string transaction = "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\n";

}  // namespace posthorn::smtp::test
