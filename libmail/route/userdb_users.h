// UserLookup over the userdb protocol.
#pragma once

#include "libmail/route/user_lookup.h"
#include "libmail/session/userdb_client.h"

namespace posthorn::route {

class UserdbUsers final : public UserLookup {
 public:
  // `client` outlives it.
  explicit UserdbUsers(session::UserdbClient& client) : client_(client) {}
  async::Task<UserAnswer> find(std::string name) override;

 private:
  session::UserdbClient& client_;
};

}  // namespace posthorn::route
