#include "libdns/zone/transfer.h"

#include <fmt/format.h>

#include "libdns/zone/test_zone.h"

using namespace posthorn;
using namespace posthorn::dns;

namespace {

using State = TransferReader::State;
const Question axfr(*Name::parse("a.test"), Type::axfr);
const Question ixfr(*Name::parse("a.test"), Type::ixfr);
constexpr std::uint16_t id = 4711;

std::shared_ptr<const Zone> first_version() {
  return zone_of("a.test", R"(
$TTL 60
@ SOA ns h 1 1 1 1 1
@ RRSIG SOA 13 2 60 20300101000000 20200101000000 7 a.test. AAAA
@ NS ns
ns A 192.0.2.1
www A 192.0.2.2
www A 192.0.2.3
0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3 1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr A
)");
}

using Differences = std::vector<std::shared_ptr<const ZoneDifference>>;
struct History {
  std::vector<std::shared_ptr<const Zone>> zones;
  Differences differences;
};
// Four versions: 1 to 4.
History history() {
  History history;
  history.zones.push_back(first_version());
  for (std::uint32_t serial = 2; serial <= 4; ++serial) {
    ZoneEditor editor(history.zones.back());
    REQUIRE(editor.add(record(fmt::format("n{}.a.test. 60 TXT x", serial))));
    if (serial == 3) CHECK(editor.remove_set(name("www.a.test"), Type::a));
    if (serial == 4) {
      REQUIRE(editor.add(
          record("n3.a.test. 60 RRSIG TXT 13 3 60 20300101000000 20200101000000 7 a.test. AAAA")));
      CHECK(editor.remove_name(name("n2.a.test")));
    }
    editor.set_serial(serial);
    auto version = editor.commit();
    REQUIRE(version.has_value());
    history.zones.push_back(version->zone);
    history.differences.push_back(
        std::make_shared<const ZoneDifference>(std::move(version->difference)));
  }
  return history;
}

std::vector<std::string> all(TransferWriter writer) {
  std::vector<std::string> messages;
  while (auto message = writer.next()) messages.push_back(std::move(*message));
  return messages;
}

// What comes of the messages: the state after the last, or the reason.
std::string read(TransferReader& reader, const std::vector<std::string>& messages) {
  State state = State::more;
  for (const std::string& message : messages) {
    const auto taken = reader.take(message);
    if (!taken) return taken.error().reason;
    state = *taken;
  }
  return state == State::complete ? "complete" : "more";
}
std::string read_axfr(const std::vector<std::string>& messages, TransferLimits limits = {}) {
  TransferReader reader(axfr, id, nullptr, limits);
  return read(reader, messages);
}

// One message with these records.
std::string message(const Question& question, const std::vector<std::string>& records,
                    Header header = {}) {
  header.id = id;
  header.response = true;
  MessageBuilder builder(header);
  REQUIRE(builder.question(question));
  for (const std::string& text : records) REQUIRE(builder.answer(record(text)));
  return builder.finish();
}
const std::string soa1 = "a.test. 60 SOA ns.a.test. h.a.test. 1 1 1 1 1";
const std::string soa2 = "a.test. 60 SOA ns.a.test. h.a.test. 2 1 1 1 1";
const std::string ns = "a.test. 60 NS ns.a.test.";

}  // namespace

TEST_CASE("AXFR: the zone arrives as it was, SOA first and last") {
  const auto zone = first_version();
  const auto messages = all(TransferWriter::axfr(zone, id, axfr));
  REQUIRE(messages.size() == 1);
  const auto view = MessageView::parse(messages[0]);
  REQUIRE(view.has_value());
  CHECK(view->header().authoritative);
  CHECK(view->answer().size() == zone->record_count() + 1);
  CHECK(view->answer().front().type == Type::soa);
  CHECK(view->answer().back().type == Type::soa);
  TransferReader reader(axfr, id, nullptr);
  CHECK(read(reader, messages) == "complete");
  CHECK(*reader.version().zone == *zone);
}

TEST_CASE("AXFR: a large zone takes many messages of bounded size") {
  ZoneEditor editor(first_version());
  for (int i = 0; i < 20000; ++i) {
    REQUIRE(editor.add(record(fmt::format("h{}.a.test. 60 MX 10 www.a.test.", i))));
  }
  for (int i = 0; i < 3000; ++i) {
    REQUIRE(editor.add(record(fmt::format("wide.a.test. 60 TXT {:0>200}", i))));
  }
  REQUIRE(editor.add(record("big.a.test. 60 TYPE65280 \\# 40000 " + std::string(80000, 'a'))));
  const auto zone = editor.commit()->zone;
  const auto messages = all(TransferWriter::axfr(zone, id, axfr));
  std::size_t large = 0;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].size() > transfer_message_octets) ++large;
    const auto view = MessageView::parse(messages[i]);
    REQUIRE(view.has_value());
    CHECK(view->questions().size() == (i == 0 ? 1 : 0));
  }
  CHECK(messages.size() > 20);
  CHECK(large == 1);  // the one with the 40000 octets
  TransferReader reader(axfr, id, nullptr);
  CHECK(read(reader, messages) == "complete");
  CHECK(*reader.version().zone == *zone);
}

