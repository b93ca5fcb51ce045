// The time before log-in, led by a core without I/O: pop3::ServerCore, imap::LoginCore. A core takes feed() and gives events of
// the kinds start_tls, login, sasl_start, sasl_response and sasl_cancel; any other ends the dialogue.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "libmail/access/front_client.h"

namespace posthorn::access {

template <class Core>
class FrontDialogue : public FrontClient {
 public:
  using FrontClient::FrontClient;

 protected:
  // With what may be offered now.
  virtual async::Task<std::unique_ptr<Core>> make_core() = 0;
  // TLS is on: the core forgets what was said, and other things may be offered.
  virtual async::Task<void> tell_secured() = 0;
  virtual void say_too_slow() = 0;
  // For the log: what names a plain name and password.
  [[nodiscard]] virtual std::string plain_login() const = 0;

  // From make_core() to the hand-over.
  [[nodiscard]] Core& core() { return *core_; }

 private:
  using Event = typename decltype(std::declval<Core&>().next())::value_type;

  async::Task<void> greet_and_log_in() final {
    core_ = co_await make_core();
    co_await converse();
  }

  async::Task<void> log_in_again(std::string rest) final {
    core_ = co_await make_core();
    (void)core_->take_output();  // the greeting
    core_->feed(rest);
    co_await converse();
  }

  async::Task<void> converse() {
    for (;;) {
      while (auto event = core_->next()) {
        const bool goes_on = co_await handle(std::move(*event));
        if (!goes_on) {
          co_await flush();
          co_return;
        }
      }
      const bool written = co_await flush();
      if (!written) co_return;
      const auto count = co_await read(input_);
      if (!count && count.error().code == IoError::timed_out) {
        say_too_slow();
        continue;
      }
      if (!count || *count == 0) co_return;
      core_->feed(input_.view());
      input_.clear();
    }
  }

  // False ends the time before log-in, whether the client goes or is handed over.
  async::Task<bool> handle(Event event) {
    using Kind = typename Event::Kind;
    bool goes_on = false;
    if (event.kind == Kind::start_tls) {
      goes_on = co_await start_tls();
    } else if (event.kind == Kind::login) {
      std::string word = plain_login();
      goes_on = co_await log_in(std::move(word), std::move(event.user), std::move(event.password));
    } else if (event.kind == Kind::sasl_start) {
      goes_on = co_await start_sasl(std::move(event.mechanism), std::move(event.initial));
    } else if (event.kind == Kind::sasl_response) {
      goes_on = co_await step_sasl(std::move(event.data));
    } else if (event.kind == Kind::sasl_cancel) {
      cancel_sasl();
      goes_on = true;
    }
    co_return goes_on;
  }

  async::Task<bool> start_tls() {
    const bool written = co_await flush();
    if (!written) co_return false;
    input_.clear();
    const bool secured = co_await shake_hands();
    if (!secured) co_return false;
    co_await tell_secured();
    co_return true;
  }

  void say_challenge(std::string_view octets) final { core_->challenge(octets); }

  // All that waits to be written; false if the client is gone.
  async::Task<bool> flush() {
    std::string octets = core_->take_output();
    const bool written = co_await write(std::move(octets));
    co_return written;
  }

  std::string take_rest() final {
    std::string rest = core_->take_rest();
    rest += input_.view();
    core_.reset();
    input_.clear();
    input_.shrink();
    return rest;
  }

  std::unique_ptr<Core> core_;
  async::Buffer input_;
};

}  // namespace posthorn::access
