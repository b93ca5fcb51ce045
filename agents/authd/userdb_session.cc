#include "agents/authd/userdb_session.h"

#include <unistd.h>

namespace posthorn::authd {

using async::Deadline;
using async::Task;
namespace dovecot = sasl::dovecot;

namespace {

constexpr auto write_time = std::chrono::seconds(60);

}  // namespace

UserdbCounters::UserdbCounters(service::Metrics& metrics)
    : found(metrics.counter("posthorn_authd_lookups_total", "users asked for on the userdb socket",
                            "result=\"found\"")),
      not_found(metrics.counter("posthorn_authd_lookups_total", "", "result=\"notfound\"")) {}

UserdbSession::UserdbSession(std::unique_ptr<async::Stream> stream, Users& users,
                             const UserdbSettings& settings, UserdbCounters& counters,
                             service::Log& log)
    : stream_(std::move(stream)),
      users_(users),
      settings_(settings),
      counters_(counters),
      log_(log) {}

Task<void> UserdbSession::serve() {
  const std::string greeting =
      dovecot::format_userdb_reply(dovecot::Version()) +
      dovecot::format_userdb_reply(dovecot::Spid{std::to_string(::getpid())});
  auto written = co_await stream_->write(greeting, Deadline::in(write_time));
  while (written) {
    const auto count =
        co_await stream_->read(buffer_, Deadline::never());  // kept connections are silent
    if (!count || *count == 0) break;
    const bool goes_on = co_await answer_lines();
    if (!goes_on) break;
  }
  stream_->close();
}

// Answers all lines that are here with one write.
Task<bool> UserdbSession::answer_lines() {
  lines_.feed(buffer_.view());
  buffer_.clear();
  std::string answers;
  std::string problem;
  while (problem.empty()) {
    const auto line = lines_.next();
    if (!line) break;
    auto said = answer(*line);
    if (said) {
      answers += *said;
    } else {
      problem = said.error();
    }
  }
  if (lines_.too_long()) problem = "a line of more than 16384 octets";
  if (!problem.empty())
    log_.warning("", "protocol-error", {{"peer", stream_->peer().text()}, {"why", problem}});
  if (answers.empty()) co_return problem.empty();
  const auto written = co_await stream_->write(answers, Deadline::in(write_time));
  co_return written.has_value() && problem.empty();
}

Result<std::string, std::string> UserdbSession::answer(std::string_view line) {
  const auto request = dovecot::parse_userdb_request(line);
  if (!request) return fail(request.error());
  if (std::holds_alternative<dovecot::Version>(*request)) {
    has_version_ = true;
    return std::string();
  }
  if (std::holds_alternative<dovecot::Cpid>(*request)) return std::string();
  if (!has_version_) return fail(std::string("a request before VERSION"));
  if (const auto* user = std::get_if<dovecot::UserRequest>(&*request)) return find(*user);
  if (const auto* all = std::get_if<dovecot::ListRequest>(&*request)) return list(*all);
  const auto& other = std::get<dovecot::OtherRequest>(*request);
  dovecot::LookupFailed no;
  no.id = other.id;
  no.reason = "this socket answers USER and LIST only";
  return dovecot::format_userdb_reply(no);
}

std::string UserdbSession::find(const dovecot::UserRequest& request) {
  const auto users = users_.now();
  const sasl::PasswdEntry* entry = users->find(request.user, settings_.realm);
  if (entry == nullptr) {
    counters_.not_found.add();
    return dovecot::format_userdb_reply(dovecot::NotFound{request.id});
  }
  counters_.found.add();
  dovecot::UserReply reply;
  reply.id = request.id;
  reply.user = entry->user;
  reply.fields = userdb_fields(*entry, settings_.home);
  return dovecot::format_userdb_reply(reply);
}

std::string UserdbSession::list(const dovecot::ListRequest& request) {
  std::string lines;
  const auto users = users_.now();
  for (const auto& entry : users->file.entries) {
    if (!request.pattern.empty() && !dovecot::matches_pattern(request.pattern, entry.user))
      continue;
    dovecot::ListItem item;
    item.id = request.id;
    item.user = entry.user;
    lines += dovecot::format_userdb_reply(item);
  }
  return lines + dovecot::format_userdb_reply(dovecot::ListDone{request.id, false});
}

void UserdbSession::end() {
  stream_->close();
}

}  // namespace posthorn::authd
