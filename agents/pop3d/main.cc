#include "agents/pop3d/pop3d.h"

int main(int argc, char** argv) {
  posthorn::pop3d::Pop3d agent({argv, argv + argc});
  return posthorn::service::run_agent(agent, argc, argv);
}
