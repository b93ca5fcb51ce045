// COMPRESS=DEFLATE (RFC 4978): raw deflate both ways over another stream, for either side.
#pragma once

#include <memory>
#include <string>

#include "libmail/async/stream.h"

namespace posthorn::session {

// What it costs while it lasts: deflate takes 2^(window_bits + 2) + 2^(memory_level + 9) octets, inflate 32 KiB.
struct DeflateSettings {
  int level = 6;
  int window_bits = 15;  // of what we send: 9 to 15
  int memory_level = 8;  // 1 to 9

  DeflateSettings() = default;
};

// Each write ends with a flush, so that the peer has all of it. read() gives 64 KiB at most at a time, whatever the peer's
// octets blow up to. `already_read` came from `under` behind the line that turned compression on.
[[nodiscard]] std::unique_ptr<async::Stream> make_deflate_stream(
    std::unique_ptr<async::Stream> under, std::string already_read = {},
    const DeflateSettings& settings = {});

}  // namespace posthorn::session
