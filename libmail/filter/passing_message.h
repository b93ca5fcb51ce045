// A message on its way past the filters of a session: it waits until all of it is here, is judged, and goes on as they
// have changed it.
//
//   write()*  judge()  next_piece()*      the last two once, and only behind a positive reply
#pragma once

#include <string>
#include <string_view>

#include "libmail/filter/filter_gate.h"
#include "libmail/message/header_collector.h"
#include "libmail/milter/header_edit.h"

namespace posthorn::filter {

// Whether somebody behind us keeps a message in quarantine.
enum class Quarantine : std::uint8_t { possible, refused };

class PassingMessage {
 public:
  // `gate` outlives it.
  PassingMessage(FilterGate& gate, milter::OurReceived received);

  // Octets with CRLF, in any cut. A negative reply is for the client.
  async::Task<smtp::Reply> write(std::string_view octets);
  // Shows it to the filters. A negative reply is the client's; after a positive one `envelope` is as they want it, its
  // size too, unless gate.discards().
  async::Task<smtp::Reply> judge(smtp::Envelope& envelope, Quarantine quarantine);
  // The message that goes on, piece by piece; "" is its end.
  async::Task<Result<std::string, IoError>> next_piece();

 private:
  FilterGate& gate_;
  milter::OurReceived received_;
  message::HeaderCollector collected_;
  std::string header_;  // that goes on; "" when it is gone
  HeldMessage body_;
  std::uint64_t offset_ = 0;  // of the body's next piece
};

}  // namespace posthorn::filter
