#include "agents/submissiond/submissiond.h"

int main(int argc, char** argv) {
  posthorn::submissiond::Submissiond agent;
  return posthorn::service::run_agent(agent, argc, argv);
}
