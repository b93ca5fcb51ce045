// One question in, one answer out: own records first, then the cache, then ask others.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libdns/dnssec/cookie.h"
#include "libdns/server/answer_cache.h"
#include "libdns/server/client.h"
#include "libdns/server/local.h"
#include "libdns/server/rate.h"
#include "libdns/server/zones.h"
#include "libmail/async/task.h"
#include "libmail/async/timer.h"

namespace posthorn::dns {

class Recursor;
struct DatagramWay;

// Where answers go that take their time.
class Sink {
 public:
  virtual ~Sink() = default;
  Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  // False if there is nobody any more: stop. By UDP only one answer may follow a question.
  virtual async::Task<bool> send(std::string message) = 0;
  // How the question came, if it was by UDP: for who has another process answer it.
  [[nodiscard]] virtual const DatagramWay* datagram() const { return nullptr; }
};

// What is no plain question: UPDATE, NOTIFY, transfers, anything signed with TSIG.
class SpecialHandler {
 public:
  virtual ~SpecialHandler() = default;
  SpecialHandler() = default;
  SpecialHandler(const SpecialHandler&) = delete;
  SpecialHandler& operator=(const SpecialHandler&) = delete;
  // `packet` is a well-formed message with one question that asks.
  virtual async::Task<void> handle(std::string packet, Client client, Sink& sink) = 0;
};

struct ResponderSettings {
  std::function<bool(const Client&)> may_recurse;  // none: nobody
  std::function<bool(const Client&)> is_trusted;   // AD on answers of our own zones; none: nobody
  std::uint16_t udp_octets = edns_udp_octets;      // of an answer by UDP at most
  std::vector<Secret> cookie_secrets;              // the one in use first; none: no cookies
  RateSettings rate;
  std::size_t ready_octets = std::size_t{8} << 20;  // for answers that are ready to be sent
  // An answer by UDP that took longer than this is not sent, unless it is hardly longer than its
  // question: nobody waits any more, and answers that were held back and come all at once are a
  // weapon (DNSBomb).
  Duration discard_after = std::chrono::milliseconds(1900);
  Duration query_time = std::chrono::seconds(8);
  Duration stream_idle = std::chrono::seconds(10);  // as StreamLimits::idle: clients may ask for it
  ResponderSettings() = default;
};

struct ResponderCounters {
  std::uint64_t udp = 0;
  std::uint64_t tcp = 0;
  std::uint64_t unix_stream = 0;
  std::uint64_t ready = 0;          // answered by a copy
  std::uint64_t authoritative = 0;  // ... from a zone
  std::uint64_t cached = 0;         // ... from the resolver's cache
  std::uint64_t recursed = 0;       // others had to be asked
  std::uint64_t special = 0;
  std::uint64_t truncated = 0;
  std::uint64_t rate_limited = 0;
  std::uint64_t ignored = 0;               // no questions at all
  std::uint64_t late = 0;                  // discarded
  std::array<std::uint64_t, 16> rcodes{};  // of answers, 15: all others
};

class Responder {
 public:
  // `recursor` may be null: then only own zones are spoken for. Both outlive it.
  Responder(Zones& zones, Recursor* recursor, ResponderSettings settings);
  ~Responder();
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;

  void set_special(SpecialHandler* handler) { special_ = handler; }  // outlives it
  void set(ResponderSettings settings);                              // a reload

  enum class Outcome : std::uint8_t {
    answered,  // `out` is the answer
    nothing,   // there is nothing to be said
    later,     // answer_later() has to wait for others
  };
  // At once, whatever the packet is. `out` is used again and again.
  Outcome answer(std::string_view packet, const Client& client, std::string& out);
  // After Outcome::later, with the same. Gives the sink what there is to send.
  async::Task<void> answer_later(std::string packet, Client client, Sink& sink);

  // Answers that are ready may depend on what was flushed from the resolver's cache.
  void forget_ready();
  [[nodiscard]] const ResponderCounters& counters() const { return counters_; }
  [[nodiscard]] const AnswerCache& ready() const { return ready_; }

 private:
  void count_transport(Client::Transport transport);
  [[nodiscard]] AnswerClass class_of(const Query& query, const Client& client) const;
  Outcome answer_plain(const Client& client, std::string& out);
  Outcome answer_special(std::string_view packet, const Client& client, std::string& out);
  // Nothing if the resolver has to ask others.
  [[nodiscard]] std::optional<NewAnswer> find_answer(const Query& query, AnswerClass asker);
  [[nodiscard]] std::optional<Rcode> refusal(const Query& query) const;
  async::Task<NewAnswer> resolve(const Query& query, AnswerClass asker);
  void keep(const Query& query, AnswerClass asker, const NewAnswer& answer);
  // The message with this client's id, case, OPT and limits.
  Outcome finish(const Query& query, AnswerClass asker, const Client& client,
                 const ReadyAnswer& ready, std::string& out);
  Outcome finish(const Query& query, AnswerClass asker, const Client& client,
                 const NewAnswer& answer, std::string& out);
  void append_opt(const Query& query, const Client& client, std::string_view error,
                  std::string& out);
  bool is_cookie_good(const Query& query, const Client& client) const;
  [[nodiscard]] std::uint32_t seconds() const;

  Zones& zones_;
  Recursor* recursor_;
  ResponderSettings settings_;
  SpecialHandler* special_ = nullptr;
  AnswerCache ready_;
  RateLimiter rate_;
  Query query_;  // of answer(): 300 octets that needn't be made each time
  ResponderCounters counters_;
};

}  // namespace posthorn::dns
