#include "libmail/store/index_guard.h"

#include <unistd.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <mutex>

namespace posthorn::store {
namespace {

thread_local volatile int guarded = -1;

constexpr std::array faults = {SIGBUS, SIGSEGV, SIGABRT};
std::array<struct sigaction, faults.size()> before;

// Only calls that are safe in a signal handler. It returns to the instruction that faulted, which then does what it would
// have done without us.
void on_fault(int number) {
  if (guarded >= 0) {
    const int emptied = ::ftruncate(guarded, 0);
    (void)emptied;  // the process ends either way
  }
  for (std::size_t i = 0; i < faults.size(); ++i) {
    if (faults[i] == number) ::sigaction(number, &before[i], nullptr);
  }
}

void set_handlers() {
  struct sigaction fault{};
  fault.sa_handler = on_fault;
  ::sigemptyset(&fault.sa_mask);
  for (std::size_t i = 0; i < faults.size(); ++i) ::sigaction(faults[i], &fault, &before[i]);
}

// A thread that leaves signals to others blocks them, and a fault whose signal is blocked kills without a word.
bool unblock() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int fault : faults) ::sigaddset(&set, fault);
  return ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr) == 0;
}

}  // namespace

IndexGuard::IndexGuard(int descriptor) : before_(guarded) {
  static std::once_flag once;
  std::call_once(once, set_handlers);
  static thread_local const bool open = unblock();
  (void)open;
  guarded = descriptor;
}

IndexGuard::~IndexGuard() {
  guarded = before_;
}

}  // namespace posthorn::store
