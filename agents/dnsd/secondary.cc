#include "agents/dnsd/secondary.h"

#include <sys/stat.h>

#include <algorithm>

#include "agents/dnsd/journal_file.h"
#include "agents/dnsd/signed_ask.h"
#include "libdns/resolver/server_address.h"
#include "libdns/resolver/wall_clock.h"
#include "libdns/resolver/zone_copy.h"
#include "libdns/wire/builder.h"
#include "libdns/zone/master_file.h"
#include "libdns/zone/serial.h"
#include "libmail/async/files.h"
#include "libmail/async/loop.h"
#include "libmail/base/read_file.h"
#include "libmail/base/text.h"

namespace posthorn::dnsd {

using async::Deadline;
using async::Task;

namespace {

constexpr Duration ask_time = std::chrono::seconds(5);
constexpr Duration least_wait = std::chrono::seconds(2);
// Before the first copy there is no SOA to say how long to wait.
constexpr Duration first_retry = std::chrono::seconds(10);

struct DiskCopy {
  dns::Zones::Pointer zone;   // null if there is none that can be read
  std::uint64_t checked = 0;  // when the primary last said that it is the newest
};

DiskCopy read_copy(const std::string& path, const dns::Name& origin) {
  DiskCopy copy;
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0) return copy;
  const auto text = read_file(path);
  if (text) copy.zone = dns::parse_master_file(*text, origin).zone;
  copy.checked = static_cast<std::uint64_t>(facts.st_mtime);
  return copy;
}

}  // namespace

struct Secondaries::Copy {
  SecondarySettings settings;
  std::string path;
  dns::Zones::Pointer current;
  MonoTime checked;     // the primary answered last
  async::Event wanted;  // somebody says that there is something new
  explicit Copy(SecondarySettings of) : settings(std::move(of)) {}
};

Result<SecondarySettings, std::string> parse_secondary(std::string_view text) {
  const auto wrong = [text] {
    return fail("expects ZONE=ADDRESS[:PORT][,KEY], not \"" + printable(text) + "\"");
  };
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) return wrong();
  const auto parts = split(text.substr(equals + 1), ',');
  if (parts.size() > 2) return wrong();
  auto zone = dns::Name::parse(text.substr(0, equals));
  const auto primary = dns::parse_server_address(parts[0]);
  if (!zone || !primary) return wrong();
  SecondarySettings settings;
  settings.zone = std::move(*zone);
  settings.primary = *primary;
  if (parts.size() == 2) {
    auto key = dns::Name::parse(parts[1]);
    if (!key) return wrong();
    settings.key = std::move(*key);
  }
  return settings;
}

Secondaries::Secondaries(dns::Zones& zones, dns::Exchange& exchange, service::Log& log,
                         std::string directory, std::function<void(const dns::Name&)> on_change)
    : zones_(zones),
      exchange_(exchange),
      log_(log),
      directory_(std::move(directory)),
      on_change_(std::move(on_change)) {}

Secondaries::~Secondaries() = default;

void Secondaries::start(std::vector<SecondarySettings> zones) {
  for (SecondarySettings& settings : zones) {
    auto copy = std::make_shared<Copy>(std::move(settings));
    const dns::Name& zone = copy->settings.zone;
    copy->path = directory_ + "/" + zone.folded().text() + ".copy";
    copies_[zone] = copy;
    zones_.put_empty(zone);
    running_.spawn(keep_fresh(copy));
  }
}

Task<void> Secondaries::stop() {
  stopping_.set();
  for (const auto& [zone, copy] : copies_) copy->wanted.set();
  co_await running_.join();
}

bool Secondaries::notified(const dns::Name& zone, std::optional<std::uint32_t> serial,
                           const dns::Asker& asker) {
  const auto found = copies_.find(zone);
  if (found == copies_.end()) return false;
  Copy& copy = *found->second;
  const bool has_key = copy.settings.key && asker.key == copy.settings.key;
  const bool is_primary = asker.client.text() == copy.settings.primary.host ||
                          asker.client.transport == dns::Client::Transport::unix_stream;
  if (!has_key && !is_primary) return false;
  const bool is_news =
      !serial || !copy.current || dns::is_newer_serial(*serial, copy.current->serial());
  if (is_news) copy.wanted.set();
  return true;
}

const dns::TsigKey* Secondaries::key_of(const Copy& copy) const {
  if (!copy.settings.key) return nullptr;
  const auto found = std::ranges::find(keys_, *copy.settings.key, &dns::TsigKey::name);
  return found == keys_.end() ? nullptr : &*found;
}

// RFC 1034 4.3.5: refresh while all is well, retry while it isn't, expire when it wasn't for long.
Task<void> Secondaries::keep_fresh(std::shared_ptr<Copy> copy) {
  co_await load(copy);
  while (!stopping_.is_set()) {
    copy->wanted.reset();
    const bool good = co_await refresh(copy);
    Duration wait = first_retry;
    if (copy->current) {
      const dns::Soa& soa = copy->current->soa();
      wait = std::max<Duration>(least_wait, std::chrono::seconds(good ? soa.refresh : soa.retry));
      const Duration silence = async::Loop::current().now() - copy->checked;
      if (silence > std::chrono::seconds(soa.expire)) {
        log_.error("", "zone-expired", {{"zone", copy->settings.zone.text()}});
        copy->current.reset();
        zones_.put_empty(copy->settings.zone);
      }
    }
    const bool woken = co_await copy->wanted.wait_until(Deadline::in(wait));
    (void)woken;
  }
}

