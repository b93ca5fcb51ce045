// What all SASL exchanges of this process share: users, the throttle, places for hash work, counters.
#pragma once

#include <memory>
#include <string>

#include "agents/authd/throttle.h"
#include "agents/authd/users.h"
#include "libmail/async/event.h"
#include "libmail/service/log.h"
#include "libmail/service/metrics.h"

namespace posthorn::authd {

struct VerifierOptions {
  std::string realm;                // appended to user names without "@"; "" = none
  bool plaintext_in_clear = false;  // PLAIN and LOGIN without `secured`
  ThrottleLimits throttle;
  std::size_t most_waiting =
      5000;  // exchanges that wait for their turn; more are told to try later

  VerifierOptions() = default;
};

class Verifier {
 public:
  static constexpr std::size_t hash_places =
      4;  // threads that hash at once: the pool has other work

  Verifier(Users& users, VerifierOptions options, service::Log& log, service::Metrics& metrics);

  [[nodiscard]] const VerifierOptions& options() const { return options_; }
  void set_options(VerifierOptions options);
  [[nodiscard]] Users& users() { return users_; }

  // Waits until the throttle lets an attempt through. False if it should be refused for now.
  async::Task<bool> wait_turn(std::string client, std::string user);

  struct Verdict {
    bool good = false;
    bool disabled = false;     // good, but `nologin`
    bool unavailable = false;  // too much hash work was waiting: nothing was compared
    std::string user;          // as the users file spells it
    Verdict() = default;
  };
  // Hashes in the pool; an unknown user takes as long as a known one.
  async::Task<Verdict> verify(std::string user, std::string password);

  struct Keys {
    sasl::ScramKeys keys;
    bool known = false;
    bool disabled = false;
    std::string user;
    Keys() = default;
  };
  // A decoy for an unknown user, or one without SCRAM keys.
  [[nodiscard]] Keys keys_of(std::string_view user) const;

  // What became of it: throttle, log, counters. `why` is "" for success.
  void note(bool good, std::string_view client, std::string_view user, std::string_view mechanism,
            std::string_view service, std::string_view why);

 private:
  Users& users_;
  VerifierOptions options_;
  service::Log& log_;
  Throttle throttle_;
  async::Semaphore hashing_{hash_places};
  std::size_t waiting_ = 0;
  std::string secret_;  // of this process: decoys' salts
  service::Counter& ok_;
  service::Counter& refused_;
  service::Counter& delayed_;
};

}  // namespace posthorn::authd
