// Asking the userdb (authd's, or Dovecot's auth-userdb socket): does a user exist, and where is the mail? Found users are kept
// for five seconds, unknown ones for one; questions for one name at one time are asked once.
//
// route::UserLookup over it is three lines: find(name), and the kind as it is.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libmail/sasl/userdb.h"
#include "libmail/service/log.h"
#include "libmail/session/auth_wire.h"

namespace posthorn::session {

struct UserdbAnswer {
  enum class Kind {
    found,
    unknown,
    unavailable,  // the server can't be asked, or has trouble: 4xx
  };
  Kind kind = Kind::unavailable;
  std::string user;              // found: the name as the server writes it
  sasl::dovecot::Fields fields;  // found: uid, gid, home, mail, quota_rule ...
  std::string why;               // unavailable: for the log

  UserdbAnswer() = default;
  explicit UserdbAnswer(Kind what, std::string text = {}) : kind(what), why(std::move(text)) {}
  [[nodiscard]] std::optional<std::string_view> field(std::string_view key) const {
    return sasl::dovecot::find_field(fields, key);
  }
};

struct UserdbOptions {
  std::string service = "lmtp";  // tells the server who asks: "smtp", "lmtp", "pop3", ...
  Duration keep_found = std::chrono::seconds(5);
  Duration keep_unknown = std::chrono::seconds(1);
  Duration answer_time = std::chrono::seconds(10);  // the connection included
  std::size_t most_kept = 100'000;                  // names

  UserdbOptions() = default;
};

class UserdbClient final : private LineConnection::Owner {
 public:
  // `log` outlives it.
  UserdbClient(async::Endpoint server, UserdbOptions options, service::Log& log);
  ~UserdbClient() override;

  async::Task<UserdbAnswer> find(std::string user);
  // All users that match ("*" and "?"; "" = all). The error is a text for the log.
  async::Task<Result<std::vector<std::string>, std::string>> list(std::string pattern,
                                                                  async::Deadline deadline);
  async::Task<void> stop() { return connection_.stop(); }

 private:
  struct Question;
  struct Kept;
  std::string on_open() override;
  std::string on_line(const std::string& line) override;
  void on_lost(const std::string& why) override;
  std::string on_reply(sasl::dovecot::UserdbReply reply);
  async::Task<bool> ask(Question& question, async::Deadline deadline);
  async::Task<UserdbAnswer> look_up(std::string user);
  void keep(const std::string& user, const UserdbAnswer& answer);

  UserdbOptions options_;
  service::Log& log_;
  std::uint32_t next_id_ = 1;
  std::unordered_map<std::uint32_t, Question*> waiting_;
  std::unordered_map<std::string, std::shared_ptr<Kept>> kept_;
  LineConnection connection_;
};

}  // namespace posthorn::session
