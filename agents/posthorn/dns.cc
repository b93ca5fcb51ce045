// posthorn dns: the commands of the group.
#include "agents/posthorn/commands.h"

namespace posthorn::operate {

void add_dns_commands(Tools& tools) {
  tools.push_back(make_dns_check());
  tools.push_back(make_dns_update());
  add_dns_cache_commands(tools);
}

}  // namespace posthorn::operate
