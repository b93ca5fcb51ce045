#include "agents/posthorn/commands.h"

namespace posthorn::operate {

Tools commands() {
  Tools tools;
  tools.push_back(make_run());
  tools.push_back(make_sandbox());
  tools.push_back(make_check());
  add_user_commands(tools);
  add_queue_commands(tools);
  add_mailbox_commands(tools);
  add_dns_commands(tools);
  return tools;
}

}  // namespace posthorn::operate
