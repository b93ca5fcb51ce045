#include "libdns/resolver/upstream.h"

#include <algorithm>

#include "libdns/dnssec/cookie.h"
#include "libdns/resolver/recursor.h"
#include "libdns/wire/builder.h"
#include "libmail/async/loop.h"
#include "libmail/base/random.h"
#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

using Kind = ExchangeError::Kind;

// UDP, TCP, without EDNS, with a cookie, without 0x20: no server needs more.
constexpr int tries_each = 5;
constexpr std::size_t rounds = 2;

MonoTime now() {
  return async::Loop::current().now();
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// The question of a reply in our own letters again: names in its data may be pointers to it, and
// the dice are nobody else's affair.
std::string spelled_as_asked(std::string reply, const Name& name) {
  const std::string_view wire = name.wire();
  const bool has_question =
      reply.size() >= header_octets + wire.size() &&
      iequals(std::string_view(reply).substr(header_octets, wire.size()), wire);
  if (has_question) reply.replace(header_octets, wire.size(), wire);
  return reply;
}

// Each letter's case is a random bit more that a forger must guess.
Name in_random_case(const Name& name) {
  std::string wire(name.wire());
  const std::string bits = random_octets((wire.size() + 7) / 8);
  for (std::size_t i = 0; i < wire.size(); ++i) {
    const bool flip = (static_cast<unsigned char>(bits[i / 8]) >> (i % 8) & 1) != 0;
    if (flip && is_letter(wire[i])) wire[i] = static_cast<char>(wire[i] ^ 0x20);
  }
  return Name::from_wire(wire).value_or(name);
}

std::string folded_wire(const Name& name) {
  return std::string(name.folded().wire());
}

ExtendedError error_of(EdeCode code, std::string text) {
  return {static_cast<std::uint16_t>(code), std::move(text)};
}

}  // namespace

struct Upstream::Manner {
  Transport transport = Transport::udp;
  bool random_case = false;
  bool edns = true;
  bool after_mismatch = false;
  bool cookie_again = false;
  Manner() = default;
};

struct Upstream::Heard {
  std::string octets;  // empty: nothing that could be read
  std::string why;
  bool limited = false;
  Kind error = Kind::timed_out;
  bool failed = true;
  Heard() = default;
};

struct Upstream::Flight {
  async::Event done;
  Heard heard;
};

class Upstream::Place {
 public:
  Place(Upstream& upstream, const Name& zone) : upstream_(upstream), zone_(zone.folded()) {
    waiting_ = ++upstream_.waiting_[zone_];
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    const auto place = upstream_.waiting_.find(zone_);
    if (--place->second == 0) upstream_.waiting_.erase(place);
  }
  [[nodiscard]] std::size_t waiting() const { return waiting_; }

 private:
  Upstream& upstream_;
  Name zone_;
  std::size_t waiting_;
};

Upstream::Upstream(Exchange& exchange, const RecursorSettings& settings, RecursorStats& stats)
    : exchange_(exchange), settings_(settings), stats_(stats), servers_(settings.limits) {}

std::string Upstream::make_packet(const Inquiry& inquiry, const Manner& manner,
                                  const KnownServer& server) const {
  Header header;
  header.recursion_desired = inquiry.source.forwarder;
  // We validate ourselves, and want to see what is wrong (RFC 6840 5.9).
  header.checking_disabled = inquiry.source.forwarder && settings_.validate;
  MessageBuilder builder(header);
  Question question = inquiry.question;
  if (manner.random_case) question.name = in_random_case(question.name);
  if (!builder.question(question)) return {};
  if (manner.edns) {
    EdnsSettings edns;
    edns.dnssec_ok = true;
    edns.options.emplace_back(edns_cookie, server.client_cookie + server.server_cookie);
    if (!builder.edns(std::move(edns))) return {};
  }
  return builder.finish();
}

