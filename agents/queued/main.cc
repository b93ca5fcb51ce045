#include <malloc.h>

#include "agents/queued/queued.h"

int main(int argc, char** argv) {
  // Large blocks (segments that are read at the start) go back to the kernel, and the threads of the
  // pool share two arenas: both keep what is left over from a busy moment small.
  ::mallopt(M_MMAP_THRESHOLD, 128 << 10);
  ::mallopt(M_ARENA_MAX, 2);
  posthorn::queued::Queued agent;
  return posthorn::service::run_agent(agent, argc, argv);
}
