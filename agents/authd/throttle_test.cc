#include "agents/authd/throttle.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace posthorn;
using namespace posthorn::authd;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

const MonoTime start = MonoTime(std::chrono::hours(1));

void fail_times(Throttle& throttle, int times, std::string_view client, std::string_view user,
                MonoTime now) {
  for (int i = 0; i < times; ++i) throttle.failed(client, user, now);
}

}  // namespace

TEST_CASE("throttle: the first failures cost nothing, then the gap doubles up to its limit") {
  Throttle throttle;
  MonoTime now = start;
  std::vector<long> gaps;
  for (int i = 0; i < 10; ++i) {
    const auto admitted = throttle.admit("192.0.2.1", "ann", now);
    REQUIRE(admitted);
    gaps.push_back(std::chrono::duration_cast<seconds>(*admitted - now).count());
    now = *admitted;
    throttle.failed("192.0.2.1", "ann", now);
  }
  CHECK(gaps == std::vector<long>{0, 0, 0, 0, 1, 2, 4, 8, 15, 15});
}

TEST_CASE("throttle: attempts at the same time are let through one after the other, then refused") {
  Throttle throttle;
  fail_times(throttle, 6, "192.0.2.1", "ann", start);  // gap 4 s
  std::vector<long> waits;
  for (int i = 0; i < 12; ++i) {
    const auto admitted = throttle.admit("192.0.2.1", "bob", start);
    waits.push_back(admitted ? std::chrono::duration_cast<seconds>(*admitted - start).count() : -1);
  }
  CHECK(waits == std::vector<long>{4, 8, 12, 16, 20, 24, 28, -1, -1, -1, -1, -1});
}

TEST_CASE("throttle: guessing at one user from many clients is slow too") {
  Throttle throttle;
  for (int i = 0; i < 10; ++i) throttle.failed("192.0.2." + std::to_string(i), "ann", start);
  CHECK(*throttle.admit("198.51.100.1", "Ann", start) == start + seconds(15));
  CHECK(*throttle.admit("198.51.100.1", "bob", start) == start);
}

TEST_CASE("throttle: who has logged in before is not locked out by others") {
  Throttle throttle;
  throttle.succeeded("192.0.2.1", "ann", start);
  fail_times(throttle, 10, "198.51.100.1", "ann", start);
  CHECK(*throttle.admit("192.0.2.1", "ann", start) == start);
  CHECK(*throttle.admit("192.0.2.2", "ann", start) > start);
}

TEST_CASE("throttle: an account of one's own does not buy free guesses at others") {
  Throttle throttle;
  MonoTime now = start;
  for (int i = 0; i < 20; ++i) {
    fail_times(throttle, 3, "192.0.2.1", "victim" + std::to_string(i), now);
    throttle.succeeded("192.0.2.1", "own", now);
  }
  CHECK(*throttle.admit("192.0.2.1", "victim", now) > now);
}

TEST_CASE("throttle: an IPv6 client is its /64, an IPv4 client itself, mapped or not") {
  Throttle throttle;
  fail_times(throttle, 6, "2001:db8::1", "a", start);
  CHECK(*throttle.admit("2001:db8::ffff:2", "b", start) > start);
  CHECK(*throttle.admit("2001:db8:0:1::1", "b", start) == start);
  fail_times(throttle, 6, "::ffff:192.0.2.1", "a", start);
  CHECK(*throttle.admit("192.0.2.1", "b", start) > start);
  CHECK(*throttle.admit("192.0.2.2", "b", start) == start);
}

TEST_CASE("throttle: a local client is slowed down by user only, and a success ends that") {
  Throttle throttle;
  fail_times(throttle, 6, "", "ann", start);
  CHECK(*throttle.admit("", "bob", start) == start);
  CHECK(*throttle.admit("", "ann", start) > start);
  throttle.succeeded("", "ann", start);
  CHECK(*throttle.admit("", "ann", start) == start);
}

TEST_CASE("throttle: forgets after a while, and never grows over its limit") {
  ThrottleLimits limits;
  limits.entries = 100;
  Throttle throttle(limits);
  fail_times(throttle, 6, "192.0.2.1", "ann", start);
  CHECK(*throttle.admit("192.0.2.1", "ann", start + minutes(16)) == start + minutes(16));
  for (int i = 0; i < 10'000; ++i)
    throttle.failed("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250),
                    "u" + std::to_string(i), start);
  CHECK(throttle.size() <= 100);
}