async::Task<Upstream::Heard> Upstream::send(async::Endpoint server, const Inquiry& inquiry,
                                            Manner manner, Work& work) {
  Heard heard;
  std::string packet = make_packet(inquiry, manner, servers_.of(server));
  const bool tcp = manner.transport == Transport::tcp;
  const Duration patience = tcp ? Duration(settings_.limits.tcp_try) : servers_.patience(server);
  const async::Deadline deadline = async::Deadline::in(patience).or_before(work.deadline);
  const MonoTime begin = now();
  ++stats_.upstream;
  if (tcp) ++stats_.tcp;
  auto reply = co_await exchange_.ask(server, std::move(packet), manner.transport, deadline);
  if (reply) {
    servers_.answered(server, now() - begin);
    heard.failed = false;
    heard.octets = spelled_as_asked(std::move(*reply), inquiry.question.name);
  } else {
    heard.error = reply.error().kind;
    heard.why = std::move(reply.error().text);
  }
  co_return heard;
}

Upstream::Next Upstream::after_error(Heard& heard, const async::Endpoint& server, Manner& manner) {
  if (heard.error == Kind::mismatch && manner.transport == Transport::udp) {
    ++stats_.mismatches;
    if (manner.after_mismatch) return Next::done;
    manner.after_mismatch = true;
    manner.transport = Transport::tcp;
    return Next::again;
  }
  // A server that changes letters and knows no TCP: once more as if there were no 0x20.
  if (manner.after_mismatch && manner.transport == Transport::tcp && manner.random_case) {
    manner.transport = Transport::udp;
    manner.random_case = false;
    return Next::again;
  }
  if (heard.error == Kind::timed_out) ++stats_.timeouts;
  if (heard.error == Kind::timed_out) servers_.silent(server, now());
  if (heard.error == Kind::network) servers_.unreachable(server, now());
  return Next::done;
}

bool Upstream::check_cookie_of(const MessageView& reply, KnownServer& server) {
  std::optional<Cookie> cookie;
  if (reply.edns()) {
    for (const EdnsOption& option : reply.edns()->options) {
      if (option.code == edns_cookie && !cookie) cookie = parse_cookie(option.octets);
    }
  }
  if (!cookie) return server.server_cookie.empty();
  if (cookie->client != server.client_cookie) return false;
  server.server_cookie = cookie->server;
  return true;
}

// What a reply wants done differently.
Upstream::Next Upstream::look_at(Heard& heard, const async::Endpoint& server, Manner& manner) {
  const auto message = MessageView::parse(heard.octets);
  const bool udp = manner.transport == Transport::udp;
  if (!message) {
    heard.failed = true;
    heard.error = Kind::protocol;
    heard.why = "a broken message from " + server.text() + ": " + message.error().text();
    if (!udp) return Next::done;
    manner.transport = Transport::tcp;
    return Next::again;
  }
  KnownServer& known = servers_.of(server);
  const Rcode rcode = message->rcode();
  const bool refuses_edns =
      rcode == Rcode::badvers ||
      ((rcode == Rcode::formerr || rcode == Rcode::notimp) && !message->edns());
  if (manner.edns && refuses_edns) {
    known.no_edns_until = now() + settings_.limits.plain_for;
    manner.edns = false;
    return Next::again;
  }
  if (manner.edns && udp && !check_cookie_of(*message, known)) {
    known.server_cookie.clear();
    manner.transport = Transport::tcp;
    return Next::again;
  }
  if (rcode == Rcode::badcookie) {
    if (manner.cookie_again) manner.transport = Transport::tcp;
    if (manner.cookie_again && !udp) return Next::done;
    manner.cookie_again = true;
    return Next::again;
  }
  if (udp && message->header().truncated) {
    manner.transport = Transport::tcp;
    return Next::again;
  }
  return Next::done;
}

async::Task<Upstream::Heard> Upstream::try_server(async::Endpoint server, const Inquiry& inquiry,
                                                  Work& work) {
  Manner manner;
  manner.random_case = settings_.randomise_case;
  manner.edns = now() >= servers_.of(server).no_edns_until;
  Heard heard;
  for (int tried = 0; tried < tries_each; ++tried) {
    if (!work.spend()) {
      heard = Heard();
      heard.limited = true;
      heard.why = "the question has used up its queries or its time";
      co_return heard;
    }
    heard = co_await send(server, inquiry, manner, work);
    const Next next =
        heard.failed ? after_error(heard, server, manner) : look_at(heard, server, manner);
    if (next == Next::done) co_return heard;
  }
  heard.failed = true;
  heard.error = Kind::protocol;
  if (heard.why.empty()) heard.why = server.text() + " always wants it otherwise";
  co_return heard;
}