TEST_CASE("AXFR: a record that no message can hold ends the transfer before its end") {
  ZoneEditor editor(first_version());
  REQUIRE(editor.add(record("big.a.test. 60 TYPE65280 \\# 65500 " + std::string(131000, 'a'))));
  const auto messages = all(TransferWriter::axfr(editor.commit()->zone, id, axfr));
  CHECK(read_axfr(messages) == "more");
}

TEST_CASE("AXFR: a zone of nothing but a SOA") {
  const auto zone = zone_of("a.test", soa1);
  CHECK(read_axfr(all(TransferWriter::axfr(zone, id, axfr))) == "complete");
}

TEST_CASE("AXFR: the whole is refused for one thing that is wrong") {
  Header servfail;
  servfail.rcode = Rcode::refused;
  Header truncated;
  truncated.truncated = true;
  const auto [text, messages] = GENERATE_COPY(table<std::string, std::vector<std::string>>({
      {"another SOA in the middle", {message(axfr, {soa1, ns, soa2, ns, soa1})}},
      {"records behind the last SOA", {message(axfr, {soa1, ns, soa1, ns})}},
      {"www.b.test A: the name is outside of the zone",
       {message(axfr, {soa1, "www.b.test. 60 A 192.0.2.1"})}},
      {"a.test: a record of class CH", {message(axfr, {soa1, "a.test. 60 CH TXT x"})}},
      {"the first record isn't the zone's SOA", {message(axfr, {ns, soa1})}},
      {"the first record isn't the zone's SOA",
       {message(axfr, {"test. 60 SOA ns.a.test. h.a.test. 1 1 1 1 1"})}},
      {"another SOA in the middle",
       {message(axfr, {soa1, "www.a.test. 60 SOA ns.a.test. h.a.test. 1 1 1 1 1"})}},
      {"the primary says REFUSED", {message(axfr, {}, servfail)}},
      {"truncated", {message(axfr, {soa1}, truncated)}},
      {"a message without records", {message(axfr, {})}},
      {"the answer is to another question", {message(ixfr, {soa1})}},
      {"the answer is to another question",
       {message(axfr, {soa1}), message(Question(name("b.test"), Type::axfr), {ns})}},
      {"malformed message: message ends in the middle of something at octet 0", {""}},
      {"more", {message(axfr, {soa1, ns})}},
      {"complete", {message(axfr, {soa1, ns}), message(axfr, {soa1})}},
  }));
  CHECK(read_axfr(messages) == text);
}

TEST_CASE("AXFR: another id, or a question, is no answer") {
  std::string octets = message(axfr, {soa1, soa1});
  octets[0] = 0;
  CHECK(read_axfr({octets}) == "this is no answer to the question");
  octets = message(axfr, {soa1, soa1});
  octets[2] = static_cast<char>(octets[2] & 0x7f);
  CHECK(read_axfr({octets}) == "this is no answer to the question");
}

TEST_CASE("AXFR: limits on records and octets") {
  const std::string one = message(axfr, {soa1, ns, ns, ns});
  TransferLimits records;
  records.records = 3;
  CHECK(read_axfr({one}, records) == "over 3 records");
  TransferLimits octets;
  octets.octets = one.size() + 10;
  CHECK(read_axfr({one, message(axfr, {ns})}, octets).starts_with("over "));
}

TEST_CASE("IXFR: what changed leads from any version to the newest") {
  const History past = history();
  const auto newest = past.zones.back();
  for (std::uint32_t serial = 1; serial <= 3; ++serial) {
    const auto messages = all(TransferWriter::ixfr(newest, past.differences, serial, id, ixfr));
    TransferReader reader(ixfr, id, past.zones[serial - 1]);
    CAPTURE(serial);
    CHECK(read(reader, messages) == "complete");
    const ZoneVersion version = reader.version();
    REQUIRE(version.zone != nullptr);
    CHECK(*version.zone == *newest);
    CHECK(version.difference.from() == serial);
    CHECK(version.difference.to() == 4);
    if (serial == 3) CHECK(version.difference == *past.differences.back());
  }
}

