// What the search index says of a search, before messages are read.
#pragma once

#include <memory>

#include "agents/imapd/search_match.h"
#include "libmail/service/log.h"

namespace posthorn::imapd {

// Some key looks for a text.
[[nodiscard]] bool looks_for_text(const PreparedKey& key);
// Notes with each such key the messages that can't have its text. Blocking, without waiting for anybody: where the index does not
// answer, nothing is noted and messages are read. Gives whether there are messages that it does not know; `remark` is for the log.
[[nodiscard]] bool narrow(const store::OpenMailbox& mailbox, PreparedKey& key, std::string& remark);

}  // namespace posthorn::imapd
