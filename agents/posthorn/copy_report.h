// What import and export say when they are done.
#pragma once

#include "agents/posthorn/mail_copy.h"

namespace posthorn::operate {

// One line a folder, or JSON; then the error that ended it, if one did. 1: some message could not be read.
Result<int, service::ToolError> report_copy(const service::ToolCall& call, const CopyResult& result,
                                            bool dry_run);

}  // namespace posthorn::operate
