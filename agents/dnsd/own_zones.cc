#include "agents/dnsd/own_zones.h"

#include <algorithm>

#include "agents/dnsd/journal_file.h"
#include "libdns/zone/update.h"
#include "libmail/async/files.h"

namespace posthorn::dnsd {

using async::Task;

namespace {

constexpr Duration look_every = std::chrono::milliseconds(500);

std::uint64_t wall_seconds() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(wall_now().time_since_epoch()).count());
}

}  // namespace

// What reading brought: the zone as the file has it, and the versions that the journal made of it.
struct OwnZones::Loaded {
  dns::Zones::Pointer zone;  // the last one; null if there is an error
  std::vector<dns::ZoneVersion> versions;
  std::vector<dns::Problem> problems;
  std::size_t journal_octets = 0;
};

OwnZones::OwnZones(dns::Zones& zones, service::Log& log, OnChange on_change)
    : zones_(zones), log_(log), on_change_(std::move(on_change)) {}
OwnZones::~OwnZones() = default;

Task<void> OwnZones::load(std::vector<ZoneFile> files) {
  watch_.reset();
  co_await reading_.join();
  for (auto kept = kept_.begin(); kept != kept_.end();) {
    const bool stays = std::ranges::any_of(
        files, [&kept](const ZoneFile& file) { return file.origin == kept->first; });
    if (!stays) zones_.remove(kept->first);
    kept = stays ? std::next(kept) : kept_.erase(kept);
  }
  std::vector<std::string> paths;
  for (ZoneFile& file : files) {
    paths.push_back(file.path);
    auto& kept = kept_[file.origin];
    if (!kept) kept = std::make_shared<Kept>(file);
    kept->file = std::move(file);
    if (!zones_.has(kept->file.origin)) zones_.put_empty(kept->file.origin);
    reading_.spawn(read(kept));
  }
  auto on_change = [this](const std::string& path) { changed(path); };
  watch_ = std::make_unique<async::FileWatch>(std::move(paths), look_every, std::move(on_change));
  co_await reading_.join();
}

Task<void> OwnZones::stop() {
  watch_.reset();
  co_await reading_.join();
  for (const auto& [origin, kept] : kept_) {
    if (kept->current && kept->journal_octets != 0) reading_.spawn(write_back(kept));
  }
  co_await reading_.join();
}

void OwnZones::changed(const std::string& path) {
  for (const auto& [origin, kept] : kept_) {
    if (kept->file.path == path) reading_.spawn(read(kept));
  }
}

OwnZones::Loaded OwnZones::load_with_journal(const ZoneFile& file) {
  Loaded loaded;
  dns::MasterFile parsed = load_zone_file(file);
  loaded.problems = std::move(parsed.problems);
  if (!parsed.zone) return loaded;
  const std::string path = journal_path(file.path);
  const auto refuse = [&loaded, &path](std::string why) {
    loaded.problems.emplace_back(dns::Problem::Severity::error, path, std::move(why));
  };
  auto journal = read_journal(path);
  if (!journal) {
    refuse(std::move(journal.error()));
    return loaded;
  }
  auto versions = replay(parsed.zone, journal->entries, path);
  if (!versions) {
    refuse(std::move(versions.error()));
    return loaded;
  }
  loaded.zone = versions->empty() ? parsed.zone : versions->back().zone;
  loaded.versions = std::move(*versions);
  loaded.journal_octets = journal->whole_octets;
  return loaded;
}

Task<void> OwnZones::read(std::shared_ptr<Kept> kept) {
  const bool free = co_await kept->changing.acquire(async::Deadline::never());
  (void)free;
  auto job = [file = kept->file] { return load_with_journal(file); };
  Loaded loaded = co_await async::blocking(std::move(job));
  take(*kept, std::move(loaded));
  kept->changing.release();
}

