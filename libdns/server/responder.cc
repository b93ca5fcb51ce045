#include "libdns/server/responder.h"

#include <algorithm>
#include <cstring>

#include "libdns/resolver/wall_clock.h"
#include "libdns/server/compose.h"
#include "libmail/async/loop.h"
#include "libmail/base/random.h"

namespace posthorn::dns {

using async::Task;

namespace {

constexpr std::size_t opt_octets = 11;
constexpr std::size_t cookie_octets = 28;    // both of them, as an option
constexpr std::size_t keepalive_octets = 6;  // RFC 7828
// So much longer than its question an answer is no weapon: SERVFAIL may be late.
constexpr std::size_t small_answer = 32;

void put_u16(std::string& out, std::uint16_t value) {
  out.push_back(static_cast<char>(value >> 8));
  out.push_back(static_cast<char>(value));
}
void patch_u16(std::string& out, std::size_t at, std::uint16_t value) {
  out[at] = static_cast<char>(value >> 8);
  out[at + 1] = static_cast<char>(value);
}
std::uint16_t u16(std::string_view octets, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<std::uint8_t>(octets[at]) << 8 |
                                    static_cast<std::uint8_t>(octets[at + 1]));
}

void count_down(std::string& out, const ReadyAnswer& ready) {
  for (std::size_t i = 0; i < ready.ttl_count; ++i) {
    char* at = out.data() + ready.ttls[i];
    const std::uint32_t ttl =
        std::uint32_t{u16(out, ready.ttls[i])} << 16 | u16(out, ready.ttls[i] + std::size_t{2});
    const std::uint32_t left = ttl > ready.age ? ttl - ready.age : 0;
    at[0] = static_cast<char>(left >> 24);
    at[1] = static_cast<char>(left >> 16);
    at[2] = static_cast<char>(left >> 8);
    at[3] = static_cast<char>(left);
  }
}

Rcode rcode_of(std::string_view message) {
  return static_cast<Rcode>(static_cast<std::uint8_t>(message[3]) & 0x0f);
}

// A message of which nothing but the header is understood.
void bare_answer(std::string_view packet, Rcode rcode, std::string& out) {
  out.assign(packet.substr(0, header_octets));
  out[2] = static_cast<char>(0x80 | (out[2] & 0x79));  // QR; opcode and RD as they were
  out[3] = static_cast<char>(rcode);
  for (const std::size_t count_at : {4, 6, 8, 10}) patch_u16(out, count_at, 0);
}

// Type 0 is nobody's, but no reason to say FORMERR.
bool may_be_asked(Type type) {
  return !is_metatype(type) || type == Type::any || type == Type();
}

}  // namespace

Responder::Responder(Zones& zones, Recursor* recursor, ResponderSettings settings)
    : zones_(zones),
      recursor_(recursor),
      settings_(std::move(settings)),
      ready_(settings_.ready_octets, random_octets(16)),
      rate_(settings_.rate, random_octets(16)) {}

Responder::~Responder() = default;

void Responder::set(ResponderSettings settings) {
  settings_ = std::move(settings);
  rate_.set(settings_.rate);
  ready_.clear();
}

void Responder::forget_ready() {
  ready_.clear();
}

std::uint32_t Responder::seconds() const {
  const auto now = async::Loop::current().now().time_since_epoch();
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count());
}

AnswerClass Responder::class_of(const Query& query, const Client& client) const {
  AnswerClass asker;
  asker.recursion_desired = query.recursion_desired;
  asker.checking_disabled = query.checking_disabled;
  asker.dnssec_ok = query.dnssec_ok;
  asker.wants_ad = query.dnssec_ok || query.authentic_data;
  asker.small =
      client.transport == Client::Transport::udp && query.udp_octets < settings_.udp_octets;
  asker.may_recurse =
      recursor_ != nullptr && settings_.may_recurse && settings_.may_recurse(client);
  asker.trusted = settings_.is_trusted && settings_.is_trusted(client);
  return asker;
}

void Responder::count_transport(Client::Transport transport) {
  switch (transport) {
    case Client::Transport::udp:
      ++counters_.udp;
      return;
    case Client::Transport::tcp:
      ++counters_.tcp;
      return;
    case Client::Transport::unix_stream:
      ++counters_.unix_stream;
      return;
  }
}

Responder::Outcome Responder::answer(std::string_view packet, const Client& client,
                                     std::string& out) {
  count_transport(client.transport);
  read_query(packet, query_);
  switch (query_.form) {
    case Query::Form::plain:
      return answer_plain(client, out);
    case Query::Form::special:
      return answer_special(packet, client, out);
    case Query::Form::ignored:
      break;
  }
  ++counters_.ignored;
  return Outcome::nothing;
}

