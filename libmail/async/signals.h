// Signals as events of the loop.
#pragma once

#include <memory>

#include "libmail/base/function.h"

namespace posthorn::async {

// Calls `on_signal` from the loop, each time the signal comes, until destroyed.
class SignalWatch {
 public:
  SignalWatch(int signal, Function<void()> on_signal);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  struct State;
  State* state_;
};

}  // namespace posthorn::async
