// IDLE (RFC 2177, RFC 9051 6.3.13): nothing is held but two frames, until the client or the mailbox has something to say.
#include "agents/imapd/commands.h"
#include "libmail/base/text.h"

namespace posthorn::imapd {

using async::Deadline;
using imap::LineReader;

namespace {

// Keeps translators of addresses on the way from forgetting the connection.
constexpr auto still_here = std::chrono::minutes(4);
// For mailboxes whose bell nobody rings.
constexpr auto look_anyway = std::chrono::seconds(30);

enum class Heard { nothing, done, wrong };

Heard hear(Session& session) {
  for (;;) {
    switch (session.event_now()) {
      case LineReader::Event::more:
        return Heard::nothing;
      case LineReader::Event::line:
        return iequals(trim(session.reader().take_line().text), "DONE") ? Heard::done
                                                                        : Heard::wrong;
      case LineReader::Event::literal:
        session.reader().discard();
        return Heard::wrong;
      case LineReader::Event::error:
        session.reader().give_up();
        return Heard::wrong;
      case LineReader::Event::part:
      case LineReader::Event::dropped:
        break;
    }
  }
}

}  // namespace

Task<Reply> idle(Session& session) {
  session.out().text() += "+ idling\r\n";
  co_await session.announce(true);
  session.counters().idle.add(1);
  const Deadline over = Deadline::in(session.settings().idle_time);
  Deadline word = Deadline::in(still_here);
  Heard heard = Heard::nothing;
  while (!session.is_over()) {
    heard = hear(session);
    if (heard != Heard::nothing) break;
    co_await session.out().flush();
    if (session.is_over() || over.passed()) break;
    const bool rings = session.selected() == nullptr || session.selected()->listening;
    const Deadline look = rings ? word : word.or_before(Deadline::in(look_anyway));
    const Deadline next = look.or_before(session.next_look());
    const bool woken = co_await session.wait(next.or_before(over), true);
    if (!woken && word.passed()) {
      session.out().untagged("OK still here");
      word = Deadline::in(still_here);
    }
    if (session.has_news() ||
        (session.selected() != nullptr && (session.selected()->changed || !rings)))
      co_await session.announce(true);
  }
  session.counters().idle.add(-1);
  if (heard == Heard::done) co_return imap::ok("IDLE done");
  if (heard == Heard::wrong) co_return imap::bad("IDLE ends with DONE");
  if (!session.is_over()) session.out().untagged("BYE silent too long, goodbye");
  session.log_out();
  co_return imap::no("IDLE ended");
}

}  // namespace posthorn::imapd
