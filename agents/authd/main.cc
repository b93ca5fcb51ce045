#include "agents/authd/authd.h"

int main(int argc, char** argv) {
  posthorn::authd::Authd agent;
  return posthorn::service::run_agent(agent, argc, argv);
}
