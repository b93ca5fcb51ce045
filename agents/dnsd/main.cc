#include "agents/dnsd/dnsd.h"

int main(int argc, char** argv) {
  posthorn::dnsd::Dnsd agent;
  return posthorn::service::run_agent(agent, argc, argv);
}
