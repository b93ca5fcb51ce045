#include "agents/dnsd/own_zones.h"

#include <algorithm>

#include "agents/dnsd/journal_file.h"
#include "agents/dnsd/zone_keys.h"
#include "libdns/resolver/wall_clock.h"
#include "libdns/wire/serial.h"
#include "libdns/zone/update.h"
#include "libmail/async/files.h"
#include "libmail/base/read_file.h"

namespace posthorn::dnsd {

using async::Task;

namespace {

constexpr Duration look_every = std::chrono::milliseconds(500);
constexpr Duration sign_retry = std::chrono::minutes(5);

std::string signed_path(const std::string& zone_path) {
  return beside(zone_path, ".signed");
}

// As it was last served; nothing if there is none, or none that can be read.
dns::Zones::Pointer read_signed(const ZoneFile& file) {
  const auto text = read_file(signed_path(file.path));
  return text ? dns::parse_master_file(*text, file.origin).zone : nullptr;
}

}  // namespace

// What reading brought: the zone as the file has it, and the versions that the journal made of it.
struct OwnZones::Loaded {
  dns::Zones::Pointer zone;  // the last one; null if there is an error
  std::vector<dns::ZoneVersion> versions;
  std::vector<dns::Problem> problems;
  std::size_t journal_octets = 0;
  dns::ZoneDifference difference;  // from the version that it takes the place of, for IXFR
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
  stopping_ = true;
  watch_.reset();
  for (const auto& [origin, kept] : kept_) kept->due.clear();
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
  auto job = [file = kept->file, before = kept->current] {
    Loaded loaded = load_with_journal(file);
    const bool follows = before && loaded.zone && loaded.versions.empty() &&
                         dns::is_newer_serial(loaded.zone->serial(), before->serial());
    if (follows) loaded.difference = dns::difference_between(*before, *loaded.zone);
    return loaded;
  };
  Loaded loaded = co_await async::blocking(std::move(job));
  co_await take(kept, std::move(loaded));
  kept->changing.release();
}

Task<void> OwnZones::take(std::shared_ptr<Kept> kept, Loaded loaded) {
  const std::string zone = kept->file.origin.text();
  for (const dns::Problem& problem : loaded.problems) {
    const bool is_error = problem.severity != dns::Problem::Severity::warning;
    log_.write(is_error ? service::Level::error : service::Level::warning, "", "zone-problem",
               {{"zone", zone}, {"why", problem.text()}});
  }
  if (!loaded.zone) co_return;
  kept->journal_octets = loaded.journal_octets;
  const bool is_same = kept->current && *kept->current == *loaded.zone;
  if (is_same) co_return;  // our own write, or a file that was only touched
  log_.info("", "zone-read",
            {{"zone", zone},
             {"serial", loaded.zone->serial()},
             {"records", loaded.zone->record_count()},
             {"updates", loaded.versions.size()},
             {"signed", is_to_sign(kept->file.origin) || loaded.zone->is_signed()}});
  // What is signed here goes on from the version that was served, whatever the file did.
  if (!is_to_sign(kept->file.origin) && loaded.difference.empty()) kept->history.clear();
  if (is_to_sign(kept->file.origin) || loaded.versions.empty()) {
    dns::ZoneVersion version;
    version.zone = std::move(loaded.zone);
    version.difference = std::move(loaded.difference);
    const bool served = co_await bring_out(kept, std::move(version));
    (void)served;
    co_return;
  }
  kept->current = loaded.zone;
  for (dns::ZoneVersion& version : loaded.versions) serve(*kept, std::move(version));
}

bool OwnZones::is_to_sign(const dns::Name& zone) const {
  return std::ranges::find(signing_.zones, zone) != signing_.zones.end();
}

Task<bool> OwnZones::bring_out(std::shared_ptr<Kept> kept, dns::ZoneVersion version) {
  if (version.zone) kept->current = version.zone;
  if (!is_to_sign(kept->file.origin)) {
    serve(*kept, std::move(version));
    co_return true;
  }
  auto done = co_await sign(kept);
  if (!done) {
    log_.error("", "sign-failed", {{"zone", kept->file.origin.text()}, {"why", done.error()}});
    co_return false;
  }
  if (done->zone) serve(*kept, std::move(*done));
  co_return true;
}

// Keys, signatures and the file NAME.signed; a version without a zone if nothing was due.
Task<Result<dns::ZoneVersion, std::string>> OwnZones::sign(std::shared_ptr<Kept> kept) {
  const std::uint64_t now = dns::wall_seconds();
  auto job = [kept, policy = signing_.policy, directory = signing_.keys,
              now]() -> Result<dns::SignedVersion, std::string> {
    if (!kept->keys) {
      auto keys = find_or_make_keys(directory, kept->file.origin);
      if (!keys) return fail(keys.error());
      kept->keys = std::move(*keys);
      kept->served = read_signed(kept->file);
    }
    auto made = dns::sign_zone(kept->current, *kept->keys, policy, now, kept->served);
    if (!made || !made->version.zone) return made;
    const std::string text = dns::to_master_file(*made->version.zone);
    if (auto written = replace_file(signed_path(kept->file.path), text); !written)
      return fail(written.error().text());
    return made;
  };
  auto made = co_await async::blocking(std::move(job));
  if (!made) co_return fail(made.error());
  const auto wait = std::chrono::seconds(made->next > now ? made->next - now : 60);
  kept->due.set(async::Deadline::in(wait), [this, kept] {
    if (!stopping_) reading_.spawn(sign_again(kept));
  });
  const dns::Zones::Pointer zone = made->version.zone ? made->version.zone : kept->served;
  log_.info("", "zone-signed",
            {{"zone", kept->file.origin.text()},
             {"serial", zone->serial()},
             {"signatures", made->signatures},
             {"next", wait.count()}});
  // After a start nothing may be due, and yet nothing is served.
  if (!made->version.zone && zones_.at(kept->file.origin) != zone) made->version.zone = zone;
  co_return std::move(made->version);
}

Task<void> OwnZones::sign_again(std::shared_ptr<Kept> kept) {
  const bool free = co_await kept->changing.acquire(async::Deadline::never());
  (void)free;
  const bool served = co_await bring_out(kept, dns::ZoneVersion());
  if (!served) {
    kept->due.set(async::Deadline::in(sign_retry), [this, kept] {
      if (!stopping_) reading_.spawn(sign_again(kept));
    });
  }
  kept->changing.release();
}

void OwnZones::serve(Kept& kept, dns::ZoneVersion version) {
  if (!version.difference.empty()) {
    kept.history.push_back(
        std::make_shared<const dns::ZoneDifference>(std::move(version.difference)));
    if (kept.history.size() > remembered_differences) kept.history.pop_front();
  }
  kept.served = version.zone;
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
  context.now = dns::wall_seconds();
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
    const bool served = co_await bring_out(kept, std::move(*version));
    (void)served;  // the update is on disk; what was served still is until it can be signed
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
