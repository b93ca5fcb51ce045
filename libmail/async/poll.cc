#include "libmail/async/poll.h"

#include <uv.h>

#include "libmail/async/loop.h"

namespace posthorn::async {

struct FdWatch::State {
  uv_poll_t poll{};
  Function<void(bool, bool)> on_ready;
};

FdWatch::FdWatch(int fd, Function<void(bool, bool)> on_ready) : state_(new State) {
  state_->on_ready = std::move(on_ready);
  check(uv_poll_init(Loop::current().uv(), &state_->poll, fd) == 0, "uv_poll_init");
  state_->poll.data = state_;
}

FdWatch::~FdWatch() {
  uv_poll_stop(&state_->poll);
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->poll),
           [](uv_handle_t* handle) { delete static_cast<State*>(handle->data); });
}

void FdWatch::want(bool readable, bool writable) {
  const int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
  if (events == 0) {
    uv_poll_stop(&state_->poll);
    return;
  }
  uv_poll_start(&state_->poll, events, [](uv_poll_t* poll, int status, int ready) {
    auto* state = static_cast<State*>(poll->data);
    // An error wakes both sides: the next system call tells what it is.
    state->on_ready(status < 0 || (ready & UV_READABLE) != 0,
                    status < 0 || (ready & UV_WRITABLE) != 0);
  });
}

}  // namespace posthorn::async
