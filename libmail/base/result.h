// Errors are values. Result<T, E> holds a T or says why there is none; nothing of ours throws.
//
//   expected failure   a small enum or struct of the module:  Result<Rcpt, SyntaxError>
//   environment        IoError: what was tried, on what, and how it failed
//   a bug of ours      check(): logs and aborts, in every build; input from outside never
//                      reaches it
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace posthorn {

template <class T, class E>
using Result = tl::expected<T, E>;

template <class E>
[[nodiscard]] constexpr tl::unexpected<std::decay_t<E>> fail(E&& error) {
  return tl::unexpected<std::decay_t<E>>(std::forward<E>(error));
}

// What the operating system or the peer did to an operation. `code` is an errno value; the three
// that are not the kernel's words but ours stand above every errno.
struct IoError {
  static constexpr int timed_out = 100001;      // our deadline passed
  static constexpr int cancelled = 100002;      // we closed it ourselves while the call was waiting
  static constexpr int end_of_stream = 100003;  // the peer closed where more was needed

  int code = 0;
  std::string operation;  // "connect", "write", ...
  std::string subject;    // path or address; "" if the operation says it all

  IoError() = default;
  IoError(int error_code, std::string what, std::string on = {})
      : code(error_code), operation(std::move(what)), subject(std::move(on)) {}

  // "open /var/x: No such file or directory"
  [[nodiscard]] std::string text() const;
  bool operator==(const IoError&) const = default;
};

// IoError from the current errno.
[[nodiscard]] IoError io_error(std::string operation, std::string subject = {});

// Aborts with `what` and the caller's place if `condition` is false. For bugs only.
void check(bool condition, std::string_view what, const char* file = __builtin_FILE(),
           int line = __builtin_LINE());

}  // namespace posthorn
