#include "agents/dnsd/keeper.h"

#include <unistd.h>

#include <algorithm>

#include "agents/dnsd/signed_ask.h"
#include "libdns/resolver/server_address.h"
#include "libdns/wire/builder.h"
#include "libmail/base/text.h"

namespace posthorn::dnsd {

using async::Deadline;
using async::Task;

namespace {

constexpr int notify_attempts = 5;  // RFC 1996 3.6
constexpr Duration first_notify_wait = std::chrono::seconds(2);

// RFC 1996 3.7, without the SOA that may come along.
std::string notify_message(const dns::Name& zone) {
  dns::Header header;
  header.opcode = dns::Opcode::notify;
  header.authoritative = true;
  dns::MessageBuilder builder(header);
  const bool fits = builder.question(dns::Question(zone, dns::Type::soa));
  check(fits, "a question fits into a message");
  return builder.finish();
}

std::optional<dns::Grant::Match> parse_match(std::string_view text) {
  using Match = dns::Grant::Match;
  for (const auto& [name, match] : {std::pair{"self", Match::self},
                                    {"exact", Match::exact},
                                    {"subdomain", Match::subdomain},
                                    {"wildcard", Match::wildcard}}) {
    if (text == name) return match;
  }
  return std::nullopt;
}

}  // namespace

Result<dns::Grant, std::string> parse_grant(std::string_view text) {
  const auto parts = words(text);
  const auto wrong = [text] {
    return fail("expects KEY self|subdomain|exact|wildcard NAME [TYPE,...], not \"" +
                printable(text) + "\"");
  };
  if (parts.size() < 3 || parts.size() > 4) return wrong();
  auto key = dns::Name::parse(parts[0]);
  const auto match = parse_match(parts[1]);
  auto name = dns::Name::parse(parts[2]);
  if (!key || !match || !name) return wrong();
  std::vector<dns::Type> types;
  for (const auto each :
       parts.size() == 4 ? split(parts[3], ',') : std::vector<std::string_view>()) {
    const auto type = dns::parse_type(each);
    if (!type) return fail("\"" + printable(each) + "\" is no record type");
    types.push_back(*type);
  }
  return dns::Grant(std::move(*key), *match, std::move(*name), std::move(types));
}

Result<NotifyTarget, std::string> parse_notify(std::string_view text) {
  const auto comma = text.find(',');
  auto server = dns::parse_server_address(text.substr(0, comma));
  if (!server) return fail(server.error());
  NotifyTarget target{std::move(*server), std::nullopt};
  if (comma == std::string_view::npos) return target;
  auto key = dns::Name::parse(text.substr(comma + 1));
  if (!key) return fail("expects ADDRESS[:PORT][,KEY], not \"" + printable(text) + "\"");
  target.key = std::move(*key);
  return target;
}

Keeper::Keeper(OwnZones& own, Secondaries& secondaries, dns::Exchange& exchange, service::Log& log)
    : own_(own), secondaries_(secondaries), exchange_(exchange), log_(log) {}

bool Keeper::may_transfer(const dns::Name&, const dns::Asker& asker) const {
  const auto& keys = settings_.transfer_keys;
  if (asker.key && std::ranges::find(keys, *asker.key) != keys.end()) return true;
  if (asker.client.transport == dns::Client::Transport::unix_stream) return true;
  return settings_.transfer_networks.contains(asker.client.text());
}

std::vector<std::shared_ptr<const dns::ZoneDifference>> Keeper::history(
    const dns::Name& zone) const {
  return own_.history(zone);
}

Task<Result<void, dns::UpdateRefusal>> Keeper::update(std::string message, dns::Asker asker) {
  const auto view = dns::MessageView::parse(message);
  if (!view || view->questions().size() != 1)
    co_return fail(dns::UpdateRefusal(dns::Rcode::formerr, "not one zone"));
  const dns::Name zone = view->questions()[0].name.name();
  dns::UpdateContext context;
  context.key = asker.key;
  context.grants = settings_.grants;
  context.serial_policy = settings_.serial_policy;
  const bool is_unix = asker.client.transport == dns::Client::Transport::unix_stream;
  context.trusted = is_unix && (asker.client.uid == 0 || asker.client.uid == ::geteuid());
  auto done = co_await own_.update(zone, std::move(message), context);
  if (!done) {
    log_.warning("", "update-refused",
                 {{"zone", zone.text()},
                  {"client", asker.client.text()},
                  {"key", asker.key ? asker.key->text() : ""},
                  {"rcode", dns::to_string(done.error().rcode)},
                  {"why", done.error().reason}});
  }
  co_return done;
}

dns::Rcode Keeper::notified(const dns::Name& zone, std::optional<std::uint32_t> serial,
                            const dns::Asker& asker) {
  return secondaries_.notified(zone, serial, asker) ? dns::Rcode::noerror : dns::Rcode::refused;
}

void Keeper::changed(const dns::Name& zone) {
  if (stopping_.is_set()) return;
  for (const NotifyTarget& to : settings_.notify) notifying_.spawn(notify(zone, to));
}

Task<Result<std::string, std::string>> Keeper::ask_once(std::string message, NotifyTarget to,
                                                        Duration wait) {
  if (!to.key) {
    auto answer = co_await exchange_.ask(to.server, std::move(message), dns::Transport::udp,
                                         Deadline::in(wait));
    if (!answer) co_return fail(answer.error().text);
    co_return std::move(*answer);
  }
  const auto key = std::ranges::find(keys_, *to.key, &dns::TsigKey::name);
  if (key == keys_.end()) co_return fail("there is no key " + to.key->text());
  auto answer = co_await ask_signed(to.server, std::move(message), *key, Deadline::in(wait));
  co_return answer;
}

// Whoever answers has heard it, but who refuses it won't come.
Task<void> Keeper::notify(dns::Name zone, NotifyTarget to) {
  Duration wait = first_notify_wait;
  std::string why;
  for (int attempt = 0; attempt < notify_attempts && !stopping_.is_set(); ++attempt) {
    std::string message = notify_message(zone);
    const auto answer = co_await ask_once(std::move(message), to, wait);
    const auto view = dns::MessageView::parse(answer.value_or(std::string()));
    if (view && view->rcode() == dns::Rcode::noerror) {
      log_.info("", "notified", {{"zone", zone.text()}, {"server", to.server.text()}});
      co_return;
    }
    why = !answer ? answer.error() : view ? dns::to_string(view->rcode()) : "no DNS message";
    const bool stop = co_await stopping_.wait_until(Deadline::in(wait));
    if (stop) co_return;
    wait *= 2;
  }
  log_.warning("", "not-notified",
               {{"zone", zone.text()}, {"server", to.server.text()}, {"why", why}});
}

Task<void> Keeper::stop() {
  stopping_.set();
  co_await notifying_.join();
}

}  // namespace posthorn::dnsd
