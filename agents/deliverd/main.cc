#include "agents/deliverd/deliverd.h"

int main(int argc, char** argv) {
  posthorn::deliverd::Deliverd agent;
  return posthorn::service::run_agent(agent, argc, argv);
}
