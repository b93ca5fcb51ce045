#include "agents/relayd/relayd.h"

int main(int argc, char** argv) {
  posthorn::relayd::Relayd agent;
  return posthorn::service::run_agent(agent, argc, argv);
}
