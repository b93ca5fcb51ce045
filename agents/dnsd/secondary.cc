#include "agents/dnsd/secondary.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "agents/dnsd/addresses.h"
#include "agents/dnsd/journal_file.h"
#include "agents/dnsd/signed_ask.h"
#include "libdns/resolver/dns_stream.h"
#include "libdns/resolver/wall_clock.h"
#include "libdns/wire/builder.h"
#include "libdns/zone/master_file.h"
#include "libdns/zone/serial.h"
#include "libdns/zone/transfer.h"
#include "libmail/async/files.h"
#include "libmail/async/loop.h"
#include "libmail/base/random.h"
#include "libmail/base/text.h"

namespace posthorn::dnsd {

using async::Deadline;
using async::Task;

namespace {

constexpr Duration ask_time = std::chrono::seconds(5);
constexpr Duration transfer_idle = std::chrono::seconds(30);
constexpr Duration least_wait = std::chrono::seconds(2);
// Before the first copy there is no SOA to say how long to wait.
constexpr Duration first_retry = std::chrono::seconds(10);

std::uint16_t random_id() {
  return static_cast<std::uint16_t>(random_u64());
}

struct DiskCopy {
  dns::Zones::Pointer zone;   // null if there is none that can be read
  std::uint64_t checked = 0;  // when the primary last said that it is the newest
};

DiskCopy read_copy(const std::string& path, const dns::Name& origin) {
  DiskCopy copy;
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0) return copy;
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  copy.zone = dns::parse_master_file(text, origin).zone;
  copy.checked = static_cast<std::uint64_t>(facts.st_mtime);
  return copy;
}

// IXFR with the SOA that we have, AXFR without one.
std::string transfer_request(std::uint16_t id, const dns::Question& question,
                             const dns::Zones::Pointer& current) {
  dns::Header header;
  header.id = id;
  dns::MessageBuilder builder(header);
  const bool asked = builder.question(question);
  const bool told = question.type != dns::Type::ixfr ||
                    builder.authority(current->soa_set(), dns::Signatures::omit);
  check(asked && told, "a question and a SOA fit into a message");
  return builder.finish();
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
  const auto primary = parse_server(parts[0]);
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
  const dns::TsigKey* key = key_of(*copy);
  const dns::Question question(copy->settings.zone, type);
  auto stream = co_await dns::DnsStream::connect(copy->settings.primary, Deadline::in(ask_time));
  if (!stream) co_return fail(stream.error().text());
  const std::uint16_t id = random_id();
  std::string request = transfer_request(id, question, copy->current);
  std::optional<dns::TsigVerifier> verifier;
  if (key != nullptr) {
    const dns::TsigKey signing = *key;
    std::string mac = dns::sign_request(request, signing, dns::wall_seconds());
    verifier.emplace(signing, std::move(mac));
  }
  const auto sent = co_await stream->send(std::move(request), Deadline::in(ask_time));
  if (!sent) co_return fail(sent.error().text());
  dns::TransferReader reader(question, id, copy->current);
  while (true) {
    auto message = co_await stream->receive(Deadline::in(transfer_idle));
    if (!message) co_return fail(message.error().text());
    if (verifier) {
      const auto good = verifier->check(*message, dns::wall_seconds());
      if (!good) co_return fail(good.error().why);
    }
    const std::string plain = dns::without_tsig(*message);
    const auto state = reader.take(plain);
    if (!state) co_return fail(state.error().reason);
    if (*state == dns::TransferReader::State::complete) break;
  }
  if (verifier && !verifier->is_complete())
    co_return fail(std::string("the last message of the transfer is not signed"));
  co_return reader.version();
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
