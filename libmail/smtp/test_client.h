// For tests: the state machine of a client, and what it is told and says.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "libmail/smtp/client.h"

namespace posthorn::smtp::test {

using Phase = ClientCore::Phase;

inline ClientOptions options_for(ClientDialect dialect) {
  ClientOptions options;
  options.dialect = dialect;
  options.name = "us.example";
  options.remote_name = "mx.example";
  options.remote_address = "192.0.2.1";
  return options;
}

inline std::string taken(ClientCore& core) {
  return std::exchange(core.output(), {});
}

// A connection that has said EHLO to a server that offers `extensions` ("250-x" lines are made
// here).
inline ClientCore ready_core(const std::vector<std::string>& extensions,
                             ClientDialect dialect = ClientDialect::smtp) {
  ClientCore core(options_for(dialect));
  core.receive("220 mx.example ESMTP\r\n");
  std::string reply = "250-mx.example\r\n";
  for (const std::string& one : extensions) reply += "250-" + one + "\r\n";
  reply += "250 HELP\r\n";
  core.receive(reply);
  REQUIRE(core.phase() == Phase::ready);
  core.output().clear();
  return core;
}

inline Envelope envelope_for(const std::vector<std::string>& names) {
  Envelope envelope;
  envelope.reverse_path = Mailbox("ann", "here.example");
  for (const std::string& name : names)
    envelope.recipients.emplace_back(Mailbox(name, "there.example"));
  return envelope;
}

inline void say_envelope(ClientCore& core, const Envelope& envelope) {
  core.mail(envelope);
  for (const Recipient& recipient : envelope.recipients) core.rcpt(recipient);
}

inline std::vector<std::string> codes(const ClientCore& core) {
  std::vector<std::string> list;
  for (const Status& status : core.results()) list.push_back(status.enhanced.text());
  return list;
}

inline const std::vector<std::string> modern = {"PIPELINING", "CHUNKING", "SIZE 1000", "DSN"};
inline const std::vector<std::string> classic = {"PIPELINING"};
inline const std::vector<std::string> bare = {};
using Codes = std::vector<std::string>;

}  // namespace posthorn::smtp::test
