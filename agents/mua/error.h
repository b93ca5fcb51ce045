// Why a store, a server or a command of the user's could not do what was asked.
#pragma once

#include <string>

#include "libmail/base/result.h"
#include "libmail/service/tool.h"

namespace posthorn::mua {

struct MailError {
  enum class Kind : std::uint8_t {
    not_found,    // folder or message: 67
    exists,       // a folder of that name: 1
    bad_data,     // what was given or read is not what it should be: 65
    refused,      // log-in, permission: 77
    unsupported,  // this store can't do it: 69
    unavailable,  // no connection, a server's NO: 69
    try_again,    // no answer in time, a lock, over quota: 75
    config,       // 78
  };
  Kind kind = Kind::unavailable;
  std::string text;  // one sentence
  std::string hint;  // what to do; may be empty

  MailError() = default;
  MailError(Kind what, std::string why, std::string help = {})
      : kind(what), text(std::move(why)), hint(std::move(help)) {}
};

template <class T>
using Mail = Result<T, MailError>;

// Exit code, short code word, sentence; `account` stands in front of the sentence unless it is empty.
[[nodiscard]] service::ToolError tool_error(const MailError& error,
                                            const std::string& account = {});

}  // namespace posthorn::mua
