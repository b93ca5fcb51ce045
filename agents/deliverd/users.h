// Who has a mailbox here: the userdb, or a test's list.
#pragma once

#include <string>

#include "libmail/session/userdb_client.h"

namespace posthorn::deliverd {

class Users {
 public:
  virtual ~Users() = default;
  virtual async::Task<session::UserdbAnswer> find(std::string user) = 0;
};

class UserdbUsers final : public Users {
 public:
  UserdbUsers(async::Endpoint server, service::Log& log)
      : client_(std::move(server), session::UserdbOptions(), log) {}
  async::Task<session::UserdbAnswer> find(std::string user) override {
    return client_.find(std::move(user));
  }
  async::Task<void> stop() { return client_.stop(); }

 private:
  session::UserdbClient client_;
};

}  // namespace posthorn::deliverd
