// Plays a transcript's client on a stream and holds what comes back against it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "libmail/async/stream.h"
#include "libmail/tls/tls.h"
#include "test/transcripts/transcript.h"

namespace posthorn::test {

// Where the transcript is played.
struct Stage {
  bool in_process = true;  // virtual time; a server that says nothing in 200 turns says nothing
  bool octet_by_octet = false;  // each octet is a segment
  std::shared_ptr<tls::ClientContext> tls;
  // The next message that the server has taken, as "<from> <to>,<to> octets"; "" if there is none.
  std::function<std::string()> take_message;
  // Another connection of the client's, for C2 and so on; null if it can't be.
  std::function<async::Task<std::unique_ptr<async::Stream>>()> connect;
  // do: what is to happen; "" or what went wrong.
  std::function<std::string(const std::string&)> act;
};

// "" if all is as the transcript says, else "LINE: what was expected and what came".
async::Task<std::string> play(const Transcript& transcript, std::unique_ptr<async::Stream> stream,
                              const Stage& stage);

// Lets everything that is ready run.
async::Task<void> some_turns();

}  // namespace posthorn::test
