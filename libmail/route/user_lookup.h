// Does this user exist? The real answer comes over Dovecot's userdb protocol, a test's from a map.
#pragma once

#include <string>
#include <utility>

#include "libmail/async/task.h"

namespace posthorn::route {

struct UserAnswer {
  enum class Kind {
    exists,
    unknown,
    unavailable,  // can't be asked now
  };
  Kind kind = Kind::unavailable;
  std::string user;  // exists: the name as the userdb spells it
  std::string why;   // unavailable: for the log

  UserAnswer() = default;
  explicit UserAnswer(Kind what, std::string text = {}) : kind(what) {
    (what == Kind::exists ? user : why) = std::move(text);
  }
};

class UserLookup {
 public:
  virtual ~UserLookup() = default;
  // `name`: "ann@example.org" or "ann", lower case, domain as A-labels.
  virtual async::Task<UserAnswer> find(std::string name) = 0;
};

// Where there is no userdb: everybody exists, and whoever takes the message next knows better.
class AnyUser final : public UserLookup {
 public:
  async::Task<UserAnswer> find(std::string name) override {
    co_return UserAnswer(UserAnswer::Kind::exists, std::move(name));
  }
};

}  // namespace posthorn::route
