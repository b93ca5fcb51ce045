// Commands that carry nothing, and ID and ENABLE.
#include <fmt/format.h>

#include "agents/imapd/commands.h"

namespace posthorn::imapd {
namespace {

Task<Reply> noop(Session& session, const char* word) {
  co_await session.announce(true);
  co_return imap::ok(word);
}

Reply capability(Session& session) {
  session.out().untagged("CAPABILITY " + session.capabilities());
  return imap::ok("CAPABILITY done");
}

Reply compress(Session& session) {
  if (session.out().is_deflated())
    return imap::no("COMPRESSIONACTIVE", "what is said is packed already");
  if (!session.compress()) return imap::bad("nothing may follow COMPRESS before its reply");
  return imap::ok("both sides deflate from here on");
}

// The connection ends without a BYE behind this OK, by which the front knows that its client wants to log in again (return_watch.h).
Reply unauthenticate(Session& session) {
  if (session.out().is_deflated()) return imap::bad("not below COMPRESS");
  if (!session.nothing_follows()) {
    session.out().untagged("BYE what follows UNAUTHENTICATE came too early, connect again");
  }
  session.unselect();
  session.log_out();
  return imap::ok("log in again");
}

Reply log_out(Session& session) {
  session.out().untagged("BYE goodbye");
  session.log_out();
  return imap::ok("LOGOUT done");
}

}  // namespace

Task<Reply> run(Session& session, const imap::Simple& command) {
  Reply reply = imap::bad("not here");
  switch (command) {
    case imap::Simple::capability:
      reply = capability(session);
      break;
    case imap::Simple::noop:
      reply = co_await noop(session, "NOOP done");
      break;
    case imap::Simple::check:
      reply = co_await noop(session, "CHECK done");
      break;
    case imap::Simple::logout:
      reply = log_out(session);
      break;
    case imap::Simple::name_space:
      co_await session.meet_sharers();
      reply = name_space(session);
      break;
    case imap::Simple::expunge:
      reply = co_await expunge(session, nullptr, true);
      break;
    case imap::Simple::close:
      reply = co_await expunge(session, nullptr, false);
      if (reply.condition == imap::Condition::ok) session.unselect();
      break;
    case imap::Simple::unselect:
      session.unselect();
      reply = imap::ok("UNSELECT done");
      break;
    case imap::Simple::idle:
      reply = co_await idle(session);
      break;
    case imap::Simple::starttls:
      reply = imap::bad("you are logged in, it is too late for TLS");
      break;
    case imap::Simple::compress:
      reply = compress(session);
      break;
    case imap::Simple::unauthenticate:
      reply = unauthenticate(session);
      break;
  }
  co_return reply;
}

Task<Reply> run(Session& session, const imap::Id&) {
  session.out().untagged(R"(ID ("name" "Posthorn"))");
  co_return imap::ok("ID done");
}

Task<Reply> run(Session& session, const imap::Enable& command) {
  Enabled& enabled = session.enabled();
  std::string words;
  for (const std::string& name : command.capabilities) {
    if (name == "CONDSTORE") {
      enabled.condstore = true;
    } else if (name == "QRESYNC") {
      enabled.qresync = enabled.condstore = true;
    } else if (name == "UTF8=ACCEPT") {
      enabled.utf8 = true;
    } else if (name == "IMAP4REV2") {
      enabled.rev2 = enabled.utf8 = true;
    } else if (name == "UIDONLY") {
      enabled.uid_only = true;
    } else if (name == "METADATA" || name == "METADATA-SERVER") {
      enabled.metadata = true;
      session.hear_news();
    } else {
      continue;
    }
    words += " " + (name == "IMAP4REV2" ? "IMAP4rev2" : name);
  }
  session.out().untagged("ENABLED" + words);
  co_return imap::ok("ENABLE done");
}

}  // namespace posthorn::imapd
