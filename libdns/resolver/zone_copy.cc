#include "libdns/resolver/zone_copy.h"

#include "libdns/resolver/dns_stream.h"
#include "libdns/resolver/wall_clock.h"
#include "libdns/wire/builder.h"
#include "libmail/base/random.h"

namespace posthorn::dns {

using async::Deadline;
using async::Task;

namespace {

TransferFault trouble(std::string why) {
  return {Rcode::noerror, std::move(why)};
}

// IXFR tells the SOA that we have.
std::string request_message(std::uint16_t id, const CopyRequest& request) {
  Header header;
  header.id = id;
  MessageBuilder builder(header);
  const bool asked = builder.question(Question(request.zone, request.type));
  const bool told =
      request.type != Type::ixfr || builder.authority(request.current->soa_set(), Signatures::omit);
  check(asked && told, "a question and a SOA fit into a message");
  return builder.finish();
}

Task<Result<ZoneVersion, TransferFault>> receive_all(DnsStream& stream, TransferReader& reader,
                                                     TsigVerifier* verifier, Duration idle) {
  while (true) {
    auto message = co_await stream.receive(Deadline::in(idle));
    if (!message) co_return fail(trouble(message.error().text()));
    if (verifier != nullptr) {
      const auto good = verifier->check(*message, wall_seconds());
      if (!good) co_return fail(trouble("TSIG: " + good.error().why));
    }
    const std::string plain = without_tsig(*message);
    const auto state = reader.take(plain);
    if (!state) co_return fail(state.error());
    if (*state == TransferReader::State::complete) break;
  }
  if (verifier != nullptr && !verifier->is_complete())
    co_return fail(trouble("TSIG: the last message of the transfer is not signed"));
  co_return reader.version();
}

}  // namespace

Task<Result<ZoneVersion, TransferFault>> copy_zone(CopyRequest request) {
  const Deadline deadline = Deadline::in(request.ask_time);
  auto stream = co_await DnsStream::connect(request.server, deadline);
  if (!stream) co_return fail(trouble(stream.error().text()));
  const auto id = static_cast<std::uint16_t>(random_u64());
  std::string message = request_message(id, request);
  std::optional<TsigVerifier> verifier;
  if (request.key) {
    std::string mac = sign_request(message, *request.key, wall_seconds());
    verifier.emplace(*request.key, std::move(mac));
  }
  const auto sent = co_await stream->send(std::move(message), deadline);
  if (!sent) co_return fail(trouble(sent.error().text()));
  const Question question(request.zone, request.type);
  TransferReader reader(question, id, request.current);
  TsigVerifier* checks = verifier ? &*verifier : nullptr;
  auto version = co_await receive_all(*stream, reader, checks, request.idle_time);
  stream->close();
  co_return version;
}

}  // namespace posthorn::dns
