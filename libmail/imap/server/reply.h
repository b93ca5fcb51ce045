// How a command ended: the tagged line.
#pragma once

#include <string>
#include <string_view>

#include "libmail/imap/response_code.h"

namespace posthorn::imap {

using Reply = StatusText;

inline Reply ok(std::string_view text) {
  return {Condition::ok, ResponseCode(), text};
}
inline Reply ok(ResponseCode code, std::string_view text) {
  return {Condition::ok, std::move(code), text};
}
inline Reply no(std::string_view text) {
  return {Condition::no, ResponseCode(), text};
}
// RFC 5530's codes: "NONEXISTENT", "SERVERBUG".
inline Reply no(std::string_view code, std::string_view text) {
  return {Condition::no, ResponseCode(code), text};
}
inline Reply no(ResponseCode code, std::string_view text) {
  return {Condition::no, std::move(code), text};
}
inline Reply bad(std::string_view text) {
  return {Condition::bad, ResponseCode(), text};
}

}  // namespace posthorn::imap
