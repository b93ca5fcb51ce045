// The commands of posthorn, in the order of --help.
#pragma once

#include <memory>
#include <vector>

#include "libmail/service/tool.h"

namespace posthorn::operate {

using service::Tool;
using service::ToolCall;
using service::ToolError;

using Tools = std::vector<std::unique_ptr<Tool>>;

[[nodiscard]] Tools commands();

std::unique_ptr<Tool> make_run();           // run.cc
std::unique_ptr<Tool> make_sandbox();       // sandbox.cc
std::unique_ptr<Tool> make_check();         // check.cc
void add_user_commands(Tools& tools);       // user.cc
void add_queue_commands(Tools& tools);      // queue.cc
void add_mailbox_commands(Tools& tools);    // mailbox.cc
void add_dns_commands(Tools& tools);        // dns.cc
std::unique_ptr<Tool> make_dns_check();     // dns_check.cc
std::unique_ptr<Tool> make_dns_update();    // dns_update.cc
void add_dns_cache_commands(Tools& tools);  // dns_cache.cc

}  // namespace posthorn::operate
