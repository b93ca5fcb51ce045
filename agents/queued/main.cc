#include "agents/queued/queued.h"

int main(int argc, char** argv) {
  posthorn::queued::Queued agent;
  return posthorn::service::run_agent(agent, argc, argv);
}
