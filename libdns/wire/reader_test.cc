#include "libdns/wire/reader.h"

#include <catch2/catch.hpp>

using namespace posthorn::dns;
using namespace std::string_literals;

namespace {

WireFault fault_of(std::string_view message, std::size_t offset = 0) {
  Reader reader(message, offset);
  static_cast<void>(reader.name());
  REQUIRE_FALSE(reader.ok());
  return reader.error()->fault;
}

}  // namespace

TEST_CASE("Reader: the first fault sticks and later reads give nothing") {
  Reader reader("\1\2\3\4\5");
  CHECK(reader.u16() == 0x0102);
  CHECK(reader.u32() == 0);
  CHECK(reader.u8() == 0);
  CHECK(reader.octets(1).empty());
  REQUIRE(reader.error());
  CHECK(*reader.error() == WireError(WireFault::truncated, 5));
  CHECK(reader.name().is_root());
}

TEST_CASE("Reader: a name follows pointers back and goes on behind the first") {
  //                              0           4      8             13     17  19
  const std::string message = "\3org\0"s + "\2ab\xc0\0"s + "\3www\xc0\5"s + "\7";
  Reader reader(message, 5);
  const NameView ab = reader.name();
  CHECK(ab.text() == "ab.org");
  CHECK(ab.is_compressed());
  const NameView www = reader.name();
  CHECK(www.text() == "www.ab.org");
  CHECK(www.label_count() == 3);
  CHECK(www.wire_size() == 12);
  CHECK(reader.u8() == 7);
  CHECK(reader.ok());
  CHECK(www == *Name::parse("WWW.AB.ORG"));
  CHECK_FALSE(www == ab);
}

TEST_CASE("Reader: a pointer that doesn't lead back is refused") {
  CHECK(fault_of("\xc0\0"s) == WireFault::forward_pointer);         // to itself
  CHECK(fault_of("\xc0\2\3org\0"s) == WireFault::forward_pointer);  // forward
  CHECK(fault_of("\1a\xc0\0"s) == WireFault::forward_pointer);      // into its own labels
  CHECK(fault_of("\xc0\2\xc0\0"s, 2) ==
        WireFault::forward_pointer);                                // two that point at each other
  CHECK(fault_of("\xc0\xff"s) == WireFault::forward_pointer);       // past the end
  CHECK(fault_of("\5ab\xc0\0"s, 3) == WireFault::forward_pointer);  // back, and into itself again
}

TEST_CASE("Reader: a chain of pointers ends at the hop limit") {
  // Each pointer leads to the one before; the first to a name.
  std::string chain("\1a\0", 3);
  chain += '\0';
  std::size_t target = 0;
  for (std::size_t i = 0; i < max_pointer_hops + 1; ++i) {
    chain += static_cast<char>(0xc0 | target >> 8);
    chain += static_cast<char>(target);
    target = chain.size() - 2;
  }
  Reader last_allowed(chain, chain.size() - 4);
  CHECK(last_allowed.name().text() == "a");
  CHECK(last_allowed.ok());
  CHECK(fault_of(chain, chain.size() - 2) == WireFault::too_many_pointers);
}

TEST_CASE("Reader: label types other than length and pointer are refused") {
  CHECK(fault_of("\x41"
                 "a\0"s) == WireFault::bad_label_type);
  CHECK(fault_of("\x81"
                 "a\0"s) == WireFault::bad_label_type);
}

TEST_CASE("Reader: a name over 255 octets is refused, also when pointers build it") {
  std::string message;
  for (int i = 0; i < 4; ++i) message += "\x3f" + std::string(63, 'x');
  message += '\0';
  CHECK(fault_of(message) == WireFault::name_too_long);
  Reader shorter(message, 64);
  CHECK(shorter.name().wire_size() == 193);
  const std::string built = message + "\x3e" + std::string(62, 'y') + "\xc0\x40";
  CHECK(fault_of(built, message.size()) == WireFault::name_too_long);
}

TEST_CASE("Reader: a name cut off anywhere is a fault") {
  const std::string whole("\3www\7example\3org\0", 17);
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    CAPTURE(cut);
    CHECK(fault_of(whole.substr(0, cut)) == WireFault::truncated);
  }
}

TEST_CASE("Reader: RDATA must be met exactly") {
  Reader reader("\1\2\3\4");
  const std::size_t end = reader.narrow(2);
  CHECK(reader.u8() == 1);
  reader.widen(end);
  REQUIRE(reader.error());
  CHECK(reader.error()->fault == WireFault::rdata_length);

  Reader beyond("\1\2\3\4");
  static_cast<void>(beyond.narrow(2));
  CHECK(beyond.u32() == 0);
  CHECK_FALSE(beyond.ok());

  Reader promised("\1\2");
  static_cast<void>(promised.narrow(3));
  CHECK_FALSE(promised.ok());
}
