// What happens to a composed message: printed, kept as a draft, or sent, with a copy in the folder of sent mail and the
// outbox where nobody answers.
#pragma once

#include <functional>
#include <string>

#include "agents/mua/compose.h"
#include "agents/mua/mail_store.h"
#include "agents/mua/outbox.h"

namespace posthorn::mua {

struct Sent {
  enum class How { printed, draft, sent, queued } how = How::sent;
  std::string folder;     // where the draft or the copy is; "" for none
  std::string outbox_id;  // queued
  std::string trouble;    // why it is queued, or why there is no copy
};

// Sends, and queues in the outbox if it is worth another try. The error: it was refused for good.
async::Task<Mail<Sent>> send_letter(const Account& account, std::string outbox, Composed composed,
                                    bool copy, Duration timeout);
// Into the folder of a role, through a store of its own; its name.
async::Task<Mail<std::string>> keep_copy(const Account& account, std::string role, Octets message,
                                         imap::Flags flags, Duration timeout);

// Deletes a draft for good, through a store of its own. `folder`: as the store names it, "" = the account's of drafts.
async::Task<Mail<void>> delete_draft(const Account& account, std::string folder, std::uint32_t uid,
                                     Duration timeout);

// Sets a flag (\Answered, $Forwarded) on the message that was answered, through a store of its own; no harm if it can't.
async::Task<void> mark_answered(const Account& account, std::string folder, std::uint32_t uid,
                                std::string flag, Duration timeout);

// All of it, as flags say, with what is to be printed. `after` runs once it is sent (flags of the answered message).
Result<int, service::ToolError> finish(const Account& account, const std::string& outbox,
                                       Composed composed, const ComposeFlags& flags,
                                       Duration timeout, bool json,
                                       std::function<Task<void>()> after = {});

}  // namespace posthorn::mua