async::Task<Upstream::Heard> Upstream::hear(async::Endpoint server, const Inquiry& inquiry,
                                            Work& work) {
  const std::string key = server.text() + ' ' + to_string(inquiry.question.type) +
                          (inquiry.source.forwarder ? " rd " : " ") +
                          folded_wire(inquiry.question.name);
  const auto there = flights_.find(key);
  if (there != flights_.end()) {
    const std::shared_ptr<Flight> flight = there->second;
    const bool done = co_await flight->done.wait_until(work.deadline);
    if (done && !flight->heard.limited) co_return flight->heard;
  }
  const auto flight = std::make_shared<Flight>();
  const bool first = flights_.emplace(key, flight).second;
  flight->heard = co_await try_server(std::move(server), inquiry, work);
  if (first) flights_.erase(key);
  flight->done.set();
  co_return flight->heard;
}

void Upstream::judge(Told& told, const Heard& heard, const Inquiry& inquiry,
                     const async::Endpoint& server) {
  if (heard.failed) {
    told.why = error_of(
        heard.error == Kind::network ? EdeCode::network_error : EdeCode::no_reachable_authority,
        heard.why);
    return;
  }
  const auto message = MessageView::parse(heard.octets);
  if (!message) return;
  told.scrubbed = inquiry.priming ? scrub_priming(*message, inquiry.source)
                                  : scrub(*message, inquiry.question, inquiry.source);
  told.scrubbed.server = server.text();
  const Meaning meaning = told.scrubbed.meaning;
  told.useful = meaning != Meaning::lame && meaning != Meaning::failed &&
                (meaning != Meaning::unusable || told.scrubbed.rcode == Rcode::yxdomain);
  if (told.useful) return;
  const bool refused = meaning == Meaning::failed && told.scrubbed.rcode == Rcode::refused;
  if ((meaning == Meaning::lame || refused) && !inquiry.source.forwarder)
    servers_.lame(server, inquiry.source.zone, now());
  told.why = error_of(
      refused || meaning == Meaning::lame ? EdeCode::not_authoritative : EdeCode::invalid_data,
      server.text() + " says of " + inquiry.source.zone.text() + ": " + told.scrubbed.why);
  const auto error = message->edns() ? message->edns()->extended_error() : std::nullopt;
  if (error) told.why.explanation += " (" + error->describe() + ")";
}

async::Task<Told> Upstream::ask(Inquiry inquiry, Work& work) {
  Told told;
  told.why = error_of(EdeCode::no_reachable_authority,
                      "no server of " + inquiry.source.zone.text() + " can be asked");
  const Place place(*this, inquiry.source.zone);
  if (!inquiry.source.forwarder && place.waiting() > settings_.limits.waiting_each_zone) {
    ++stats_.limited;
    told.why = error_of(EdeCode::no_reachable_authority,
                        "too many questions wait for " + inquiry.source.zone.text());
    work.exhausted = true;
    co_return told;
  }
  std::vector<async::Endpoint> order =
      servers_.in_order(inquiry.servers, inquiry.source.zone, now());
  if (order.size() > settings_.limits.addresses_tried)
    order.resize(settings_.limits.addresses_tried);
  for (std::size_t round = 0; round < rounds; ++round) {
    std::vector<async::Endpoint> again;
    for (const async::Endpoint& server : order) {
      const Heard heard = co_await hear(server, inquiry, work);
      judge(told, heard, inquiry, server);
      if (told.useful || heard.limited) co_return told;
      // Silence may be a lost packet; whoever has spoken has said what he has to say.
      if (heard.failed && heard.error == Kind::timed_out) again.push_back(server);
    }
    order = std::move(again);
  }
  co_return told;
}

}  // namespace posthorn::dns
