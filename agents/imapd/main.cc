#include <malloc.h>

#include "agents/imapd/imapd.h"

int main(int argc, char** argv) {
  // LMDB takes blocks of 1 and 2 MiB for each index and uses little of them. From the kernel they cost what is used; once glibc has
  // learnt to keep such blocks for itself, it clears them and they are used up whole.
  ::mallopt(M_MMAP_THRESHOLD, 512 << 10);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 20);
  posthorn::imapd::Imapd agent({argv, argv + argc});
  return posthorn::service::run_agent(agent, argc, argv);
}
