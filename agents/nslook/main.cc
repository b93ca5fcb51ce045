// nslook: asks DNS, and says what the answers mean.
#include "agents/nslook/run.h"

int main(int argc, char** argv) {
  return posthorn::nslook::run({argv + 1, argv + argc});
}
