#include "libmail/store/maildir_delivery.h"

#include <algorithm>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>

#include "libmail/async/event.h"
#include "libmail/async/files.h"
#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/store/maildir_name.h"

namespace posthorn::store {

namespace {

constexpr auto sweep_every = std::chrono::hours(1);
// Of files that are synced side by side. The first sync takes the others' names along to the disk, so that the next
// are quick: to wake a thread for each would cost more than it saves.
constexpr std::size_t syncs_in_a_row = 3;

// Lets everything else that happened in this turn of the loop come first.
struct AfterThisTurn {
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> task) const { async::Loop::current().post(task); }
  void await_resume() const noexcept {}
};

struct Waiting {
  BatchItem item;
  async::Event done;
};

// The deliveries of one file system.
struct Lane {
  explicit Lane(CommitChoice how) : choice(how) {}
  std::deque<Waiting*> waiting;
  bool busy = false;
  CommitChoice choice;
};

struct CachedMaildir {
  std::shared_ptr<DeliveryTarget> target;
  MonoTime opened;
  bool doubtful = false;  // something was not found in it
  std::optional<MonoTime> swept;
  std::list<std::string>::iterator use;
};

StoreResult<std::shared_ptr<DeliveryTarget>> open_target(Files& files, const MailLocation& location,
                                                         const std::string& folder, bool sweep) {
  auto maildir = open_maildir(files, location, folder);
  if (!maildir) return fail(std::move(maildir.error()));
  if (sweep) static_cast<void>(sweep_tmp(files, *maildir->tmp));
  auto target = std::make_shared<DeliveryTarget>();
  target->path = std::move(maildir->path);
  target->tmp = std::move(maildir->tmp);
  target->fresh = std::move(maildir->fresh);
  target->device = maildir->fresh_status.device;
  return target;
}

// One file, all steps, in one trip to the pool.
void commit_one(BatchItem& item) {
  write_item(item);
  sync_item(item);
  rename_item(item);
  if (item.result) sync_target({&item});
}

// One after the other: side by side they would only wait for each other's lock on tmp/.
async::Task<void> write_all(const std::vector<BatchItem*>& items) {
  auto work = [&items] {
    for (BatchItem* item : items) write_item(*item);
  };
  co_await async::blocking(std::move(work));
}

async::Task<void> sync_some(std::span<BatchItem* const> items) {
  auto work = [items] {
    for (BatchItem* item : items) sync_item(*item);
  };
  co_await async::blocking(std::move(work));
}

async::Task<void> rename_and_sync(std::vector<BatchItem*> group) {
  auto work = [&group] {
    for (BatchItem* item : group) rename_item(*item);
    sync_target(group);
  };
  co_await async::blocking(std::move(work));
}

async::Task<void> commit_by_file(const std::vector<BatchItem*>& items) {
  if (items.size() == 1) {
    BatchItem* item = items.front();
    auto work = [item] { commit_one(*item); };
    co_await async::blocking(std::move(work));
    co_return;
  }
  co_await write_all(items);
  async::Scope scope;
  for (std::size_t i = 0; i < items.size(); i += syncs_in_a_row) {
    scope.spawn(sync_some(std::span(items).subspan(i, std::min(syncs_in_a_row, items.size() - i))));
  }
  co_await scope.join();
  for (auto& group : by_target(items)) scope.spawn(rename_and_sync(std::move(group)));
  co_await scope.join();
}

}  // namespace

struct MaildirDelivery::State {
  State(Files& to, std::string_view host, int pid, DeliveryLimits how)
      : files(to), names(host, pid), limits(how) {}

  Files& files;
  MaildirNames names;
  DeliveryLimits limits;
  std::map<std::uint64_t, Lane> lanes;  // by device
  std::unordered_map<std::string, CachedMaildir> cache;
  std::list<std::string> uses;  // least recently used first
  async::Scope scope;
  Counters counters;

  async::Task<StoreResult<std::shared_ptr<DeliveryTarget>>> target(const MailLocation& location,
                                                                   const std::string& folder);
  void remember(const std::string& key, std::shared_ptr<DeliveryTarget> target, bool swept);
  async::Task<void> run(Lane* lane);
  async::Task<StoreResult<Delivered>> deliver_once(const MailLocation& location,
                                                   const std::string& folder, std::string* head,
                                                   std::shared_ptr<const Content> body);
};

