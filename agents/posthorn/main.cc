// posthorn: starts a site's agents, and looks at them and changes them. One file for each group of commands.
#include "agents/posthorn/commands.h"

int main(int argc, char** argv) {
  return posthorn::service::run_tools("posthorn",
                                      "Posthorn, a mail system of agents that can be swapped.",
                                      posthorn::operate::commands(), {argv + 1, argv + argc});
}
