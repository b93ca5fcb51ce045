#include "agents/nslook/zone_source.h"

#include "libdns/resolver/dns_stream.h"
#include "libdns/wire/builder.h"
#include "libmail/base/random.h"

namespace posthorn::nslook {

Result<void, std::string> TransferAnswer::check(const dns::MessageView& view) const {
  if (!view.header().response || view.header().id != id_) {
    return fail(std::string("what the server sent answers another question"));
  }
  if (view.rcode() == dns::Rcode::noerror) return {};
  const std::string rcode = dns::to_string(view.rcode());
  if (view.rcode() == dns::Rcode::refused || view.rcode() == dns::Rcode::notauth) {
    return fail("the server gives the zone to others only, or hasn't got it: " + rcode);
  }
  return fail("the server answered " + rcode);
}

Result<bool, std::string> TransferAnswer::take(std::string_view message, const TakeRecord& take) {
  const auto view = dns::MessageView::parse(message);
  if (!view) return fail("a message of the transfer is damaged: " + view.error().text());
  if (auto good = check(*view); !good) return fail(good.error());
  if (view->answer().empty()) return fail(std::string("an empty message in the transfer"));
  for (const dns::RecordView& record : view->answer()) {
    if (done_) return fail(std::string("records behind the end of the transfer"));
    if (!record.owner.name().is_at_or_below(question_.name)) {
      return fail(std::string("a record of another zone: ") + record.owner.text());
    }
    if (!soa_) {
      if (record.type != dns::Type::soa) return fail(std::string("it doesn't begin with the SOA"));
      soa_ = record.data();
    } else if (record.type == dns::Type::soa) {
      if (record.data() != *soa_) return fail(std::string("the zone changed under way"));
      done_ = true;
      continue;
    }
    take(record.record());
  }
  return done_;
}

namespace {

std::string axfr_query(const dns::Question& question, std::uint16_t id) {
  dns::Header header;
  header.id = id;
  dns::MessageBuilder builder(header);
  posthorn::check(builder.question(question), "no room for the question");
  return builder.finish();
}

std::uint16_t random_id() {
  const std::string octets = random_octets(2);
  return static_cast<std::uint16_t>(static_cast<unsigned char>(octets[0]) << 8 |
                                    static_cast<unsigned char>(octets[1]));
}

// One transfer that runs.
struct Running {
  dns::DnsStream stream;
  TransferAnswer answer;
  std::optional<dns::TsigVerifier> verifier;
};

async::Task<Result<void, std::string>> receive_all(Running& running, const Asker::Clock& clock,
                                                   Duration timeout, const TakeRecord& take) {
  bool done = false;
  while (!done) {
    const auto deadline = async::Deadline::in(timeout);
    const auto message = co_await running.stream.receive(deadline);
    if (!message) co_return fail("the transfer broke off: " + message.error().text());
    if (running.verifier) {
      const auto good = running.verifier->check(*message, clock());
      if (!good) co_return fail("TSIG: " + good.error().why);
    }
    const auto taken = running.answer.take(*message, take);
    if (!taken) co_return fail(taken.error());
    done = *taken;
  }
  if (running.verifier && !running.verifier->is_complete()) {
    co_return fail(std::string("TSIG: the last message isn't signed"));
  }
  co_return Result<void, std::string>();
}

}  // namespace

async::Task<Result<void, std::string>> StreamZoneSource::transfer(Place place, dns::Name zone,
                                                                  Manner manner, TakeRecord take) {
  const auto deadline = async::Deadline::in(manner.timeout);
  auto connected = co_await connect_(place.at, deadline);
  if (!connected) co_return fail(connected.error().text());
  const dns::Question question(zone, dns::Type::axfr);
  const std::uint16_t id = random_id();
  Running running{dns::DnsStream(std::move(*connected)), TransferAnswer(question, id), {}};
  std::string query = axfr_query(question, id);
  if (manner.key) {
    const std::string mac = dns::sign_request(query, *manner.key, clock_());
    running.verifier.emplace(*manner.key, mac);
  }
  const auto sent = co_await running.stream.send(std::move(query), deadline);
  if (!sent) co_return fail(sent.error().text());
  auto result = co_await receive_all(running, clock_, manner.timeout, take);
  running.stream.close();
  co_return result;
}

}  // namespace posthorn::nslook
