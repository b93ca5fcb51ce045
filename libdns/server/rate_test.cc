#include "libdns/server/rate.h"

#include <catch2/catch.hpp>

#include "libdns/server/test_question.h"

using namespace posthorn::dns;

namespace {

const std::string key(16, 'k');

RateSettings settings(std::uint32_t answers, std::uint32_t slip) {
  RateSettings made;
  made.answers = answers;
  made.slip = slip;
  return made;
}

}  // namespace

TEST_CASE("RateLimiter: so many a second, then every second one truncated and the others dropped") {
  using Verdict = RateLimiter::Verdict;
  RateLimiter limiter(settings(3, 2), key);
  const Client client = client_at("192.0.2.1");
  for (int i = 0; i < 3; ++i)
    CHECK(limiter.judge(client, "name", Rcode::noerror, 7) == Verdict::send);
  CHECK(limiter.judge(client, "name", Rcode::noerror, 7) == Verdict::drop);
  CHECK(limiter.judge(client, "name", Rcode::noerror, 7) == Verdict::truncate);
  CHECK(limiter.judge(client, "name", Rcode::noerror, 7) == Verdict::drop);
  CHECK(limiter.judge(client, "name", Rcode::noerror, 8) == Verdict::send);
}

TEST_CASE(
    "RateLimiter: a network shares its count, names have their own, errors have one together") {
  using Verdict = RateLimiter::Verdict;
  RateLimiter limiter(settings(1, 0), key);
  CHECK(limiter.judge(client_at("192.0.2.1"), "a", Rcode::noerror, 7) == Verdict::send);
  CHECK(limiter.judge(client_at("192.0.2.200"), "a", Rcode::noerror, 7) == Verdict::drop);
  CHECK(limiter.judge(client_at("192.0.2.1"), "b", Rcode::noerror, 7) == Verdict::send);
  CHECK(limiter.judge(client_at("198.51.100.1"), "a", Rcode::noerror, 7) == Verdict::send);
  CHECK(limiter.judge(client_at("192.0.2.1"), "c", Rcode::nxdomain, 7) == Verdict::send);
  CHECK(limiter.judge(client_at("192.0.2.1"), "d", Rcode::nxdomain, 7) == Verdict::drop);
}

TEST_CASE("RateLimiter: 0 is no limit") {
  RateLimiter limiter(settings(0, 0), key);
  for (int i = 0; i < 1000; ++i)
    REQUIRE(limiter.judge(client_at("192.0.2.1"), "a", Rcode::noerror, 7) ==
            RateLimiter::Verdict::send);
}
