#include "agents/mua/ui/line.h"

#include <algorithm>
#include <array>

namespace posthorn::mua::ui {

namespace {

using Kind = MailError::Kind;

constexpr Duration goodbye = std::chrono::milliseconds(700);
constexpr Duration first_pause = std::chrono::seconds(1);
constexpr Duration longest_pause = std::chrono::minutes(1);
constexpr Duration one_wait = std::chrono::minutes(20);  // within RFC 2177's 29 minutes
constexpr std::size_t most_news = 500;  // messages; with more the list is loaded as ever

MailError dropped_error() {
  return {Kind::unavailable, "given up"};
}

bool is_hopeless(const MailError& error) {
  return error.kind == Kind::config || error.kind == Kind::refused ||
         error.kind == Kind::unsupported;
}

// Folders by which the client knows them: the account's own list, else special-use, else names.
Task<void> find_roles(MailStore& store, const Account& account, std::vector<Folder>& folders) {
  const std::array<const char*, 3> wanted = {"trash", "sent", "drafts"};
  for (const char* role : wanted) {
    const bool named = account.folders.contains(role);
    const bool known = std::ranges::find(folders, role, &Folder::role) != folders.end();
    if (known && !named) continue;
    const auto found = co_await find_folder(store, account, role);
    if (!found) continue;
    for (Folder& folder : folders) {
      if (folder.name == *found)
        folder.role = role;
      else if (folder.role == role)
        folder.role.clear();
    }
  }
}

}  // namespace

Line::Line(Account account, Duration timeout, OnFailed failed)
    : account_(std::move(account)), timeout_(timeout), failed_(std::move(failed)) {}

void Line::add(Job job) {
  jobs_.push_back(std::move(job));
  wake_.set();
}

void Line::drop() {
  dropped_ = true;
  jobs_.clear();
  if (store_ != nullptr) store_->interrupt();
  wake_.set();
}

void Line::finish() {
  finished_ = true;
  wake_.set();
}

Task<void> Line::serve(std::shared_ptr<Line> self) {
  Line& line = *self;
  while (!line.dropped_) {
    if (line.jobs_.empty()) {
      if (line.finished_) break;
      line.wake_.reset();
      co_await line.wake_.wait();
      continue;
    }
    const Job job = std::move(line.jobs_.front());
    line.jobs_.pop_front();
    line.busy_ = true;
    const auto done = co_await line.attempt(job);
    line.busy_ = false;
    if (line.dropped_) break;
    if (!done) line.failed_(job.request, done.error());
    if (!done && line.store_ == nullptr) {
      // What waits behind it would wait for the same dead server, each in its turn.
      const auto waiting = std::move(line.jobs_);
      line.jobs_.clear();
      for (const Job& each : waiting) line.failed_(each.request, done.error());
    }
  }
  if (line.store_ == nullptr) co_return;
  const Deadline soon = Deadline::in(goodbye);
  line.store_->set_deadline(soon);
  co_await line.store_->close();
  line.store_.reset();
}

Task<Mail<void>> Line::connect() {
  opened_.clear();
  const Deadline deadline = Deadline::in(timeout_);
  auto opened = co_await open_store(account_, deadline);
  if (!opened) co_return fail(opened.error());
  store_ = std::move(*opened);
  if (dropped_) co_return fail(dropped_error());
  co_return Mail<void>();
}

Task<Mail<void>> Line::attempt(const Job& job) {
  bool reused = store_ != nullptr;
  for (;;) {
    if (store_ == nullptr) {
      auto connected = co_await connect();
      if (!connected) co_return connected;
    }
    const Deadline deadline = Deadline::in(timeout_);
    store_->set_deadline(deadline);
    const bool folder_was_open = !opened_.empty();
    auto done = co_await job.work(*this);
    if (done || dropped_) co_return done;
    if (!store_->usable()) {
      store_.reset();
      // A server ends what was idle for long: not the user's trouble.
      if (!std::exchange(reused, false) || !job.again) co_return done;
    } else if (done.error().kind == Kind::not_found && folder_was_open && job.again) {
      opened_.clear();  // it may have come since the folder was opened
      auto again = co_await job.work(*this);
      co_return again;
    } else {
      co_return done;
    }
  }
}

Task<Mail<FolderState>> Line::open(std::string folder) {
  opened_.clear();
  auto state = co_await store_->open(folder, false);
  if (state) opened_ = std::move(folder);
  co_return state;
}

Task<Mail<void>> Line::ensure(std::string folder) {
  if (opened_ == folder) co_return Mail<void>();
  const auto state = co_await open(std::move(folder));
  if (!state) co_return fail(state.error());
  co_return Mail<void>();
}

Watcher::Watcher(Account account, Duration timeout, Listener listener)
    : account_(std::move(account)), timeout_(timeout), listener_(std::move(listener)) {}

void Watcher::wake() {
  wake_.set();
  if (store_ != nullptr) store_->wake();
}

void Watcher::watch(std::string folder) {
  folder_ = std::move(folder);
  wake();
}

void Watcher::count_folders() {
  count_ = true;
  wake();
}

void Watcher::drop() {
  dropped_ = true;
  if (store_ != nullptr) store_->interrupt();
  wake_.set();
}

Task<void> Watcher::serve(std::shared_ptr<Watcher> self) {
  Watcher& watcher = *self;
  Duration pause = first_pause;
  while (!watcher.dropped_) {
    const MonoTime began = std::chrono::steady_clock::now();
    const auto ended = co_await watcher.connection();
    watcher.store_.reset();
    if (watcher.dropped_ || ended) break;
    watcher.listener_.lost(ended.error());
    if (is_hopeless(ended.error())) break;
    if (std::chrono::steady_clock::now() - began > longest_pause) pause = first_pause;
    watcher.wake_.reset();
    const Deadline next = Deadline::in(pause);
    (void)co_await watcher.wake_.wait_until(next);
    pause = std::min(pause * 2, longest_pause);
  }
}

// Until it is lost or dropped.
Task<Mail<void>> Watcher::connection() {
  Deadline deadline = Deadline::in(timeout_);
  auto opened = co_await open_store(account_, deadline);
  if (!opened) co_return fail(opened.error());
  store_ = std::move(*opened);
  opened_.clear();
  count_ = true;
  while (!dropped_) {
    deadline = Deadline::in(timeout_);
    store_->set_deadline(deadline);
    if (count_) {
      auto told = co_await tell_folders();
      if (!told) co_return told;
    } else if (folder_.empty()) {
      wake_.reset();
      co_await wake_.wait();
    } else if (folder_ != opened_) {
      std::string folder = folder_;
      const auto state = co_await store_->open(folder, true);
      if (!state) co_return fail(state.error());
      opened_ = std::move(folder);
      if (!dropped_) listener_.watching(opened_, state->messages);
    } else {
      deadline = Deadline::in(one_wait);
      store_->set_deadline(deadline);
      auto news = co_await store_->wait(deadline);
      if (!news) co_return fail(news.error());
      FolderNews what = std::move(*news);
      if (what.empty() || dropped_) continue;
      auto told = co_await tell_news(std::move(what));
      if (!told) co_return told;
    }
  }
  const Deadline soon = Deadline::in(goodbye);
  store_->set_deadline(soon);
  co_await store_->close();
  co_return Mail<void>();
}

// Names at once, counts as soon as they are there.
Task<Mail<void>> Watcher::tell_folders() {
  count_ = false;
  auto names = co_await store_->folders(false);
  if (!names) co_return fail(names.error());
  std::vector<Folder> folders = std::move(*names);
  co_await find_roles(*store_, account_, folders);
  if (!dropped_) listener_.folders(folders);
  const auto counted = co_await store_->folders(true);
  if (!counted) co_return fail(counted.error());
  for (const Folder& each : *counted) {
    const auto known = std::ranges::find(folders, each.name, &Folder::name);
    if (known == folders.end()) continue;
    known->messages = each.messages;
    known->unseen = each.unseen;
  }
  if (!dropped_) listener_.folders(std::move(folders));
  co_return Mail<void>();
}

Task<Mail<void>> Watcher::tell_news(FolderNews news) {
  Uids wanted;
  std::ranges::merge(news.arrived, news.changed, std::back_inserter(wanted));
  if (wanted.size() > most_news) wanted.erase(wanted.begin(), wanted.end() - most_news);
  const Deadline deadline = Deadline::in(timeout_);
  store_->set_deadline(deadline);
  auto messages = co_await store_->summaries(std::move(wanted));
  if (!messages) co_return fail(messages.error());
  if (!dropped_) listener_.news(opened_, std::move(news), std::move(*messages));
  co_return Mail<void>();
}

}  // namespace posthorn::mua::ui
