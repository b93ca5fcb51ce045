#include "libmail/async/signals.h"

#include <uv.h>

#include "libmail/async/loop.h"

namespace posthorn::async {

struct SignalWatch::State {
  uv_signal_t signal{};
  Function<void()> on_signal;
};

SignalWatch::SignalWatch(int signal, Function<void()> on_signal) : state_(new State) {
  state_->on_signal = std::move(on_signal);
  uv_signal_init(Loop::current().uv(), &state_->signal);
  state_->signal.data = state_;
  check(uv_signal_start(
            &state_->signal,
            [](uv_signal_t* handle, int) { static_cast<State*>(handle->data)->on_signal(); },
            signal) == 0,
        "uv_signal_start");
  uv_unref(reinterpret_cast<uv_handle_t*>(&state_->signal));
}

SignalWatch::~SignalWatch() {
  uv_signal_stop(&state_->signal);
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->signal),
           [](uv_handle_t* handle) { delete static_cast<State*>(handle->data); });
}

}  // namespace posthorn::async
