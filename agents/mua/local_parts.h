// The parts of a message that lies in a store on this machine, found while its octets pass: an attachment is never in
// memory as a whole.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "agents/mua/mail_store.h"
#include "libmail/store/error.h"
#include "libmail/store/mailbox.h"

namespace posthorn::mua {

// Opens the same message anew at each call.
using OpenMessage = std::function<store::StoreResult<std::unique_ptr<store::MessageSource>>()>;

struct ScannedMessage {
  Summary summary;  // what its header says, size and has_attachment
  std::vector<PartInfo> parts;
  // Where their bodies lie, of the octets with CRLF line ends.
  struct Body {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  std::vector<Body> bodies;
};
// Blocking; reads the message twice.
[[nodiscard]] store::StoreResult<ScannedMessage> scan_message(const OpenMessage& open);
// The octets from `begin` to `end`, with CRLF line ends. Blocking.
[[nodiscard]] store::StoreResult<void> read_stretch(const OpenMessage& open,
                                                    ScannedMessage::Body stretch, const Sink& sink);

}  // namespace posthorn::mua
