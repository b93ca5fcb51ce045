// Messages of a source brought into a store: the engine of import, and of export to a Maildir.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agents/posthorn/mail_source.h"

namespace posthorn::operate {

struct CopyRules {
  std::string into;  // everything lies below this mailbox
  std::map<std::string, std::string>
      folders;  // by the source's name, levels with "/"; "" leaves it out
  bool dry_run = false;
  bool is_fresh = false;  // dry_run: there is no mailbox yet, and none is made
  bool progress = false;  // on standard error
};

struct CopiedFolder {
  std::string from;
  std::string to;
  std::size_t messages = 0;
  std::size_t copied = 0;  // with dry_run: would be
  std::size_t there = 0;   // were in the target already
  std::size_t failed = 0;
};

struct CopyResult {
  std::vector<CopiedFolder> folders;
  // What ended it early; what was copied by then is in `folders`.
  std::optional<service::ToolError> error;
};

// A message that the target has is not copied; of messages that are alike as many are there afterwards as the source has. So a
// second time, or after a first that was interrupted, only what is missing comes. `source` and `target` outlive it.
async::Task<CopyResult> copy_mail(MailSource& source, store::Store& target, CopyRules rules);

}  // namespace posthorn::operate
