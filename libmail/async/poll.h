// Watching a descriptor that a foreign library owns (c-ares).
#pragma once

#include <memory>

#include "libmail/base/function.h"

namespace posthorn::async {

class FdWatch {
 public:
  // Calls on_ready(readable, writable) from the loop. Nothing is watched until want() is called.
  FdWatch(int fd, Function<void(bool, bool)> on_ready);
  ~FdWatch();  // stops; the descriptor stays open. Safe inside on_ready.
  FdWatch(const FdWatch&) = delete;
  FdWatch& operator=(const FdWatch&) = delete;
  void want(bool readable, bool writable);

 private:
  struct State;
  State* state_;
};

}  // namespace posthorn::async
