#include "libmail/store/watcher.h"

#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "libmail/async/files.h"
#include "libmail/async/poll.h"
#include "libmail/base/fd.h"

namespace posthorn::store {

namespace {

constexpr std::uint32_t watched = IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ONLYDIR;

std::uint64_t key_of(bool appeared, bool fresh, std::string_view name) {
  return std::hash<std::string_view>()(name) * 4 + (appeared ? 2 : 0) + (fresh ? 1 : 0);
}

}  // namespace

struct WatcherState : std::enable_shared_from_this<WatcherState> {
  struct Watched {
    std::weak_ptr<DirectoryWatch> watch;
    bool fresh = false;
  };

  Fd inotify;
  std::mutex reading;  // one thread at a time, so that events keep their order
  std::mutex mutex;    // of what follows
  std::unordered_map<int, Watched> directories;
  std::vector<std::weak_ptr<Bell>> polled;
  std::size_t watch_limit = SIZE_MAX;
  unsigned own_changes = 0;  // OwnChanges that live
  bool sleeps = false;       // the loop is not woken by the kernel until the last of them is gone
  // On the loop's thread; gone when the Watcher is.
  std::unique_ptr<async::ThreadDoor> door;
  std::unique_ptr<async::FdWatch> readable;
  std::optional<async::Timer> timer;
  Duration poll{};

