#include "agents/queued/queued.h"

#include <cerrno>

#include "libmail/async/files.h"

namespace posthorn::queued {
namespace {

using async::Deadline;
using queue::Notice;

constexpr auto tick_time = std::chrono::seconds(1);
constexpr mode_t drop_mode_of_a_system = 03733;
constexpr mode_t drop_mode_of_ones_own = 0700;
constexpr auto sweep_interval = std::chrono::hours(1);

bool is_error(Notice::Kind kind) {
  switch (kind) {
    case Notice::Kind::corruption:
    case Notice::Kind::damaged_outcomes:
    case Notice::Kind::outcome_failed:
    case Notice::Kind::no_free_segment:
    case Notice::Kind::trouble:
      return true;
    case Notice::Kind::lost_spool_file:
    case Notice::Kind::outcome_recovered:
    case Notice::Kind::free_segment_again:
    case Notice::Kind::unknown_file:
    case Notice::Kind::swept:
    case Notice::Kind::recycled:
    case Notice::Kind::copied_forward:
      return false;
  }
  return true;
}

}  // namespace

std::vector<std::string> Queued::check(const service::Site& site) {
  return options_.routes.check(site);
}

service::Confinement Queued::confinement(const service::Site& site) {
  // Landlock can only allow what exists. If it can't be made, start() says so.
  auto made = files_.make_directory(options_.queue, 0750);
  if (made) made = files_.sync_directory(options_.queue + "/..");
  (void)made;
  service::Confinement confinement;
  confinement.read = {site.path("conf"), "/etc"};  // users' names of drop files' owners
  confinement.write = {options_.queue};
  options_.routes.confine(confinement, site);
  return confinement;
}

async::Task<Result<void, std::string>> Queued::open_store(const service::Site& site) {
  queue::StoreOptions options;
  options.keep_free = options_.keep_free;
  options.reserve = options_.reserve;
  options.limits.message_size = options_.message_size;
  options.drop_mode = site.is_system() ? drop_mode_of_a_system : drop_mode_of_ones_own;
  queue::Layout layout(options_.queue);
  auto open = [this, &layout, &options] { return queue::Store::open(files_, layout, options); };
  auto store = co_await async::blocking(std::move(open));
  if (!store) {
    const bool is_taken = store.error().code == EBUSY;
    const std::string hint = is_taken ? " (another queued, or posthorn queue, has it)" : "";
    co_return fail("unavailable: " + store.error().text() + hint);
  }
  store_ = std::move(*store);
  co_return Result<void, std::string>();
}

async::Task<Result<void, std::string>> Queued::start(service::Daemon& daemon) {
  log_ = &daemon.log();
  auto opened = co_await open_store(daemon.site());
  if (!opened) co_return opened;
  if (options_.userdb.empty()) {
    users_ = std::make_unique<route::AnyUser>();
  } else {
    session::UserdbOptions ask;
    userdb_ = std::make_unique<session::UserdbClient>(
        service::endpoint_of(daemon.site(), options_.userdb), ask, daemon.log());
    users_ = std::make_unique<route::UserdbUsers>(*userdb_);
  }
  routes_ = std::make_unique<route::SiteRoutes>(daemon.site(), options_.routes,
                                                options_.host.domains, *users_, daemon.log());
  auto read = co_await routes_->start();
  if (!read) co_return read;
  auto nudges = async::open_datagram_receiver(store_->layout().nudge());
  if (!nudges) co_return fail("unavailable: " + nudges.error().text());
  nudges_ = std::move(*nudges);

  scheduler_ = std::make_unique<Scheduler>(*store_, routes_->resolver(), options_, daemon.log(),
                                           daemon.metrics());
  drop_ = std::make_unique<DropReader>(*store_, routes_->resolver(), options_,
                                       scheduler_->reporter(), daemon.log());
  ops_ = std::make_unique<Ops>(*store_, *scheduler_);
  ops_->serve(daemon.ops());
  declare_metrics(daemon.metrics());
  daemon.log().info("-", "queue-open",
                    {{"messages", store_->size()}, {"segments", store_->segments()}});
  log_notices(daemon.log());
  scope_.spawn(store_->run());
  scope_.spawn(listen_to_nudges());
  scope_.spawn(tick());
  scope_.spawn(watch_drop());
  scheduler_->begin();
  co_return Result<void, std::string>();
}

void Queued::declare_metrics(service::Metrics& metrics) {
  const queue::Store* store = store_.get();
  const queue::WriterStatistics* writer = &store_->intake().statistics();
  metrics.gauge("posthorn_queued_segments", "segments that hold messages or outcomes",
                [store] { return static_cast<double>(store->segments()); });
  metrics.gauge("posthorn_queued_free_segments", "segments that are ready for the intakes",
                [store] { return static_cast<double>(store->free_segments()); });
  metrics.gauge("posthorn_queued_commits_total", "messages written by queued itself",
                [writer] { return static_cast<double>(writer->records); });
  metrics.gauge("posthorn_queued_commit_seconds_total", "time that those waited for the disk",
                [writer] { return static_cast<double>(writer->commit_microseconds) / 1e6; });
}

async::Task<void> Queued::listen_to_nudges() {
  while (!stopping_.is_set()) {
    co_await scheduler_->look();
    // A nudge may be lost: then the next look is a second away.
    const bool nudged = co_await nudges_->wait(Deadline::in(tick_time));
    (void)nudged;
  }
}

async::Task<void> Queued::tick() {
  MonoTime swept{};
  while (!stopping_.is_set()) {
    log_notices(*log_);
    scheduler_->tick();
    const MonoTime now = async::Loop::current().now();
    if (now >= swept + sweep_interval) {
      swept = now;
      co_await store_->sweep();
    }
    const bool stopped = co_await stopping_.wait_until(Deadline::in(tick_time));
    (void)stopped;
  }
}

async::Task<void> Queued::watch_drop() {
  co_await drop_->begin();
  while (!stopping_.is_set()) {
    const bool any = co_await drop_->look();
    if (any) co_await scheduler_->look();
    const bool stopped = co_await stopping_.wait_until(Deadline::in(options_.drop_interval));
    (void)stopped;
  }
}

void Queued::log_notices(service::Log& log) {
  for (const Notice& notice : store_->take_notices()) {
    const service::Level level =
        is_error(notice.kind) ? service::Level::error : service::Level::info;
    log.write(level, "-", to_string(notice.kind), {{"what", notice.what}});
  }
}

Result<void, std::string> Queued::reload(service::Daemon& /*daemon*/) {
  routes_->reload(options_.routes, options_.host.domains);
  return {};
}

async::Task<void> Queued::drain(service::Daemon& daemon, Deadline deadline) {
  stopping_.set();
  if (nudges_) nudges_->close();
  if (scheduler_) co_await scheduler_->stop(deadline);
  if (store_) co_await store_->stop();
  co_await scope_.join();
  if (store_) log_notices(daemon.log());
  if (routes_) co_await routes_->stop();
  if (userdb_) co_await userdb_->stop();
}

}  // namespace posthorn::queued
