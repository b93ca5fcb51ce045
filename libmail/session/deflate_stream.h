// COMPRESS=DEFLATE (RFC 4978): raw deflate both ways over another stream.
#pragma once

#include <memory>
#include <string>

#include "libmail/async/stream.h"
#include "libmail/session/deflate.h"

namespace posthorn::session {

// Each write ends with a flush, so that the peer has all of it. read() gives 64 KiB at most at a time, whatever the peer's
// octets blow up to. `already_read` came from `under` behind the line that turned compression on.
[[nodiscard]] std::unique_ptr<async::Stream> make_deflate_stream(
    std::unique_ptr<async::Stream> under, std::string already_read = {},
    const DeflateSettings& settings = {});

}  // namespace posthorn::session
