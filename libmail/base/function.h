// std::function for callables that can only be moved (std::move_only_function is C++23).
#pragma once

#include <memory>
#include <utility>

namespace posthorn {

template <class Signature>
class Function;

template <class R, class... Args>
class Function<R(Args...)> {
 public:
  Function() = default;
  template <class F>
    requires(!std::is_same_v<std::decay_t<F>, Function>)
  Function(F&& callable)  // NOLINT(google-explicit-constructor): a lambda is what callers write
      : held_(std::make_unique<Holder<std::decay_t<F>>>(std::forward<F>(callable))) {}

  R operator()(Args... args) { return held_->call(std::forward<Args>(args)...); }
  explicit operator bool() const { return held_ != nullptr; }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual R call(Args... args) = 0;
  };
  template <class F>
  struct Holder final : Base {
    explicit Holder(F callable) : callable_(std::move(callable)) {}
    R call(Args... args) override { return callable_(std::forward<Args>(args)...); }
    F callable_;
  };
  std::unique_ptr<Base> held_;
};

}  // namespace posthorn