TEST_CASE("IXFR: the form of RFC 1995 4") {
  const History past = history();
  const auto messages =
      all(TransferWriter::ixfr(past.zones[2], {past.differences[1]}, 2, id, ixfr));
  REQUIRE(messages.size() == 1);
  const auto view = MessageView::parse(messages[0]);
  Lines lines;
  for (const RecordView& one : view->answer()) {
    const Record as = one.record();
    const Soa* soa = as.as<Soa>();
    lines.push_back(soa != nullptr ? fmt::format("SOA {}", soa->serial)
                                   : as.owner.text() + ' ' + to_string(as.type()));
  }
  CHECK(lines ==
        Lines{"SOA 3", "SOA 2", "www.a.test A", "www.a.test A", "SOA 3", "n3.a.test TXT", "SOA 3"});
}

TEST_CASE("IXFR: without a way from the asker's version it is an AXFR") {
  const History past = history();
  const auto newest = past.zones.back();
  Differences gap = {past.differences[0], past.differences[2]};
  for (const Differences& known : {Differences(), gap}) {
    const auto messages = all(TransferWriter::ixfr(newest, known, 1, id, ixfr));
    const auto view = MessageView::parse(messages[0]);
    CHECK(view->answer().size() == newest->record_count() + 1);
    TransferReader reader(ixfr, id, past.zones[0]);
    CHECK(read(reader, messages) == "complete");
    const ZoneVersion version = reader.version();
    CHECK(*version.zone == *newest);
    // The difference is told all the same.
    ZoneEditor editor(past.zones[0]);
    REQUIRE(editor.apply(version.difference));
    CHECK(*editor.commit()->zone == *newest);
  }
}

TEST_CASE("IXFR: who is up to date gets a SOA and changes nothing") {
  const History past = history();
  const auto newest = past.zones.back();
  for (const std::uint32_t serial : {4u, 5u}) {
    const auto messages = all(TransferWriter::ixfr(newest, past.differences, serial, id, ixfr));
    REQUIRE(messages.size() == 1);
    TransferReader reader(ixfr, id, newest);
    CHECK(read(reader, messages) == "complete");
    CHECK(reader.version().zone == nullptr);
  }
  CHECK(all(TransferWriter::soa_only(newest, id, ixfr)).size() == 1);
}

TEST_CASE("IXFR: differences larger than the zone are an AXFR") {
  auto zone = first_version();
  Differences differences;
  for (std::uint32_t serial = 2; serial < 40; ++serial) {
    ZoneEditor editor(zone);
    CHECK(editor.remove_name(name("www.a.test")));
    REQUIRE(editor.add(record(fmt::format("www.a.test. 60 TXT {}", serial))));
    editor.set_serial(serial);
    auto version = editor.commit();
    zone = version->zone;
    differences.push_back(std::make_shared<const ZoneDifference>(version->difference));
  }
  const auto messages = all(TransferWriter::ixfr(zone, differences, 1, id, ixfr));
  CHECK(MessageView::parse(messages[0])->answer().size() == zone->record_count() + 1);
}

TEST_CASE("IXFR: steps that don't fit our version are refused") {
  const std::string soa3 = "a.test. 60 SOA ns.a.test. h.a.test. 3 1 1 1 1";
  const std::string gone = "gone.a.test. 60 A 192.0.2.1";
  const auto [text, records] = GENERATE_COPY(table<std::string, std::vector<std::string>>({
      {"gone.a.test A: removed, but not in our version", {soa2, soa1, gone, soa2, soa2}},
      {"a step leads back to an older serial", {soa2, soa1, soa1, soa2}},
      {"the steps don't follow one another", {soa3, soa1, soa2, soa1, soa3}},
      {"the name is outside", {soa2, soa1, soa2, "www.b.test. 60 A 192.0.2.1", soa2}},
      {"more", {soa3, soa1, soa2, soa2, soa3}},
      {"complete", {soa3, soa1, soa2, soa2, soa3, gone, soa3}},
  }));
  TransferReader reader(ixfr, id, first_version());
  CHECK(read(reader, {message(ixfr, records)}).find(text) != std::string::npos);
}

TEST_CASE("difference_between: two zones read from text") {
  const auto before = first_version();
  const auto after = zone_of("a.test", R"(
$TTL 60
@ SOA ns h 5 1 1 1 1
@ NS ns
ns 300 A 192.0.2.1
zzz A 192.0.2.9
)");
  const ZoneDifference difference = difference_between(*before, *after);
  CHECK(difference.from() == 1);
  CHECK(difference.to() == 5);
  ZoneEditor editor(before);
  REQUIRE(editor.apply(difference));
  CHECK(*editor.commit()->zone == *after);
  CHECK(difference_between(*before, *before).empty());
}
