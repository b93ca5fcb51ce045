#include "agents/authd/users.h"

#include <fmt/format.h>
#include <unistd.h>

#include "libmail/async/files.h"
#include "libmail/sasl/passwd_edit.h"

namespace posthorn::authd {

using async::Task;

namespace {

constexpr auto watch_interval = std::chrono::milliseconds(500);
constexpr std::size_t most_problems_logged = 20;

// %u, %n, %d, %% in a path. Nothing if a part would be empty.
std::optional<std::string> expand_home(const std::string& form, const std::string& user) {
  const std::size_t at = user.rfind('@');
  const std::string local = user.substr(0, at);
  const std::string domain = at == std::string::npos ? std::string() : user.substr(at + 1);
  std::string path;
  for (std::size_t i = 0; i < form.size(); ++i) {
    if (form[i] != '%' || i + 1 == form.size()) {
      path.push_back(form[i]);
      continue;
    }
    switch (form[++i]) {
      case 'u':
        path += user;
        break;
      case 'n':
        path += local;
        break;
      case 'd':
        path += domain;
        break;
      default:
        path.push_back(form[i]);
    }
  }
  // "mail/%d/%n" for a user without a domain: mail/ann.
  for (std::size_t twice = path.find("//"); twice != std::string::npos; twice = path.find("//"))
    path.erase(twice, 1);
  if (path.empty()) return std::nullopt;
  return path;
}

}  // namespace

const sasl::PasswdEntry* Snapshot::find(std::string_view user, std::string_view realm) const {
  if (const auto* entry = file.find(user)) return entry;
  if (realm.empty() || user.find('@') != std::string_view::npos) return nullptr;
  return file.find(std::string(user) + "@" + std::string(realm));
}

const std::optional<sasl::StoredPassword>& Snapshot::password_of(
    const sasl::PasswdEntry& entry) const {
  return passwords[static_cast<std::size_t>(&entry - file.entries.data())];
}

std::shared_ptr<const Snapshot> make_snapshot(sasl::PasswdFile file) {
  auto snapshot = std::make_shared<Snapshot>();
  // What an unknown user is measured by: the scheme most users have.
  std::size_t counts[3] = {0, 0, 0};
  const sasl::StoredPassword* usual[3] = {nullptr, nullptr, nullptr};
  snapshot->passwords.reserve(file.entries.size());
  for (const auto& entry : file.entries) {
    snapshot->passwords.emplace_back();
    if (entry.password.empty()) continue;
    auto stored = sasl::parse_password(entry.password);
    if (!stored) continue;
    auto& kept = snapshot->passwords.back();
    kept.emplace(std::move(*stored));
    if (counts[kept->index()]++ == 0) usual[kept->index()] = &*kept;
  }
  std::size_t most = 0;
  for (std::size_t i = 1; i < 3; ++i) {
    if (counts[i] > counts[most]) most = i;
  }
  sasl::ScramKeys nobody;
  nobody.iterations = sasl::default_iterations;
  nobody.salt = std::string(16, 's');
  snapshot->decoy =
      sasl::make_decoy(usual[most] != nullptr ? *usual[most] : sasl::StoredPassword(nobody));
  snapshot->file = std::move(file);
  return snapshot;
}

sasl::dovecot::Fields userdb_fields(const sasl::PasswdEntry& entry,
                                    const std::string& home_template) {
  sasl::dovecot::Fields fields;
  if (entry.uid) fields.emplace_back("uid", std::to_string(*entry.uid));
  if (entry.gid) fields.emplace_back("gid", std::to_string(*entry.gid));
  if (!entry.home.empty()) {
    fields.emplace_back("home", entry.home);
  } else if (auto home =
                 home_template.empty() ? std::nullopt : expand_home(home_template, entry.user)) {
    fields.emplace_back("home", std::move(*home));
  }
  constexpr std::string_view prefix = "userdb_";
  for (const auto& [key, value] : entry.extra) {
    if (key.size() > prefix.size() && key.compare(0, prefix.size(), prefix) == 0)
      fields.emplace_back(key.substr(prefix.size()), value);
  }
  return fields;
}

Users::Users(std::string path, service::Log& log, std::function<void()> on_change)
    : path_(std::move(path)),
      log_(log),
      on_change_(std::move(on_change)),
      snapshot_(make_snapshot({})) {}

Task<Result<void, std::string>> Users::start() {
  auto first = co_await read();
  if (!first && ::access(path_.c_str(), F_OK) != 0) {
    log_.warning("", "users-absent", {{"file", path_}});  // nobody yet; it may come any time
    first = Result<void, std::string>();
  }
  if (!first) co_return first;
  std::vector<std::string> paths;
  paths.push_back(path_);
  watch_ = std::make_unique<async::FileWatch>(std::move(paths), watch_interval,
                                              [this](const std::string&) {
                                                if (reading_) {
                                                  changed_meanwhile_ = true;
                                                } else {
                                                  scope_.spawn(read_again());
                                                }
                                              });
  co_return first;
}

Task<Result<void, std::string>> Users::read() {
  struct Outcome {
    std::shared_ptr<const Snapshot> snapshot;
    std::string error;
    Outcome() = default;
  };
  auto work = [path = path_] {
    Outcome outcome;
    auto file = sasl::read_users(path);
    if (!file) {
      outcome.error = file.error().text;
    } else if (file->entries.empty() && ::access(path.c_str(), F_OK) != 0) {
      outcome.error = path + " is not there";
    } else if (file->entries.empty() && !file->problems.empty()) {
      // Somebody's mistake, not the end of all users: their mail would be refused for good.
      const sasl::PasswdProblem& first = file->problems.front();
      outcome.error =
          fmt::format("{}: no line of it is a user's; line {}: {}", path, first.line, first.text);
    } else {
      outcome.snapshot = make_snapshot(std::move(*file));
    }
    return outcome;
  };
  Outcome outcome = co_await async::blocking(std::move(work));
  if (!outcome.snapshot) co_return fail(std::move(outcome.error));
  const auto& problems = outcome.snapshot->file.problems;
  for (std::size_t i = 0; i < problems.size() && i < most_problems_logged; ++i)
    log_.warning("", "users-problem",
                 {{"file", path_}, {"line", problems[i].line}, {"why", problems[i].text}});
  snapshot_ = std::move(outcome.snapshot);
  log_.info("", "users-read",
            {{"file", path_},
             {"users", snapshot_->file.entries.size()},
             {"problems", problems.size()},
             {"scram", snapshot_->file.all_have_scram()}});
  co_return Result<void, std::string>();
}

Task<void> Users::read_again() {
  reading_ = true;
  do {
    changed_meanwhile_ = false;
    auto done = co_await read();
    // What was read last is still better than nothing.
    if (!done) log_.error("", "users-unreadable", {{"why", done.error()}});
    if (done) on_change_();
  } while (changed_meanwhile_);
  reading_ = false;
}

Task<void> Users::stop() {
  watch_.reset();
  co_await scope_.join();
}

}  // namespace posthorn::authd
