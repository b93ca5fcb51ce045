#include "libdns/zone/serial.h"

#include <catch2/catch.hpp>

using namespace posthorn::dns;

TEST_CASE("is_newer_serial: RFC 1982 3.2, also around zero, and neither at half the circle") {
  CHECK(is_newer_serial(1, 0));
  CHECK_FALSE(is_newer_serial(0, 1));
  CHECK_FALSE(is_newer_serial(5, 5));
  CHECK(is_newer_serial(0, 0xffffffff));
  CHECK(is_newer_serial(100, 0xfffffff0));
  CHECK(is_newer_serial(0x7fffffff, 0));
  CHECK_FALSE(is_newer_serial(0x80000000, 0));
  CHECK_FALSE(is_newer_serial(0, 0x80000000));
}

TEST_CASE("next_serial: increments, leaves out zero") {
  CHECK(next_serial(5, SerialPolicy::increment, 0) == 6);
  CHECK(next_serial(0xffffffff, SerialPolicy::increment, 0) == 1);
}

TEST_CASE("next_serial: the time, unless that goes back") {
  CHECK(next_serial(2026112301, SerialPolicy::unix_time, 1795000000) == 2026112302);
  CHECK(next_serial(17, SerialPolicy::unix_time, 1795000000) == 1795000000);
  CHECK(next_serial(1795000000, SerialPolicy::unix_time, 1795000000) == 1795000001);
  CHECK(next_serial(0xfffffff0, SerialPolicy::unix_time, 5) == 5);
}
