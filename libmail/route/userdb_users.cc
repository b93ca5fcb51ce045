#include "libmail/route/userdb_users.h"

namespace posthorn::route {

async::Task<UserAnswer> UserdbUsers::find(std::string name) {
  session::UserdbAnswer answer = co_await client_.find(std::move(name));
  switch (answer.kind) {
    case session::UserdbAnswer::Kind::found:
      co_return UserAnswer(UserAnswer::Kind::exists, std::move(answer.user));
    case session::UserdbAnswer::Kind::unknown:
      co_return UserAnswer(UserAnswer::Kind::unknown);
    case session::UserdbAnswer::Kind::unavailable:
      break;
  }
  co_return UserAnswer(UserAnswer::Kind::unavailable, std::move(answer.why));
}

}  // namespace posthorn::route
