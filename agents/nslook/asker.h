// One question to one server, with tries, TCP where UDP isn't enough, and signatures.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "agents/nslook/place.h"
#include "libdns/dnssec/tsig.h"
#include "libdns/resolver/exchange.h"
#include "libdns/wire/message.h"

namespace posthorn::nslook {

// How to ask.
struct Manner {
  Duration timeout = std::chrono::seconds(5);  // for one try
  unsigned retries = 2;                        // tries after the first
  bool tcp = false;
  bool recurse = true;             // RD
  bool dnssec_ok = false;          // DO
  bool checking_disabled = false;  // CD
  bool ignore_truncation = false;  // don't ask by TCP again
  std::optional<dns::TsigKey> key;
};

struct Reply {
  dns::Question question;
  std::string query;   // as it was sent, but for the id
  std::string octets;  // has been parsed once, so view() can't fail
  Place server;
  dns::Transport transport = dns::Transport::udp;
  std::chrono::milliseconds time{0};  // of the try that was answered
  bool has_signature = false;         // a good TSIG

  // Into `octets`.
  [[nodiscard]] dns::MessageView view() const { return *dns::MessageView::parse(octets); }
  [[nodiscard]] dns::Rcode rcode() const { return view().rcode(); }
  // "udp", "tcp", "unix"
  [[nodiscard]] std::string_view transport_text() const;
};

struct Failure {
  enum class Kind { silent, network, malformed, signature };
  Kind kind = Kind::silent;
  Place server;
  std::string text;  // one sentence; safe to print
};

class Asker {
 public:
  // Seconds since 1970, for TSIG and signatures.
  using Clock = std::function<std::uint64_t()>;
  // `exchange` outlives it.
  explicit Asker(dns::Exchange& exchange, Clock clock);

  // `place` has an address.
  async::Task<Result<Reply, Failure>> ask(Place place, dns::Question question, Manner manner);
  [[nodiscard]] std::uint64_t now() const { return clock_(); }

 private:
  struct Try;
  async::Task<Result<Reply, Failure>> ask_once(Try what);
  dns::Exchange& exchange_;
  Clock clock_;
};

[[nodiscard]] std::uint64_t wall_seconds();

}  // namespace posthorn::nslook
