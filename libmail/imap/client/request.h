// Commands as a client sends them: a line in pieces, between which it waits for "+", and what may be under way beside it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/imap/append_command.h"
#include "libmail/imap/capability.h"
#include "libmail/imap/command.h"
#include "libmail/imap/writer.h"

namespace posthorn::imap::client {

// RFC 9051 5.5: what may not be under way with what.
enum class Answers : std::uint8_t {
  none,  // only its tagged line, or data that says itself what it is about (FETCH by UID, LIST, STATUS)
  numbers,  // SEARCH, SORT, THREAD without a tag in the answer: one at a time
  list,     // LIST, LSUB: one at a time, so that each caller gets its own
  alone,  // changes the session (SELECT, LOGIN, STARTTLS, IDLE, COMPRESS, ...): nothing before, nothing behind
};

struct Request {
  std::string name;                 // "UID FETCH", for errors
  std::string text;                 // behind the tag and its space, CRLF not included
  std::vector<std::size_t> breaks;  // offsets in text where "+" is waited for
  std::string mailbox;              // SELECT, EXAMINE: UTF-8
  Answers answers = Answers::none;
  bool by_number =
      false;  // it names messages by number: nothing that may expunge is under way with it
  bool continues = false;  // IDLE, AUTHENTICATE: "+" comes as an event
  // APPEND: the octets follow text, which ends in "{n}" CRLF or "{n+}" CRLF.
  std::optional<std::uint64_t> octets;
  bool octets_wait = false;   // for "+"
  std::string behind_octets;  // ")" of UTF8 (...)

  Request() = default;
};

// How this server wants things written.
struct Manner {
  Writer::Literals literals = Writer::Literals::synchronous;
  bool utf8 = false;

  Manner() = default;
  Manner(const Capabilities& server, bool utf8_enabled);
};

[[nodiscard]] Request simple(std::string_view name, Answers answers = Answers::none);
[[nodiscard]] Request login(const Manner& manner, std::string_view user, std::string_view password);
// `initial` in octets; only where SASL-IR is offered.
[[nodiscard]] Request authenticate(std::string_view mechanism,
                                   const std::optional<std::string>& initial);
[[nodiscard]] Request id(const Manner& manner,
                         const std::vector<std::pair<std::string, std::string>>& fields);
[[nodiscard]] Request enable(const std::vector<std::string>& capabilities);
[[nodiscard]] Request select(const Manner& manner, const Select& what);
// CREATE, DELETE, SUBSCRIBE, UNSUBSCRIBE, GETQUOTAROOT, GETACL, MYRIGHTS: a name with one mailbox behind it.
[[nodiscard]] Request on_mailbox(const Manner& manner, std::string_view name,
                                 std::string_view mailbox);
[[nodiscard]] Request create(const Manner& manner, const Create& what);
[[nodiscard]] Request rename(const Manner& manner, std::string_view from, std::string_view to);
[[nodiscard]] Request list(const Manner& manner, const List& what);
[[nodiscard]] Request status(const Manner& manner, std::string_view mailbox, StatusItems items);
[[nodiscard]] Request fetch(const Fetch& what);
[[nodiscard]] Request store(const Store& what);
[[nodiscard]] Request copy(const Manner& manner, const Copy& what);
[[nodiscard]] Request uid_expunge(const SequenceSet& uids);
[[nodiscard]] Request search(const Manner& manner, const Search& what);
[[nodiscard]] Request sort(const Manner& manner, const Sort& what);
[[nodiscard]] Request thread(const Manner& manner, const Thread& what);
[[nodiscard]] Request append(const Manner& manner, std::string_view mailbox,
                             const AppendMessage& message, std::uint64_t size);

}  // namespace posthorn::imap::client
