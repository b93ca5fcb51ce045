#include "libmail/session/userdb_client.h"

#include "libmail/async/loop.h"
#include "libmail/base/text.h"

namespace posthorn::session {

using async::Deadline;
using async::Task;
namespace dovecot = sasl::dovecot;

// Waits for its answer in the frame of ask()'s caller.
struct UserdbClient::Question {
  enum class Kind { user, list };
  Kind kind;
  std::string text;  // name or pattern
  async::Event answered;
  UserdbAnswer answer;
  std::vector<std::string> users;
  bool lost = false;

  Question(Kind k, std::string t) : kind(k), text(std::move(t)) {}
};

struct UserdbClient::Kept {
  UserdbAnswer answer;
  MonoTime until{};
  bool asking = true;
  async::Event answered;
};

UserdbClient::UserdbClient(async::Endpoint server, UserdbOptions options, service::Log& log)
    : options_(std::move(options)), log_(log), connection_(std::move(server), *this) {}

UserdbClient::~UserdbClient() = default;

std::string UserdbClient::on_open() {
  return dovecot::format_userdb_request(dovecot::Version());
}

std::string UserdbClient::on_line(const std::string& line) {
  auto reply = dovecot::parse_userdb_reply(line);
  if (!reply) return reply.error();
  return on_reply(std::move(*reply));
}

std::string UserdbClient::on_reply(dovecot::UserdbReply reply) {
  // SPID ends the greeting.
  if (std::holds_alternative<dovecot::Version>(reply)) return {};
  if (std::holds_alternative<dovecot::Spid>(reply)) {
    connection_.ready();
    return {};
  }
  const auto find = [this](std::uint32_t id) {
    const auto found = waiting_.find(id);
    return found == waiting_.end() ? nullptr : found->second;  // null: nobody waits any more
  };
  Question* question = nullptr;
  if (auto* user = std::get_if<dovecot::UserReply>(&reply)) {
    question = find(user->id);
    if (question == nullptr) return {};
    question->answer.kind = UserdbAnswer::Kind::found;
    question->answer.user = std::move(user->user);
    question->answer.fields = std::move(user->fields);
  } else if (const auto* missing = std::get_if<dovecot::NotFound>(&reply)) {
    question = find(missing->id);
    if (question == nullptr) return {};
    question->answer.kind = UserdbAnswer::Kind::unknown;
  } else if (auto* failed = std::get_if<dovecot::LookupFailed>(&reply)) {
    question = find(failed->id);
    if (question == nullptr) return {};
    question->answer.why =
        failed->reason.empty() ? "the userdb has trouble" : std::move(failed->reason);
  } else if (auto* item = std::get_if<dovecot::ListItem>(&reply)) {
    question = find(item->id);
    if (question != nullptr) question->users.push_back(std::move(item->user));
    return {};
  } else if (const auto* done = std::get_if<dovecot::ListDone>(&reply)) {
    question = find(done->id);
    if (question == nullptr) return {};
    question->answer.kind =
        done->failed ? UserdbAnswer::Kind::unavailable : UserdbAnswer::Kind::found;
    if (done->failed) question->answer.why = "the list is not whole";
  }
  if (question != nullptr) question->answered.set();
  return {};
}

void UserdbClient::on_lost(const std::string& why) {
  if (!waiting_.empty())
    log_.warning("", "userdb-lost", {{"why", why}, {"waiting", waiting_.size()}});
  for (const auto& [id, question] : waiting_) {
    question->lost = true;
    question->answer = UserdbAnswer(UserdbAnswer::Kind::unavailable, why);
    question->answered.set();
  }
  waiting_.clear();
}

// False if no answer came because the connection was lost: worth another attempt.
Task<bool> UserdbClient::ask(Question& question, Deadline deadline) {
  const auto opened = co_await connection_.open(deadline);
  if (!opened) {
    question.answer = UserdbAnswer(UserdbAnswer::Kind::unavailable, opened.error());
    co_return true;
  }
  const std::uint32_t id = next_id_++;
  if (next_id_ == 0) next_id_ = 1;
  waiting_[id] = &question;
  dovecot::Fields fields;
  fields.emplace_back("service", options_.service);
  if (question.kind == Question::Kind::user) {
    dovecot::UserRequest request;
    request.id = id;
    request.user = question.text;
    request.fields = std::move(fields);
    connection_.send(dovecot::format_userdb_request(request));
  } else {
    dovecot::ListRequest request;
    request.id = id;
    request.pattern = question.text;
    request.fields = std::move(fields);
    connection_.send(dovecot::format_userdb_request(request));
  }
  const bool in_time = co_await question.answered.wait_until(deadline);
  waiting_.erase(id);
  if (!in_time)
    question.answer =
        UserdbAnswer(UserdbAnswer::Kind::unavailable, "the userdb did not answer in time");
  co_return !question.lost;
}

Task<UserdbAnswer> UserdbClient::look_up(std::string user) {
  const Deadline deadline = Deadline::in(options_.answer_time);
  for (int attempt = 0;; ++attempt) {
    Question question(Question::Kind::user, user);
    const bool answered = co_await ask(question, deadline);
    if (!answered && attempt == 0) continue;
    if (question.answer.kind == UserdbAnswer::Kind::unavailable)
      log_.warning("", "userdb-unavailable", {{"user", user}, {"why", question.answer.why}});
    co_return std::move(question.answer);
  }
}

Task<UserdbAnswer> UserdbClient::find(std::string user) {
  const std::string name = lower(user);
  const auto found = kept_.find(name);
  if (found != kept_.end()) {
    const std::shared_ptr<Kept> kept = found->second;
    if (!kept->asking && async::Loop::current().now() < kept->until) co_return kept->answer;
    if (kept->asking) {
      // Who asked first answers within answer_time, whatever happens.
      co_await kept->answered.wait();
      co_return kept->answer;
    }
  }
  const auto kept = std::make_shared<Kept>();
  kept_[name] = kept;
  auto answer = co_await look_up(std::move(user));
  kept->answer = std::move(answer);
  kept->asking = false;
  kept->answered.set();
  keep(name, kept->answer);
  co_return kept->answer;
}

void UserdbClient::keep(const std::string& user, const UserdbAnswer& answer) {
  const MonoTime now = async::Loop::current().now();
  const auto found = kept_.find(user);
  if (answer.kind == UserdbAnswer::Kind::unavailable) {
    kept_.erase(found);
    return;
  }
  const bool is_found = answer.kind == UserdbAnswer::Kind::found;
  found->second->until = now + (is_found ? options_.keep_found : options_.keep_unknown);
  if (kept_.size() < options_.most_kept) return;
  // Guessed addresses fill this: drop what has expired, and if that is not enough everything that is known.
  std::erase_if(kept_, [now](const auto& entry) {
    return !entry.second->asking && entry.second->until <= now;
  });
  if (kept_.size() < options_.most_kept) return;
  std::erase_if(kept_, [](const auto& entry) { return !entry.second->asking; });
}

Task<Result<std::vector<std::string>, std::string>> UserdbClient::list(std::string pattern,
                                                                       Deadline deadline) {
  for (int attempt = 0;; ++attempt) {
    Question question(Question::Kind::list, pattern);
    const bool answered = co_await ask(question, deadline);
    if (!answered && attempt == 0) continue;
    if (question.answer.kind != UserdbAnswer::Kind::found) co_return fail(question.answer.why);
    co_return std::move(question.users);
  }
}

}  // namespace posthorn::session
