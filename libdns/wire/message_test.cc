#include "libdns/wire/message.h"

#include <catch2/catch.hpp>

#include "libdns/wire/address.h"
#include "libdns/wire/builder.h"
#include "libdns/wire/test_names.h"

using namespace posthorn::dns;
using namespace std::string_literals;

namespace {

// An answer with everything in it that a real one has.
std::string sample() {
  Header header;
  header.id = 0x1234;
  header.response = true;
  header.recursion_desired = true;
  header.recursion_available = true;
  header.authentic_data = true;
  MessageBuilder builder(header);
  EdnsSettings edns;
  edns.dnssec_ok = true;
  edns.add(ExtendedError(3, "stale"));
  REQUIRE(builder.edns(std::move(edns)));
  REQUIRE(builder.question(Question(name("example.org"), Type::mx)));
  REQUIRE(builder.answer(Record(name("example.org"), 300, Mx{10, name("mx1.example.org")})));
  REQUIRE(builder.answer(Record(name("example.org"), 300, Mx{20, name("mx2.example.org")})));
  REQUIRE(builder.authority(Record(name("example.org"), 86400, Ns{name("ns.example.org")})));
  REQUIRE(builder.additional(Record(name("mx1.example.org"), 60, *parse_a("192.0.2.1"))));
  REQUIRE(builder.additional(Record(name("mx1.example.org"), 60, *parse_aaaa("2001:db8::1"))));
  REQUIRE(builder.additional(Record(name("mx2.example.org"), 60, Txt{{"hello"}})));
  return builder.finish();
}

WireFault fault_of(std::string_view octets) {
  const auto parsed = MessageView::parse(octets);
  REQUIRE_FALSE(parsed);
  return parsed.error().fault;
}

// Looks at everything a message offers.
std::size_t visit(const MessageView& message) {
  std::size_t seen = 0;
  for (const QuestionView& question : message.questions()) seen += question.name.text().size();
  for (const auto section : {message.answer(), message.authority(), message.additional()}) {
    for (const RecordView& record : section) seen += record.record().text().size();
  }
  if (message.edns() && message.edns()->extended_error()) {
    seen += message.edns()->extended_error()->describe().size();
  }
  return seen + to_string(message.rcode()).size();
}

std::string header(std::uint16_t qd, std::uint16_t an, std::uint16_t ns, std::uint16_t ar) {
  Writer writer;
  for (const unsigned n :
       {0x1234u, 0x8180u, unsigned{qd}, unsigned{an}, unsigned{ns}, unsigned{ar}}) {
    writer.u16(static_cast<std::uint16_t>(n));
  }
  return writer.take();
}

}  // namespace

TEST_CASE("MessageView: shows header, question, records and EDNS where they lie") {
  const std::string octets = sample();
  const auto message = MessageView::parse(octets);
  REQUIRE(message);
  CHECK(message->header().id == 0x1234);
  CHECK(message->header().response);
  CHECK(message->header().authentic_data);
  CHECK_FALSE(message->header().truncated);
  CHECK(message->rcode() == Rcode::noerror);
  REQUIRE(message->questions().size() == 1);
  CHECK(message->questions()[0].question() == Question(name("example.org"), Type::mx));
  REQUIRE(message->answer().size() == 2);
  CHECK(message->answer()[1].record().text() == "example.org. 300 IN MX 20 mx2.example.org.");
  REQUIRE(message->authority().size() == 1);
  CHECK(message->authority()[0].ttl == 86400);
  REQUIRE(message->additional().size() == 4);
  CHECK(message->additional()[1].record().text() == "mx1.example.org. 60 IN AAAA 2001:db8::1");
  CHECK(message->additional()[3].type == Type::opt);
  REQUIRE(message->edns());
  CHECK(message->edns()->udp_octets == 1232);
  CHECK(message->edns()->dnssec_ok);
  CHECK(message->edns()->extended_error() == ExtendedError(3, "stale"));
  CHECK(message->edns()->extended_error()->describe() == "Stale Answer (3): stale");
}

TEST_CASE("MessageView: every truncation of a message is an error") {
  const std::string octets = sample();
  for (std::size_t cut = 0; cut < octets.size(); ++cut) {
    CAPTURE(cut);
    // A copy of exactly this size, so that a sanitizer sees a read past its end.
    const std::string part(octets, 0, cut);
    CHECK_FALSE(MessageView::parse(part));
  }
  CHECK(fault_of(octets + '\0') == WireFault::trailing_octets);
}

TEST_CASE("MessageView: every flipped bit gives a message that can be looked at, or an error") {
  std::string octets = sample();
  std::size_t good = 0;
  for (std::size_t bit = 0; bit < octets.size() * 8; ++bit) {
    octets[bit / 8] = static_cast<char>(octets[bit / 8] ^ 1 << bit % 8);
    const auto message = MessageView::parse(octets);
    if (message && visit(*message) > 0) ++good;
    octets[bit / 8] = static_cast<char>(octets[bit / 8] ^ 1 << bit % 8);
  }
  // Flips in ids, TTLs, addresses and text leave a good message; those in counts and lengths cannot.
  CHECK(good > octets.size());
  CHECK(good < octets.size() * 8);
}

