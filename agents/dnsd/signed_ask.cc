#include "agents/dnsd/signed_ask.h"

#include "libdns/resolver/dns_stream.h"
#include "libdns/resolver/wall_clock.h"

namespace posthorn::dnsd {

using async::Deadline;
using async::Task;

Task<Result<std::string, std::string>> ask_signed(async::Endpoint server, std::string query,
                                                  dns::TsigKey key, Deadline deadline) {
  auto stream = co_await dns::DnsStream::connect(std::move(server), deadline);
  if (!stream) co_return fail(stream.error().text());
  std::string mac = dns::sign_request(query, key, dns::wall_seconds());
  const auto sent = co_await stream->send(std::move(query), deadline);
  if (!sent) co_return fail(sent.error().text());
  auto received = co_await stream->receive(deadline);
  if (!received) co_return fail(received.error().text());
  dns::TsigVerifier verifier(key, std::move(mac));
  const auto good = verifier.check(*received, dns::wall_seconds());
  if (!good) co_return fail(good.error().why);
  co_return std::move(*received);
}

}  // namespace posthorn::dnsd