Responder::Outcome Responder::answer_plain(const Client& client, std::string& out) {
  const AnswerClass asker = class_of(query_, client);
  if (query_.edns_version != 0) {
    const NewAnswer answer = compose(query_, asker, Rcode::noerror);
    const Outcome outcome = finish(query_, asker, client, answer, out);
    // The upper eight bits of the rcode are the fifth octet of an OPT from its type on.
    if (outcome == Outcome::answered) out[answer.message.size() + 5] = 1;  // BADVERS (16)
    return outcome;
  }
  if (query_.type == Type::axfr || query_.type == Type::ixfr)
    return answer_special(query_.octets, client, out);
  ReadyAnswer ready;
  if (ready_.find(query_, asker, seconds(), zones_.generation(), ready)) {
    ++counters_.ready;
    return finish(query_, asker, client, ready, out);
  }
  const auto answer = find_answer(query_, asker);
  if (!answer) return Outcome::later;
  keep(query_, asker, *answer);
  return finish(query_, asker, client, *answer, out);
}

std::optional<Rcode> Responder::refusal(const Query& query) const {
  if (query.klass != Class::in) return Rcode::refused;  // version.bind and the like, too
  if (!may_be_asked(query.type)) return Rcode::formerr;
  if (!query.cookie.empty() && !parse_cookie(query.cookie)) return Rcode::formerr;
  return std::nullopt;
}

std::optional<NewAnswer> Responder::find_answer(const Query& query, AnswerClass asker) {
  if (const auto rcode = refusal(query)) return compose(query, asker, *rcode);
  const LocalAnswer local =
      ask_zones(zones_, query.folded_name(), query.name(), query.type, asker.dnssec_ok);
  const bool may_ask = asker.may_recurse && asker.recursion_desired;
  if (local.is_ours && !(may_ask && local.leads_away())) {
    ++counters_.authoritative;
    return compose(query, asker, local);
  }
  // Who may not recurse learns nothing of the cache, either (cache snooping).
  if (!asker.may_recurse) return compose(query, asker, Rcode::refused);
  if (local.is_ours) return std::nullopt;
  const Question question(query.name(), query.type, query.klass);
  ResolveOptions options;
  options.checking_disabled = asker.checking_disabled;
  const auto found = recursor_->from_cache(question, options);
  if (!found && !asker.recursion_desired) {
    const ExtendedError why(static_cast<std::uint16_t>(EdeCode::not_authoritative), "");
    return compose(query, asker, Rcode::refused, &why);
  }
  if (!found) return std::nullopt;
  ++counters_.cached;
  return compose(query, asker, *found);
}

void Responder::keep(const Query& query, AnswerClass asker, const NewAnswer& answer) {
  const Rcode rcode = rcode_of(answer.message);
  const bool is_true_for_long = answer.ttls.empty() || answer.lifetime > 0;
  if ((rcode != Rcode::noerror && rcode != Rcode::nxdomain) || !is_true_for_long) return;
  ready_.put(query, asker, answer, seconds(), zones_.generation());
}

Responder::Outcome Responder::answer_special(std::string_view packet, const Client& client,
                                             std::string& out) {
  ++counters_.special;
  const auto view = MessageView::parse(packet);
  const auto refuse = [&](Rcode rcode) {
    bare_answer(packet, rcode, out);
    ++counters_.rcodes[static_cast<std::size_t>(rcode)];
    // As with other answers: by UDP alone, and not for clients with recursion rights.
    const bool is_spared =
        client.transport != Client::Transport::udp ||
        (recursor_ != nullptr && settings_.may_recurse && settings_.may_recurse(client));
    if (is_spared) return Outcome::answered;
    const bool may_send = rate_.judge(client, {}, rcode, seconds()) == RateLimiter::Verdict::send;
    if (!may_send) ++counters_.rate_limited;
    return may_send ? Outcome::answered : Outcome::nothing;
  };
  if (!view || view->questions().size() != 1) return refuse(Rcode::formerr);
  const bool is_signed = std::ranges::any_of(
      view->additional(), [](const RecordView& record) { return record.type == Type::tsig; });
  switch (view->header().opcode) {
    case Opcode::update:
    case Opcode::notify:
      return special_ != nullptr ? Outcome::later : refuse(Rcode::notimp);
    case Opcode::query:
      break;
    default:
      return refuse(Rcode::notimp);
  }
  const Type type = view->questions()[0].type;
  const bool is_transfer = type == Type::axfr || type == Type::ixfr;
  if (is_signed || is_transfer)
    return special_ != nullptr ? Outcome::later : refuse(Rcode::refused);
  return refuse(Rcode::formerr);
}

Task<void> Responder::answer_later(std::string packet, Client client, Sink& sink) {
  const async::Deadline discard = async::Deadline::in(settings_.discard_after);
  Query query;
  read_query(packet, query);
  const bool is_transfer = query.type == Type::axfr || query.type == Type::ixfr;
  if (query.form != Query::Form::plain || is_transfer) {
    if (special_ == nullptr) co_return;
    co_await special_->handle(std::move(packet), client, sink);
    co_return;
  }
  const AnswerClass asker = class_of(query, client);
  const NewAnswer answer = co_await resolve(query, asker);
  keep(query, asker, answer);
  const bool is_small = answer.message.size() <= packet.size() + small_answer;
  if (client.transport == Client::Transport::udp && discard.passed() && !is_small) {
    ++counters_.late;
    co_return;
  }
  std::string out;
  if (finish(query, asker, client, answer, out) == Outcome::answered) {
    const bool sent = co_await sink.send(std::move(out));
    (void)sent;
  }
}

