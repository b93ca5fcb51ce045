// Attachments as files.
#pragma once

#include <cstdint>
#include <string>

#include "agents/mua/mail_store.h"

namespace posthorn::mua {

struct SavedPart {
  std::string path;
  std::uint64_t octets = 0;  // decoded
};
// A part of the open folder's message as a new file in `directory`, decoded: its name made harmless, NAME-2 and so on
// where there is one already. `part` outlives the task.
Task<Mail<SavedPart>> save_part(MailStore& store, std::uint32_t uid, const PartInfo& part,
                                std::string directory);

}  // namespace posthorn::mua