Task<void> Secondaries::load(std::shared_ptr<Copy> copy) {
  auto job = [path = copy->path, origin = copy->settings.zone] { return read_copy(path, origin); };
  const DiskCopy disk = co_await async::blocking(std::move(job));
  if (!disk.zone) co_return;
  const std::uint64_t age = dns::wall_seconds() - std::min(dns::wall_seconds(), disk.checked);
  if (age >= disk.zone->soa().expire) co_return;
  copy->current = disk.zone;
  copy->checked = async::Loop::current().now() - std::chrono::seconds(age);
  zones_.put(disk.zone);
  log_.info("", "zone-copy-read",
            {{"zone", copy->settings.zone.text()}, {"serial", disk.zone->serial()}});
}

// True if the primary answered and we have what it has.
Task<bool> Secondaries::refresh(std::shared_ptr<Copy> copy) {
  const std::string zone = copy->settings.zone.text();
  if (copy->settings.key && key_of(*copy) == nullptr) {
    log_.error("", "transfer-failed",
               {{"zone", zone}, {"why", "there is no key " + copy->settings.key->text()}});
    co_return false;
  }
  const auto serial = co_await ask_serial(copy);
  if (!serial) {
    log_.warning("", "refresh-failed", {{"zone", zone}, {"why", serial.error()}});
    co_return false;
  }
  const bool is_newest = copy->current && !dns::is_newer_serial(*serial, copy->current->serial());
  if (!is_newest) {
    const dns::Type first = copy->current ? dns::Type::ixfr : dns::Type::axfr;
    auto version = co_await transfer(copy, first);
    // A primary may not know IXFR, or its differences may not fit to what we have.
    if (!version && first == dns::Type::ixfr) {
      log_.info("", "transfer-whole", {{"zone", zone}, {"why", version.error()}});
      version = co_await transfer(copy, dns::Type::axfr);
    }
    if (!version) {
      log_.warning("", "transfer-failed", {{"zone", zone}, {"why", version.error()}});
      co_return false;
    }
    if (version->zone) {
      copy->current = version->zone;
      zones_.put(version->zone);
      log_.info("", "transferred",
                {{"zone", zone},
                 {"serial", copy->current->serial()},
                 {"records", copy->current->record_count()}});
      on_change_(copy->settings.zone);
    }
  }
  copy->checked = async::Loop::current().now();
  dns::Zones::Pointer current = copy->current;
  co_await store(copy, std::move(current));
  co_return true;
}

Task<Result<std::uint32_t, std::string>> Secondaries::ask_serial(std::shared_ptr<Copy> copy) {
  const dns::TsigKey* key = key_of(*copy);
  dns::Header header;
  dns::MessageBuilder builder(header);
  const bool fits = builder.question(dns::Question(copy->settings.zone, dns::Type::soa));
  check(fits, "a question fits into a message");
  std::string query = builder.finish();
  std::string reply;
  if (key == nullptr) {
    auto asked = co_await exchange_.ask(copy->settings.primary, std::move(query),
                                        dns::Transport::udp, Deadline::in(ask_time));
    if (!asked) co_return fail(asked.error().text);
    reply = std::move(*asked);
  } else {
    auto asked =
        co_await ask_signed(copy->settings.primary, std::move(query), *key, Deadline::in(ask_time));
    if (!asked) co_return fail(asked.error());
    reply = std::move(*asked);
  }
  const auto view = dns::MessageView::parse(reply);
  if (!view) co_return fail("the answer can't be read: " + view.error().text());
  if (view->rcode() != dns::Rcode::noerror)
    co_return fail("the primary says " + dns::to_string(view->rcode()));
  for (const dns::RecordView& record : view->answer()) {
    const dns::Rdata data = record.data();
    const auto* soa = std::get_if<dns::Soa>(&data);
    if (soa != nullptr && record.owner == copy->settings.zone) co_return soa->serial;
  }
  co_return fail(std::string("the primary gives no SOA"));
}

Task<Result<dns::ZoneVersion, std::string>> Secondaries::transfer(std::shared_ptr<Copy> copy,
                                                                  dns::Type type) {
  dns::CopyRequest request;
  request.server = copy->settings.primary;
  request.zone = copy->settings.zone;
  request.type = type;
  request.current = copy->current;
  if (const dns::TsigKey* key = key_of(*copy)) request.key = *key;
  request.ask_time = ask_time;
  auto version = co_await dns::copy_zone(std::move(request));
  if (!version) co_return fail(version.error().reason);
  co_return std::move(*version);
}

// Its time of change is when the primary last said that it is the newest.
Task<void> Secondaries::store(std::shared_ptr<Copy> copy, dns::Zones::Pointer zone) {
  auto job = [path = copy->path, zone = std::move(zone)] {
    return replace_file(path, dns::to_master_file(*zone));
  };
  const auto written = co_await async::blocking(std::move(job));
  if (!written) {
    log_.warning("", "zone-not-written",
                 {{"zone", copy->settings.zone.text()}, {"why", written.error().text()}});
  }
}

}  // namespace posthorn::dnsd
