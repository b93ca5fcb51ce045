// FETCH's answers as octets, made in the pool from a snapshot, the cache of values, and messages where nothing else helps.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "agents/imapd/value_keeper.h"
#include "libmail/imap/fetch.h"
#include "libmail/store/open_mailbox.h"

namespace posthorn::imapd {

struct FetchPlan {
  std::vector<imap::FetchItem> items;  // in the order of the answer
  std::vector<std::string> names;      // what the answer calls them
  std::uint32_t recent_from = UINT32_MAX;
  bool size = false;
  bool date = false;
  bool save_date = false;
  bool envelope = false;
  bool structure = false;  // BODYSTRUCTURE
  bool body = false;       // BODY
  bool email_id = false;
  bool preview = false;
  bool known = false;   // fields of known_header.h
  bool header = false;  // other sections that lie in the message's own header
  bool text = false;    // other sections
  bool flags = false;
  bool modseq = false;
  bool uid_only = false;     // UIDFETCH (RFC 9586)
  bool tell_modseq = false;  // with the flags of a message that became \Seen (RFC 7162 3.1.8)

  explicit FetchPlan(std::vector<imap::FetchItem> wanted);
};

struct FetchedMessage {
  std::uint32_t number = 0;  // in the client's view
  std::uint32_t uid = 0;
  bool tell_flags = false;  // \Seen was set by this command

  FetchedMessage() = default;
  FetchedMessage(std::uint32_t n, std::uint32_t u, bool f) : number(n), uid(u), tell_flags(f) {}
};

struct Rendered {
  std::string octets;
  std::size_t done = 0;          // messages from the front
  std::size_t gone = 0;          // of these, without an answer: somebody expunged them
  bool unknown_cte = false;      // BINARY of a body whose encoding nobody knows
  bool too_much = false;         // a message without an answer: its items are many times its size
  std::vector<MadeValues> made;  // for the index

  Rendered() = default;
};

// Blocking. Stops behind the message with which `octets` reaches `limit`, so what is held is that and one message.
store::StoreResult<Rendered> render(store::OpenMailbox& mailbox, const FetchPlan& plan,
                                    std::span<const FetchedMessage> messages, std::size_t limit);

}  // namespace posthorn::imapd
