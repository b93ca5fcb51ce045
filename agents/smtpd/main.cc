#include "agents/smtpd/smtpd.h"

int main(int argc, char** argv) {
  posthorn::smtpd::Smtpd agent;
  return posthorn::service::run_agent(agent, argc, argv);
}