  void drain();
  void on_readable();
  void begin_own_changes();
  void end_own_changes();
  void dispatch(const inotify_event& event, std::vector<std::shared_ptr<Bell>>& restless);
  void post(std::shared_ptr<Bell> bell);
  void arm();
  void ring_polled();
  void add_polled(const std::shared_ptr<Bell>& bell);  // `mutex` is held
};

void WatcherState::drain() {
  if (!inotify) return;
  std::vector<std::shared_ptr<Bell>> restless;
  {
    const std::lock_guard one(reading);
    alignas(inotify_event) char buffer[32 * 1024];
    for (;;) {
      const ssize_t got = ::read(inotify.get(), buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      for (ssize_t at = 0; at < got;) {
        inotify_event event{};
        std::memcpy(&event, buffer + at, sizeof event);
        dispatch(*reinterpret_cast<const inotify_event*>(buffer + at), restless);
        at += static_cast<ssize_t>(sizeof event + event.len);
      }
    }
  }
  for (const auto& bell : restless) bell->ring();
}

void WatcherState::on_readable() {
  {
    const std::lock_guard hold(mutex);
    sleeps = own_changes > 0;
    if (sleeps) return readable->want(false, false);
  }
  drain();
}

void WatcherState::begin_own_changes() {
  const std::lock_guard hold(mutex);
  ++own_changes;
}

void WatcherState::end_own_changes() {
  const std::lock_guard hold(mutex);
  if (--own_changes > 0 || !std::exchange(sleeps, false) || !door) return;
  door->post([state = shared_from_this()] {
    if (state->readable) state->readable->want(true, false);
  });
}

void WatcherState::dispatch(const inotify_event& event,
                            std::vector<std::shared_ptr<Bell>>& restless) {
  std::vector<std::pair<std::shared_ptr<DirectoryWatch>, bool>> to;
  {
    const std::lock_guard hold(mutex);
    if ((event.mask & IN_Q_OVERFLOW) != 0) {
      for (const auto& [wd, directory] : directories) {
        if (auto watch = directory.watch.lock()) to.emplace_back(std::move(watch), false);
      }
    } else {
      const auto found = directories.find(event.wd);
      if (found == directories.end()) return;
      if (auto watch = found->second.watch.lock())
        to.emplace_back(std::move(watch), found->second.fresh);
      // The directory is gone, or its file system; a watch that we remove ourselves is not found any more.
      if ((event.mask & IN_IGNORED) != 0) directories.erase(found);
    }
  }
  for (const auto& [watch, fresh] : to) {
    const std::lock_guard hold(watch->mutex_);
    if ((event.mask & (IN_Q_OVERFLOW | IN_IGNORED)) != 0) {
      watch->news_.lost = true;
    } else if ((event.mask & IN_ISDIR) != 0 || event.len == 0) {
      continue;
    } else {
      const bool appeared = (event.mask & (IN_MOVED_TO | IN_CREATE)) != 0;
      const std::string_view name = event.name;
      const auto own = watch->expected_.find(key_of(appeared, fresh, name));
      if (own != watch->expected_.end()) {
        watch->expected_.erase(own);
        continue;
      }
      DirectoryEvent news;
      news.appeared = appeared;
      news.fresh = fresh;
      news.name = name;
      watch->news_.events.push_back(std::move(news));
    }
    auto bell = watch->bell_.lock();
    if (bell && std::find(restless.begin(), restless.end(), bell) == restless.end())
      restless.push_back(std::move(bell));
  }
}

void WatcherState::post(std::shared_ptr<Bell> bell) {
  const std::lock_guard hold(mutex);
  if (!door) return;
  door->post([bell = std::move(bell)] {
    {
      const std::lock_guard quiet(bell->mutex_);
      bell->rung_ = false;
    }
    std::vector<std::shared_ptr<Function<void()>>> now;
    for (const auto& [id, callback] : bell->listeners_) now.push_back(callback);
    // A callback may end its Listening, or another's.
    for (const auto& callback : now) {
      const bool there = std::any_of(bell->listeners_.begin(), bell->listeners_.end(),
                                     [&](const auto& entry) { return entry.second == callback; });
      if (there) (*callback)();
    }
  });
}

void WatcherState::arm() {
  timer->set(async::Deadline::in(poll), [this] {
    ring_polled();
    arm();
  });
}

void WatcherState::ring_polled() {
  std::vector<std::shared_ptr<Bell>> bells;
  {
    const std::lock_guard hold(mutex);
    std::erase_if(polled, [](const auto& bell) { return bell.expired(); });
    for (const auto& bell : polled) {
      if (auto alive = bell.lock()) bells.push_back(std::move(alive));
    }
  }
  for (const auto& bell : bells) bell->ring();
}

void WatcherState::add_polled(const std::shared_ptr<Bell>& bell) {
  if (std::none_of(polled.begin(), polled.end(),
                   [&](const auto& known) { return known.lock() == bell; }))
    polled.push_back(bell);
}

DirectoryWatch::News DirectoryWatch::take() {
  if (const auto watcher = watcher_.lock()) watcher->drain();
  const std::lock_guard hold(mutex_);
  return std::exchange(news_, News());
}

void DirectoryWatch::give_back(std::vector<DirectoryEvent> events) {
  const std::lock_guard hold(mutex_);
  std::swap(news_.events, events);
  news_.events.insert(news_.events.end(), std::make_move_iterator(events.begin()),
                      std::make_move_iterator(events.end()));
}

void DirectoryWatch::expect(bool appeared, bool fresh, std::string_view name) {
  const std::lock_guard hold(mutex_);
  expected_.insert(key_of(appeared, fresh, name));
}

void DirectoryWatch::absorb(bool last) {
  if (const auto watcher = watcher_.lock()) watcher->drain();
  if (!last) return;
  const std::lock_guard hold(mutex_);
  expected_.clear();
}

OwnChanges::OwnChanges(DirectoryWatch* watch)
    : watcher_(watch == nullptr ? nullptr : watch->watcher_.lock()) {
  if (watcher_) watcher_->begin_own_changes();
}

OwnChanges::~OwnChanges() {
  if (watcher_) watcher_->end_own_changes();
}

void Bell::ring() {
  {
    const std::lock_guard hold(mutex_);
    if (std::exchange(rung_, true)) return;
  }
  if (const auto watcher = watcher_.lock()) watcher->post(shared_from_this());
}

Listening::Listening(std::shared_ptr<Bell> bell, Function<void()> callback)
    : bell_(std::move(bell)), id_(bell_->next_++) {
  bell_->listeners_.emplace(id_, std::make_shared<Function<void()>>(std::move(callback)));
}

Listening::~Listening() {
  bell_->listeners_.erase(id_);
}

Watcher::Watcher(Duration poll) : state_(std::make_shared<WatcherState>()) {
  state_->door = std::make_unique<async::ThreadDoor>();
  state_->poll = poll;
  state_->inotify = Fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  WatcherState* state = state_.get();
  if (state->inotify) {
    state->readable = std::make_unique<async::FdWatch>(
        state->inotify.get(), [state](bool, bool) { state->on_readable(); });
    state->readable->want(true, false);
  }
  state->timer.emplace();
  state->arm();
}

Watcher::~Watcher() {
  std::unique_ptr<async::ThreadDoor> door;
  {
    const std::lock_guard hold(state_->mutex);
    door = std::move(state_->door);
  }
  state_->readable.reset();
  state_->timer.reset();
}

std::shared_ptr<Bell> Watcher::make_bell() {
  return std::make_shared<Bell>(state_);
}

void Watcher::set_watch_limit(std::size_t limit) {
  const std::lock_guard hold(state_->mutex);
  state_->watch_limit = limit;
}

void Watcher::poll(const std::shared_ptr<Bell>& bell) {
  const std::lock_guard hold(state_->mutex);
  state_->add_polled(bell);
}

std::shared_ptr<DirectoryWatch> Watcher::watch(int fresh, int cur, std::shared_ptr<Bell> bell) {
  WatcherState* state = state_.get();
  const std::weak_ptr<WatcherState> weak = state_;
  // The watches go with the last user of the DirectoryWatch.
  auto descriptors = std::make_shared<std::array<int, 2>>(std::array<int, 2>{-1, -1});
  std::shared_ptr<DirectoryWatch> watch(new DirectoryWatch, [weak, descriptors](DirectoryWatch* w) {
    if (const auto alive = weak.lock()) {
      const std::lock_guard hold(alive->mutex);
      for (const int wd : *descriptors) {
        if (wd >= 0 && alive->directories.erase(wd) > 0)
          ::inotify_rm_watch(alive->inotify.get(), wd);
      }
    }
    delete w;
  });
  watch->watcher_ = weak;
  watch->bell_ = bell;
  const std::lock_guard hold(state->mutex);
  bool complete = state->inotify && state->directories.size() + 2 <= state->watch_limit;
  std::size_t at = 0;
  for (const int directory : {fresh, cur}) {
    if (!complete) break;
    const std::string path = fmt::format("/proc/self/fd/{}", directory);
    const int wd = ::inotify_add_watch(state->inotify.get(), path.c_str(), watched);
    complete = wd >= 0 && !state->directories.contains(wd);
    if (!complete) break;
    (*descriptors)[at] = wd;
    state->directories[wd] = {watch, at == 0};
    ++at;
  }
  if (complete) return watch;
  state->add_polled(bell);
  for (int& wd : *descriptors) {
    if (wd >= 0 && state->directories.erase(wd) > 0) ::inotify_rm_watch(state->inotify.get(), wd);
    wd = -1;
  }
  return nullptr;
}

}  // namespace posthorn::store
