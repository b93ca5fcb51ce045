#include "libmail/queue/record.h"

#include <catch2/catch.hpp>

#include "libmail/base/crc32c.h"
#include "libmail/queue/test_queue.h"

using namespace posthorn;
using namespace posthorn::queue;

namespace {

Entry full_entry() {
  Entry entry(test::envelope());
  smtp::Envelope& envelope = entry.envelope;
  envelope.id = test::id_of(3).str();
  envelope.trace_id = test::id_of(2).str();
  envelope.ret = smtp::Ret::headers;
  envelope.envid = "QQ 314";
  envelope.body = smtp::Body::eight_bit_mime;
  envelope.smtputf8 = true;
  envelope.requiretls = true;
  envelope.auth.emplace();
  envelope.user = "ann";
  envelope.hold_reason = "to be looked at";
  envelope.client.name = "mx.example.org";
  envelope.client.address = "192.0.2.1";
  envelope.client.port = 4711;
  envelope.client.helo = "mx";
  envelope.client.protocol = "ESMTP";
  envelope.client.local = true;
  envelope.size = 1'000'000;
  smtp::Recipient& recipient = envelope.recipients.emplace_back(smtp::Mailbox("a b\n", ""));
  recipient.notify = smtp::Notify(smtp::Notify::success | smtp::Notify::delay);
  recipient.orcpt.emplace("rfc822", "x@y");
  entry.drop.emplace();
  entry.drop->name = "mail 1";
  entry.drop->inode = 1ULL << 60;
  entry.drop->part = 2;
  return entry;
}

}  // namespace

TEST_CASE("the envelope codec gives back what it was given") {
  const Entry entry = full_entry();
  std::optional<Entry> read = decode_entry(encode_entry(entry));
  REQUIRE(read);
  adopt_id(*read, test::id_of(3));
  CHECK(*read == entry);

  Entry bounce;
  bounce.envelope.auth.emplace().emplace("ann", "alpha.test");
  CHECK(decode_entry(encode_entry(bounce)) == bounce);
}

TEST_CASE("the envelope codec: a first intake's trace id is the message id") {
  Entry entry(test::envelope());
  entry.envelope.id = test::id_of(3).str();
  entry.envelope.trace_id = entry.envelope.id;
  std::optional<Entry> read = decode_entry(encode_entry(entry));
  REQUIRE(read);
  adopt_id(*read, test::id_of(3));
  CHECK(*read == entry);
}

TEST_CASE("the envelope codec: a cut envelope is refused or is a shorter whole one") {
  const std::string octets = encode_entry(full_entry());
  for (std::size_t size = 0; size < octets.size(); ++size) {
    const std::optional<Entry> read = decode_entry(std::string_view(octets).substr(0, size));
    if (read) CHECK(encode_entry(*read).size() <= size);
  }
}

TEST_CASE("a record reads back, also with other octets behind it") {
  RecordHeader header;
  header.generation = 5;
  header.salt = 99;
  header.id = test::id_of(1);
  const std::string octets = encode_record(header, "envelope", "body") + "more";
  const auto record = decode_record(octets, 5, 99);
  REQUIRE(record);
  CHECK(record->header.id == test::id_of(1));
  CHECK(record->envelope == "envelope");
  CHECK(record->body == "body");
  CHECK(record->header.padded_size() % record_alignment == 0);
}

TEST_CASE("a record of the spool refers to its body") {
  RecordHeader header;
  header.generation = 5;
  header.place = BodyPlace::spooled;
  header.body_size = 1ULL << 33;
  header.spooled_crc = 4711;
  const std::string octets = encode_record(header, "envelope", "");
  const auto record = decode_record(octets, 5, 0);
  REQUIRE(record);
  CHECK(record->header.body_size == 1ULL << 33);
  CHECK(record->header.spooled_crc == 4711);
  CHECK(record->header.padded_size() == 128);
}

TEST_CASE("a record of another generation, or with another salt, is none of ours") {
  RecordHeader header;
  header.generation = 5;
  header.salt = 99;
  const std::string octets = encode_record(header, "envelope", "body");
  CHECK(decode_record(octets, 6, std::nullopt).error() == RecordError::other_generation);
  CHECK(decode_record(octets, 5, 98).error() == RecordError::damaged);
}

TEST_CASE("a record with any bit flipped or any octet cut off is not read") {
  RecordHeader header;
  header.generation = 5;
  header.salt = 99;
  header.id = test::id_of(1);
  const std::string octets = encode_record(header, "envelope", "the body of the message");
  for (std::size_t size = 0; size < octets.size(); ++size) {
    CHECK_FALSE(decode_record(std::string_view(octets).substr(0, size), 5, 99));
  }
  for (std::size_t bit = 0; bit < octets.size() * 8; ++bit) {
    std::string flipped = octets;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    CHECK_FALSE(decode_record(flipped, 5, std::nullopt));
  }
}
