#include "agents/nslook/asker.h"

#include <fmt/format.h>

#include "libdns/wire/builder.h"
#include "libmail/async/loop.h"
#include "libmail/base/text.h"

namespace posthorn::nslook {

std::uint64_t wall_seconds() {
  const auto now = std::chrono::time_point_cast<std::chrono::seconds>(wall_now());
  return static_cast<std::uint64_t>(now.time_since_epoch().count());
}

std::string_view Reply::transport_text() const {
  if (server.at.kind == async::Endpoint::Kind::unix_socket) return "unix";
  return transport == dns::Transport::tcp ? "tcp" : "udp";
}

// One message to be sent.
struct Asker::Try {
  Place place;
  dns::Question question;
  Manner manner;
  dns::Transport transport = dns::Transport::udp;
  bool edns = true;
};

Asker::Asker(dns::Exchange& exchange, Clock clock)
    : exchange_(exchange), clock_(std::move(clock)) {}

namespace {

std::string build_query(const dns::Question& question, const Manner& manner, bool edns) {
  dns::Header header;
  header.recursion_desired = manner.recurse;
  header.checking_disabled = manner.checking_disabled;
  header.authentic_data = edns;  // RFC 6840 5.7: we know what AD means
  dns::MessageBuilder builder(header);
  dns::EdnsSettings settings;
  settings.dnssec_ok = manner.dnssec_ok;
  check(!edns || builder.edns(std::move(settings)), "no room for OPT");
  check(builder.question(question), "no room for the question");
  return builder.finish();
}

Failure failure_of(const dns::ExchangeError& error, const Place& place) {
  using Kind = dns::ExchangeError::Kind;
  Failure failure;
  failure.server = place;
  const std::string where = place.address_text();
  switch (error.kind) {
    case Kind::timed_out:
      failure.kind = Failure::Kind::silent;
      failure.text = "no answer from " + where;
      break;
    case Kind::mismatch:
      failure.kind = Failure::Kind::malformed;
      failure.text = "what came from " + where + " answers another question";
      break;
    case Kind::protocol:
      failure.kind = Failure::Kind::malformed;
      failure.text = "what came from " + where + " is no DNS: " + printable(error.text);
      break;
    default:  // the network's troubles
      failure.kind = Failure::Kind::network;
      failure.text = where + ": " + printable(error.text);
      break;
  }
  return failure;
}

// A server that doesn't know EDNS says so without OPT (RFC 6891 7).
bool refuses_edns(const Reply& reply) {
  const dns::MessageView view = reply.view();
  if (view.rcode() == dns::Rcode::badvers) return true;
  const bool lost = view.rcode() == dns::Rcode::formerr || view.rcode() == dns::Rcode::notimp;
  return lost && !view.edns();
}

}  // namespace

async::Task<Result<Reply, Failure>> Asker::ask_once(Try what) {
  Reply reply;
  reply.question = what.question;
  reply.server = what.place;
  reply.transport = what.transport;
  reply.query = build_query(what.question, what.manner, what.edns);
  std::string mac;
  if (what.manner.key) mac = dns::sign_request(reply.query, *what.manner.key, clock_());
  const MonoTime began = async::Loop::current().now();
  const auto deadline = async::Deadline::in(what.manner.timeout);
  auto got = co_await exchange_.ask(what.place.at, reply.query, what.transport, deadline);
  if (!got) co_return fail(failure_of(got.error(), what.place));
  reply.time =
      std::chrono::duration_cast<std::chrono::milliseconds>(async::Loop::current().now() - began);
  reply.octets = std::move(*got);
  Failure failure;
  failure.server = what.place;
  const auto view = dns::MessageView::parse(reply.octets);
  if (!view) {
    failure.kind = Failure::Kind::malformed;
    failure.text =
        "the reply of " + what.place.address_text() + " is damaged: " + view.error().text();
    co_return fail(std::move(failure));
  }
  if (what.manner.key) {
    dns::TsigVerifier verifier(*what.manner.key, mac);
    const auto good = verifier.check(reply.octets, clock_());
    if (!good || !*good) {
      failure.kind = Failure::Kind::signature;
      failure.text = "TSIG: " + (good ? std::string("the reply isn't signed") : good.error().why);
      co_return fail(std::move(failure));
    }
    reply.has_signature = true;
  }
  co_return reply;
}

async::Task<Result<Reply, Failure>> Asker::ask(Place place, dns::Question question, Manner manner) {
  using Kind = async::Endpoint::Kind;
  Try next;
  next.place = place;
  next.question = std::move(question);
  next.manner = manner;
  const bool stream = manner.tcp || place.at.kind == Kind::unix_socket;
  next.transport = stream ? dns::Transport::tcp : dns::Transport::udp;
  Failure last;
  for (unsigned tries = 0; tries <= manner.retries;) {
    auto reply = co_await ask_once(next);
    if (!reply) {
      last = reply.error();
      // Somebody guesses, or UDP is mangled on the way: TCP can't be guessed.
      if (last.kind == Failure::Kind::malformed) next.transport = dns::Transport::tcp;
      if (last.kind == Failure::Kind::signature) break;
      ++tries;
      continue;
    }
    if (next.edns && refuses_edns(*reply)) {
      next.edns = false;
      continue;
    }
    const bool cut = reply->view().header().truncated && next.transport == dns::Transport::udp;
    if (!cut || manner.ignore_truncation) co_return std::move(reply);
    next.transport = dns::Transport::tcp;
  }
  co_return fail(std::move(last));
}

}  // namespace posthorn::nslook