TEST_CASE("MessageView: counts that the octets can't hold are refused before memory is taken") {
  CHECK(fault_of(header(0, 0, 0, 65535)) == WireFault::impossible_counts);
  CHECK(fault_of(header(65535, 65535, 65535, 65535)) == WireFault::impossible_counts);
  CHECK(fault_of(header(1, 0, 0, 0) + "\0\0\1\0"s) == WireFault::impossible_counts);
  CHECK(MessageView::parse(header(1, 0, 0, 0) + "\0\0\1\0\1"s));
  CHECK(fault_of(std::string(65536, '\0')) == WireFault::too_long);
}

TEST_CASE("MessageView: RDATA that disagrees with its length is found at once") {
  const std::string owner_and_type = "\0\0\1\0\1\0\0\0\0"s;  // root, A, IN, TTL 0
  CHECK(MessageView::parse(header(0, 1, 0, 0) + owner_and_type + "\0\4\1\2\3\4"s));
  CHECK(fault_of(header(0, 1, 0, 0) + owner_and_type + "\0\3\1\2\3"s) == WireFault::truncated);
  CHECK(fault_of(header(0, 1, 0, 0) + owner_and_type + "\0\5\1\2\3\4\5"s) ==
        WireFault::rdata_length);
  CHECK(fault_of(header(0, 1, 0, 0) + owner_and_type + "\0\5\1\2\3\4"s) == WireFault::truncated);
}

TEST_CASE("MessageView: records of class ANY and NONE may be without data, as UPDATE has them") {
  const std::string empty_mx = "\0\0\17\0\377\0\0\0\0\0\0"s;
  const std::string octets = header(0, 0, 1, 0) + empty_mx;
  const auto message = MessageView::parse(octets);
  REQUIRE(message);
  CHECK(message->authority()[0].data() == Rdata(Opaque{Type::mx, {}}));
  const std::string of_class_in = "\0\0\17\0\1\0\0\0\0\0\0"s;
  CHECK_FALSE(MessageView::parse(header(0, 0, 1, 0) + of_class_in));
}

TEST_CASE("MessageView: OPT stands once, in the additional section, at the root") {
  const std::string opt = "\0\0\51\4\320\0\0\0\0\0\0"s;
  CHECK(MessageView::parse(header(0, 0, 0, 1) + opt)->edns()->udp_octets == 1232);
  CHECK(fault_of(header(0, 0, 0, 2) + opt + opt) == WireFault::bad_opt);
  CHECK(fault_of(header(0, 1, 0, 0) + opt) == WireFault::bad_opt);
  CHECK(fault_of(header(0, 0, 0, 1) + "\1a" + opt) == WireFault::bad_opt);
}

TEST_CASE("MessageView: EDNS options have a limit, and their lengths are checked") {
  const auto with_options = [](std::size_t count) {
    Writer writer;
    writer.octets(header(0, 0, 0, 1) + "\0\0\51\4\320\0\0\0\0"s);
    writer.u16(static_cast<std::uint16_t>(4 * count));
    for (std::size_t i = 0; i < count; ++i) writer.u32(0x000a0000);
    return writer.take();
  };
  CHECK(MessageView::parse(with_options(100)));
  CHECK(fault_of(with_options(101)) == WireFault::too_many_options);
  CHECK_FALSE(MessageView::parse(header(0, 0, 0, 1) + "\0\0\51\4\320\0\0\0\0\0\4\0\17\0\2"s));
}

TEST_CASE("MessageView: the rcode has eight more bits in OPT") {
  const std::string octets = header(0, 0, 0, 1) + "\0\0\51\4\320\1\0\0\0\0\0"s;
  CHECK(MessageView::parse(octets)->rcode() == Rcode::badvers);
}

TEST_CASE("MessageView: a TTL with its top bit set is zero") {
  const std::string octets = header(0, 1, 0, 0) + "\0\0\1\0\1\377\377\377\377\0\4\1\2\3\4"s;
  CHECK(MessageView::parse(octets)->answer()[0].ttl == 0);
}

TEST_CASE(
    "Extended error: a short option is none, a NUL at the end isn't text, controls are shown") {
  Edns edns;
  edns.options = {{15, "\0"}};
  CHECK_FALSE(edns.extended_error());
  edns.options = {{10, "\0\6x"}, {15, std::string_view("\0\6no sig\0", 9)}};
  REQUIRE(edns.extended_error());
  CHECK(edns.extended_error()->explanation == "no sig");
  CHECK(ExtendedError(6, "a\r\nb").describe().find('\n') == std::string::npos);
  CHECK(ExtendedError(4711, "").describe() == "extended error 4711");
}