void OwnZones::take(Kept& kept, Loaded loaded) {
  const std::string zone = kept.file.origin.text();
  for (const dns::Problem& problem : loaded.problems) {
    const bool is_error = problem.severity == dns::Problem::Severity::error;
    log_.write(is_error ? service::Level::error : service::Level::warning, "", "zone-problem",
               {{"zone", zone}, {"why", problem.text()}});
  }
  if (!loaded.zone) return;
  kept.journal_octets = loaded.journal_octets;
  const bool is_same = kept.current && *kept.current == *loaded.zone;
  if (is_same) return;  // our own write, or a file that was only touched
  log_.info("", "zone-read",
            {{"zone", zone},
             {"serial", loaded.zone->serial()},
             {"records", loaded.zone->record_count()},
             {"updates", loaded.versions.size()},
             {"signed", loaded.zone->is_signed()}});
  kept.history.clear();
  for (dns::ZoneVersion& version : loaded.versions) publish(kept, std::move(version));
  if (loaded.versions.empty()) {
    dns::ZoneVersion version;
    version.zone = std::move(loaded.zone);
    publish(kept, std::move(version));
  }
}

void OwnZones::publish(Kept& kept, dns::ZoneVersion version) {
  kept.current = version.zone;
  if (!version.difference.empty()) {
    kept.history.push_back(
        std::make_shared<const dns::ZoneDifference>(std::move(version.difference)));
    if (kept.history.size() > remembered_differences) kept.history.pop_front();
  }
  zones_.put(std::move(version.zone));
  on_change_(kept.file.origin);
}

std::vector<std::shared_ptr<const dns::ZoneDifference>> OwnZones::history(
    const dns::Name& zone) const {
  const auto found = kept_.find(zone);
  if (found == kept_.end()) return {};
  return {found->second->history.begin(), found->second->history.end()};
}

Task<Result<void, dns::UpdateRefusal>> OwnZones::update(dns::Name zone, std::string message,
                                                        dns::UpdateContext context) {
  const auto found = kept_.find(zone);
  if (found == kept_.end())
    co_return fail(dns::UpdateRefusal(dns::Rcode::notauth, "no primary zone of ours"));
  const std::shared_ptr<Kept> kept = found->second;
  const bool free = co_await kept->changing.acquire(async::Deadline::never());
  (void)free;
  if (!kept->current) {
    kept->changing.release();
    co_return fail(dns::UpdateRefusal(dns::Rcode::servfail, "the zone could not be read"));
  }
  context.now = wall_seconds();
  const auto view = dns::MessageView::parse(message);
  auto version = dns::apply_update(kept->current, *view, context);
  if (!version || !version->zone) {
    kept->changing.release();
    if (!version) co_return fail(version.error());
    co_return Result<void, dns::UpdateRefusal>();
  }
  std::string entry = dns::encode_journal_entry(version->difference);
  const std::size_t entry_octets = entry.size();
  auto job = [path = journal_path(kept->file.path), at = kept->journal_octets,
              octets = std::move(entry)] { return append_journal(path, at, octets); };
  const auto written = co_await async::blocking(std::move(job));
  if (written) {
    kept->journal_octets += entry_octets;
    log_.info("", "zone-updated",
              {{"zone", zone.text()},
               {"serial", version->zone->serial()},
               {"key", context.key ? context.key->text() : ""}});
    publish(*kept, std::move(*version));
  }
  kept->changing.release();
  if (!written) {
    log_.error("", "update-failed", {{"zone", zone.text()}, {"why", written.error().text()}});
    co_return fail(dns::UpdateRefusal(dns::Rcode::servfail, written.error().text()));
  }
  co_return Result<void, dns::UpdateRefusal>();
}

// The journal goes into the file, so that it can be edited while we are stopped.
Task<void> OwnZones::write_back(std::shared_ptr<Kept> kept) {
  auto job = [path = kept->file.path, zone = kept->current] {
    return replace_zone_file(path, dns::to_master_file(*zone));
  };
  const auto written = co_await async::blocking(std::move(job));
  if (written) kept->journal_octets = 0;
  if (!written) {
    log_.warning("", "zone-not-written",
                 {{"zone", kept->file.origin.text()}, {"why", written.error().text()}});
  }
}

}  // namespace posthorn::dnsd
