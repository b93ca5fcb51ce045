// A transcript against smtpd itself: the program is started with the transcript's config as flags, a userdb and an LMTP
// next hop of the test's around it, and the dialogue goes over TCP or a Unix socket.
#pragma once

#include <string>

#include "test/transcripts/smtp_world.h"
#include "test/transcripts/transcript.h"

namespace posthorn::test {

// False: it needs virtual time, an intake in a mood, SASL, or a client address that we don't have.
[[nodiscard]] bool fits_agent(const Transcript& transcript);
// "" or "LINE: what went wrong".
[[nodiscard]] std::string play_with_agent(const Transcript& transcript, const std::string& program,
                                          Certificates& certificates);

}  // namespace posthorn::test
