#include "agents/imapd/imapd.h"

int main(int argc, char** argv) {
  posthorn::imapd::Imapd agent({argv, argv + argc});
  return posthorn::service::run_agent(agent, argc, argv);
}