async::Task<StoreResult<std::shared_ptr<DeliveryTarget>>> MaildirDelivery::State::target(
    const MailLocation& location, const std::string& folder) {
  const std::string key = location.path() + "/" + folder;
  const MonoTime now = async::Loop::current().now();
  const auto found = cache.find(key);
  if (found != cache.end() && !found->second.doubtful &&
      now - found->second.opened < limits.trust_open_maildir) {
    uses.splice(uses.end(), uses, found->second.use);
    co_return found->second.target;
  }
  const bool sweep =
      found == cache.end() || !found->second.swept || now - *found->second.swept > sweep_every;
  auto work = [this, &location, &folder, sweep] {
    return open_target(files, location, folder, sweep);
  };
  auto opened = co_await async::blocking(std::move(work));
  if (opened) remember(key, *opened, sweep);
  co_return opened;
}

void MaildirDelivery::State::remember(const std::string& key,
                                      std::shared_ptr<DeliveryTarget> target, bool swept) {
  const MonoTime now = async::Loop::current().now();
  auto [entry, fresh] = cache.try_emplace(key);
  if (fresh)
    entry->second.use = uses.insert(uses.end(), key);
  else
    uses.splice(uses.end(), uses, entry->second.use);
  entry->second.target = std::move(target);
  entry->second.opened = now;
  entry->second.doubtful = false;
  if (swept) entry->second.swept = now;
  while (cache.size() > limits.open_maildirs) {
    cache.erase(uses.front());
    uses.pop_front();
  }
}

// Commits batch after batch until nobody waits.
async::Task<void> MaildirDelivery::State::run(Lane* lane) {
  co_await AfterThisTurn();
  while (!lane->waiting.empty()) {
    std::vector<Waiting*> batch;
    std::vector<BatchItem*> items;
    while (!lane->waiting.empty() && batch.size() < limits.batch) {
      batch.push_back(lane->waiting.front());
      items.push_back(&lane->waiting.front()->item);
      lane->waiting.pop_front();
    }
    const CommitMode mode = lane->choice.choose(items.size());
    const auto began = std::chrono::steady_clock::now();
    if (mode == CommitMode::file_system) {
      auto work = [&items] { commit_by_file_system(items); };
      co_await async::blocking(std::move(work));
      ++counters.file_system_syncs;
    } else {
      co_await commit_by_file(items);
    }
    lane->choice.report(mode, items.size(), std::chrono::steady_clock::now() - began);
    ++counters.batches;
    counters.messages += items.size();
    for (Waiting* waiting : batch) waiting->done.set();
  }
  lane->busy = false;
}

async::Task<StoreResult<Delivered>> MaildirDelivery::State::deliver_once(
    const MailLocation& location, const std::string& folder, std::string* head,
    std::shared_ptr<const Content> body) {
  auto where = co_await target(location, folder);
  if (!where) co_return fail(std::move(where.error()));

  Waiting waiting;
  BatchItem& item = waiting.item;
  item.target = std::move(*where);
  item.head = std::move(*head);
  item.body = std::move(body);
  const auto head_lines =
      static_cast<std::uint64_t>(std::count(item.head.begin(), item.head.end(), '\n'));
  const std::uint64_t size = item.head.size() + item.body->size();
  item.name = names.make(files.now(), size, item.head.size() + head_lines + item.body->crlf_size());

  const CommitChoice choice(limits.commit, limits.file_system_sync_from);
  Lane& lane = lanes.try_emplace(item.target->device, choice).first->second;
  lane.waiting.push_back(&waiting);
  if (!lane.busy) {
    lane.busy = true;
    scope.spawn(run(&lane));
  }
  co_await waiting.done.wait();

  *head = std::move(item.head);
  if (!item.result) co_return fail(std::move(item.result.error()));
  Delivered delivered;
  delivered.path = item.target->path + "/new/" + item.name;
  delivered.size = size;
  co_return delivered;
}

MaildirDelivery::MaildirDelivery(Files& files, std::string_view host, int pid,
                                 DeliveryLimits limits)
    : state_(std::make_unique<State>(files, host, pid, limits)) {}

MaildirDelivery::~MaildirDelivery() = default;

async::Task<StoreResult<Delivered>> MaildirDelivery::deliver(MailLocation location,
                                                             std::string folder, std::string head,
                                                             std::shared_ptr<const Content> body) {
  State& state = *state_;
  auto delivered = co_await state.deliver_once(location, folder, &head, body);
  if (delivered || delivered.error().kind != StoreError::Kind::not_found) co_return delivered;
  // The Maildir was removed while we held it open. A new one is made.
  const auto cached = state.cache.find(location.path() + "/" + folder);
  if (cached != state.cache.end()) cached->second.doubtful = true;
  auto second = co_await state.deliver_once(location, folder, &head, std::move(body));
  co_return second;
}

async::Task<void> MaildirDelivery::join() {
  co_await state_->scope.join();
}

const MaildirDelivery::Counters& MaildirDelivery::counters() const {
  return state_->counters;
}

}  // namespace posthorn::store
