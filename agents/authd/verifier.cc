#include "agents/authd/verifier.h"

#include "libmail/async/files.h"
#include "libmail/async/loop.h"
#include "libmail/base/random.h"
#include "libmail/sasl/mechanism.h"

namespace posthorn::authd {

using async::Deadline;
using async::Task;

namespace {

constexpr auto hash_wait = std::chrono::seconds(60);

}  // namespace

Verifier::Verifier(Users& users, VerifierOptions options, service::Log& log,
                   service::Metrics& metrics)
    : users_(users),
      options_(std::move(options)),
      log_(log),
      throttle_(options_.throttle),
      secret_(random_octets(32)),
      ok_(metrics.counter("posthorn_authd_exchanges_total", "SASL exchanges that ended",
                          "result=\"ok\"")),
      refused_(metrics.counter("posthorn_authd_exchanges_total", "", "result=\"refused\"")),
      delayed_(metrics.counter("posthorn_authd_delayed_total", "attempts that were slowed down")) {}

void Verifier::set_options(VerifierOptions options) {
  options_ = std::move(options);
  throttle_.set_limits(options_.throttle);
}

Task<bool> Verifier::wait_turn(std::string client, std::string user) {
  const MonoTime now = async::Loop::current().now();
  if (waiting_ >= options_.most_waiting) co_return false;
  const auto admitted = throttle_.admit(client, user, now);
  if (!admitted) {
    log_.warning("", "auth-throttled", {{"user", user}, {"client", client}});
    co_return false;
  }
  if (*admitted <= now) co_return true;
  delayed_.add();
  ++waiting_;
  co_await async::sleep_until(Deadline::at(*admitted));
  --waiting_;
  co_return true;
}

Task<Verifier::Verdict> Verifier::verify(std::string user, std::string password) {
  Verdict verdict;
  const auto users = users_.now();
  const sasl::PasswdEntry* entry = users->find(user, options_.realm);
  const bool known = entry != nullptr && users->password_of(*entry).has_value();
  const bool has_place = co_await hashing_.acquire(Deadline::in(hash_wait));
  verdict.unavailable = !has_place;
  if (!has_place) co_return std::move(verdict);
  const sasl::StoredPassword* stored = known ? &*users->password_of(*entry) : &users->decoy;
  // `users` keeps what `stored` points to; both outlive the work, which this frame awaits.
  auto work = [stored, &password] { return sasl::verify_password(*stored, password); };
  const bool fits = co_await async::blocking(std::move(work));
  hashing_.release();
  verdict.good = fits && known;
  if (verdict.good) {
    verdict.user = entry->user;
    verdict.disabled = entry->field("nologin").has_value();
  }
  co_return std::move(verdict);
}

Verifier::Keys Verifier::keys_of(std::string_view user) const {
  Keys found;
  const auto users = users_.now();
  const sasl::PasswdEntry* entry = users->find(user, options_.realm);
  const sasl::ScramKeys* keys = nullptr;
  if (entry != nullptr) {
    const auto& password = users->password_of(*entry);
    if (password) keys = std::get_if<sasl::ScramKeys>(&*password);
  }
  if (keys == nullptr) {
    found.keys = sasl::decoy_keys(secret_, user);
    return found;
  }
  found.keys = *keys;
  found.known = true;
  found.disabled = entry->field("nologin").has_value();
  found.user = entry->user;
  return found;
}

void Verifier::note(bool good, std::string_view client, std::string_view user,
                    std::string_view mechanism, std::string_view service, std::string_view why) {
  const MonoTime now = async::Loop::current().now();
  if (good) {
    ok_.add();
    throttle_.succeeded(client, user, now);
    log_.info("", "auth-ok",
              {{"user", user}, {"client", client}, {"mechanism", mechanism}, {"service", service}});
    return;
  }
  refused_.add();
  throttle_.failed(client, user, now);
  log_.info("", "auth-refused",
            {{"user", user},
             {"client", client},
             {"mechanism", mechanism},
             {"service", service},
             {"why", why}});
}

}  // namespace posthorn::authd
