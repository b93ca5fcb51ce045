// When a destination counts as dead.
#include "agents/queued/health.h"

#include <catch2/catch.hpp>
#include <chrono>

using namespace posthorn;
using namespace posthorn::queued;
using std::chrono::minutes;

namespace {

const smtp::Status unreached{{4, 4, 2}, "lost connection"};

bool fail_once(Health& health, MonoTime at = MonoTime()) {
  const std::uint64_t number = health.begin();
  return health.failed(number, unreached, at, minutes(5));
}

}  // namespace

TEST_CASE("Health: what fails in one moment fails once, and behind a success not at all") {
  Health health;
  std::uint64_t numbers[12];
  for (std::uint64_t& number : numbers) number = health.begin();
  for (int i = 0; i < 5; ++i) CHECK_FALSE(health.failed(numbers[i], unreached, {}, minutes(5)));
  CHECK(health.failures() == 1);
  health.succeeded();
  for (int i = 6; i < 12; ++i) CHECK_FALSE(health.failed(numbers[i], unreached, {}, minutes(5)));
  CHECK(health.failures() == 0);
  CHECK_FALSE(health.rests(MonoTime()));
}

TEST_CASE("Health: three failures in a row are a death, and each further rest is longer") {
  Health health;
  CHECK_FALSE(fail_once(health));
  CHECK_FALSE(fail_once(health));
  CHECK(fail_once(health));
  CHECK(health.is_dead(MonoTime()));
  CHECK(health.trouble().text == "lost connection");
  const MonoTime later = health.rest_until();
  CHECK(later > MonoTime() + minutes(2));
  CHECK_FALSE(health.is_dead(later));
  CHECK(fail_once(health, later));
  CHECK(health.rest_until() - later > minutes(5));
  health.forget();
  CHECK_FALSE(health.rests(MonoTime()));
}

TEST_CASE("Health: a success ends the rest of a dead destination, not of one that was put off") {
  Health health;
  health.put_off(MonoTime() + minutes(1));
  CHECK(health.rests(MonoTime()));
  CHECK_FALSE(health.is_dead(MonoTime()));
  health.succeeded();
  CHECK(health.rests(MonoTime()));
  for (int i = 0; i < 3; ++i) fail_once(health);
  health.succeeded();
  CHECK_FALSE(health.rests(MonoTime()));
}