Task<NewAnswer> Responder::resolve(const Query& query, AnswerClass asker) {
  ++counters_.recursed;
  const async::Deadline deadline = async::Deadline::in(settings_.query_time);
  ResolveOptions options;
  options.checking_disabled = asker.checking_disabled;
  const LocalAnswer local =
      ask_zones(zones_, query.folded_name(), query.name(), query.type, asker.dnssec_ok);
  Question question(query.name(), query.type, query.klass);
  if (local.is_ours && local.next) question.name = *local.next;
  const Resolution found = co_await recursor_->resolve(std::move(question), options, deadline);
  const bool has_chain = local.is_ours && local.next.has_value();
  NewAnswer answer =
      has_chain ? compose(query, asker, local, &found) : compose(query, asker, found);
  co_return answer;
}

bool Responder::is_cookie_good(const Query& query, const Client& client) const {
  if (query.cookie.empty() || settings_.cookie_secrets.empty()) return false;
  const auto cookie = parse_cookie(query.cookie);
  if (!cookie) return false;
  const auto wall = static_cast<std::uint32_t>(wall_seconds());
  const CookieState state = check_cookie(*cookie, client.octets(), settings_.cookie_secrets, wall);
  return state == CookieState::fresh || state == CookieState::old;
}

Responder::Outcome Responder::finish(const Query& query, AnswerClass asker, const Client& client,
                                     const NewAnswer& answer, std::string& out) {
  ReadyAnswer ready;
  ready.message = answer.message;
  ready.error = answer.error;
  return finish(query, asker, client, ready, out);
}

Responder::Outcome Responder::finish(const Query& query, AnswerClass asker, const Client& client,
                                     const ReadyAnswer& ready, std::string& out) {
  out.assign(ready.message);
  patch_u16(out, 0, query.id);
  const std::string_view question = query.question();
  std::memcpy(out.data() + header_octets, question.data(), question.size());
  if (ready.age != 0) count_down(out, ready);
  const Rcode rcode = rcode_of(out);
  const bool is_udp = client.transport == Client::Transport::udp;
  if (is_udp && !asker.may_recurse && !is_cookie_good(query, client)) {
    const auto verdict = rate_.judge(client, query.folded_name(), rcode, seconds());
    if (verdict != RateLimiter::Verdict::send) ++counters_.rate_limited;
    if (verdict == RateLimiter::Verdict::drop) return Outcome::nothing;
    if (verdict == RateLimiter::Verdict::truncate) truncate(out);
  }
  ++counters_.rcodes[std::min<std::size_t>(static_cast<std::size_t>(rcode), 15)];
  // Who is refused gets no more back than was sent.
  std::string_view error = rcode == Rcode::refused && !asker.may_recurse ? "" : ready.error;
  const std::size_t limit =
      is_udp ? std::min(query.udp_octets, settings_.udp_octets) : max_message_octets;
  const std::size_t options =
      (query.cookie.empty() ? 0 : cookie_octets) + (query.keepalive ? keepalive_octets : 0);
  const std::size_t fixed = query.edns ? opt_octets + options : 0;
  if (out.size() + fixed + error.size() > limit) error = {};
  if (out.size() + fixed > limit) {
    ++counters_.truncated;
    truncate(out);
  }
  if (query.edns) append_opt(query, client, error, out);
  return Outcome::answered;
}

void Responder::append_opt(const Query& query, const Client& client, std::string_view error,
                           std::string& out) {
  out.push_back('\0');
  put_u16(out, static_cast<std::uint16_t>(Type::opt));
  put_u16(out, settings_.udp_octets);
  put_u16(out, 0);
  put_u16(out, query.dnssec_ok ? 0x8000 : 0);
  const std::size_t length_at = out.size();
  put_u16(out, 0);
  const auto cookie = query.cookie.empty() || settings_.cookie_secrets.empty()
                          ? std::nullopt
                          : parse_cookie(query.cookie);
  if (cookie) {
    const auto wall = static_cast<std::uint32_t>(wall_seconds());
    const std::string value =
        make_cookie(cookie->client, client.octets(), settings_.cookie_secrets.front(), wall);
    put_u16(out, edns_cookie);
    put_u16(out, static_cast<std::uint16_t>(value.size()));
    out.append(value);
  }
  if (query.keepalive && client.transport != Client::Transport::udp) {
    constexpr Duration unit = std::chrono::milliseconds(100);
    put_u16(out, edns_tcp_keepalive);
    put_u16(out, 2);
    put_u16(out, static_cast<std::uint16_t>(
                     std::clamp<std::int64_t>(settings_.stream_idle / unit, 0, UINT16_MAX)));
  }
  out.append(error);
  patch_u16(out, length_at, static_cast<std::uint16_t>(out.size() - length_at - 2));
  patch_u16(out, 10, static_cast<std::uint16_t>(u16(out, 10) + 1));
}

}  // namespace posthorn::dns
