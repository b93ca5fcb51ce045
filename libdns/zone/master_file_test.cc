#include "libdns/zone/master_file.h"

#include <fmt/format.h>

#include <map>

#include "libdns/zone/test_zone.h"

using namespace posthorn;
using namespace posthorn::dns;

namespace {

const std::string head = "$TTL 1h\n@ SOA ns hostmaster 1 3600 600 86400 300\n@ NS ns\n";

MasterFile parse(const std::string& text, MasterFileOptions options = {}) {
  return parse_master_file(text, name("a.test"), options);
}

Lines texts(const MasterFile& file) {
  Lines lines;
  for (const Problem& problem : file.problems) lines.push_back(problem.text());
  return lines;
}

// Files in memory.
OpenInclude files(std::map<std::string, std::string> content) {
  return [content](std::string_view path, std::string_view) -> Result<std::string, std::string> {
    const auto found = content.find(std::string(path));
    if (found == content.end()) return fail(fmt::format("{}: no such file", path));
    return found->second;
  };
}

std::string line(const MasterFile& file, const char* owner, Type type) {
  for (const Problem& problem : file.problems) UNSCOPED_INFO(problem.text());
  REQUIRE(file.zone != nullptr);
  const RrSet* set = file.zone->find(name(owner), type);
  REQUIRE(set != nullptr);
  return line_of(*set);
}

}  // namespace

TEST_CASE("parse_master_file: the example of RFC 1035 5.3") {
  const auto file = parse_master_file(R"(
@   IN  SOA     VENERA      Action\.domains (
                                 20     ; SERIAL
                                 7200   ; REFRESH
                                 600    ; RETRY
                                 3600000; EXPIRE
                                 60)    ; MINIMUM

        NS      A.ISI.EDU.
        NS      VENERA
        NS      VAXA
        MX      10      VENERA
        MX      20      VAXA

A       A       26.3.0.103

VENERA  A       10.1.0.52
        A       128.9.0.32

VAXA    A       10.2.0.27
        A       128.9.0.33
)",
                                      name("ISI.EDU"));
  REQUIRE(file.zone != nullptr);
  CHECK(texts(file) == Lines{"zone:2:1: warning: no TTL: the minimum of the SOA, 60 seconds, is "
                             "taken (write $TTL above)"});
  CHECK(file.zone->soa().mailbox.text() == R"(Action\.domains.ISI.EDU)");
  CHECK(file.zone->record_count() == 11);
  CHECK(line(file, "venera.isi.edu", Type::a) == "VENERA.ISI.EDU A 10.1.0.52 128.9.0.32");
}

TEST_CASE("parse_master_file: $ORIGIN, $TTL, inherited owners, classes, units") {
  const auto file = parse(head +
                          "$ORIGIN sub\n"
                          "www 2m IN A 192.0.2.1\n"
                          " IN 1d2h AAAA 2001:db8::1\n"
                          "$TTL 5\n"
                          "\tTXT (\n \"one\" ; comment\n two )\n"
                          "$origin a.test.\n"
                          "t TXT \"semi;colon\" \\\"q\\\"\n"
                          "x TYPE4711 \\# 2 abcd");
  CHECK(line(file, "www.sub.a.test", Type::a) == "www.sub.a.test A 192.0.2.1");
  CHECK(file.zone->find(name("www.sub.a.test"), Type::a)->ttl == 120);
  CHECK(file.zone->find(name("www.sub.a.test"), Type::aaaa)->ttl == 93600);
  CHECK(file.zone->find(name("www.sub.a.test"), Type::txt)->ttl == 5);
  CHECK(line(file, "t.a.test", Type::txt) == R"(t.a.test TXT "semi;colon" "\"q\"")");
  CHECK(line(file, "x.a.test", static_cast<Type>(4711)) == "x.a.test TYPE4711 \\# 2 abcd");
}

TEST_CASE("parse_master_file: without $TTL the last TTL counts (RFC 1035 5.1)") {
  const auto file = parse("@ 77 SOA ns h 1 1 1 1 1\n@ NS ns\nns 5 A 192.0.2.1\nx A 192.0.2.2\n");
  REQUIRE(file.zone != nullptr);
  CHECK(file.zone->find(name("a.test"), Type::ns)->ttl == 77);
  CHECK(file.zone->find(name("x.a.test"), Type::a)->ttl == 5);
  const auto none = parse("www A 192.0.2.1\n");
  CHECK(texts(none) ==
        Lines{"zone:1:5: error: no TTL here and no default (write $TTL 3600 above)"});
}

TEST_CASE("parse_master_file: all errors are told, with place and hint") {
  const auto file = parse(
      "$TTL soon\n"
      "$ORIGN b\n"
      "$TTL 60\n"
      "@ SOA ns h 1 1 1 1 1\n"
      "@ NS ns\n"
      "w A 192.0.2\n"
      "elsewhere.test. A 192.0.2.1\n"
      "www SOA ns h 1 1 1 1 1\n"
      "@ SOA ns h 2 1 1 1 1\n"
      "c CH A 192.0.2.1\n"
      "q TXT \"open\n"
      "u UNKNOWN x\n");
  CHECK(file.zone == nullptr);
  REQUIRE(file.problems.size() == 9);
  CHECK(file.problems[0].text() ==
        "zone:1:6: error: $TTL takes one time from 0 to 2147483647 seconds (as in $TTL 3600, $TTL "
        "1h30m)");
  CHECK(file.problems[1].text() ==
        "zone:2:1: error: unknown directive $ORIGN (did you mean $ORIGIN?)");
  CHECK(file.problems[2].where == "zone:6:5");
  CHECK(file.problems[3].where == "zone:7:1");
  CHECK(file.problems[3].what == "elsewhere.test A: the name is outside of the zone");
  CHECK(file.problems[4].where == "zone:8:1");
  CHECK(file.problems[5].what == "the zone has more than one SOA");
  CHECK(file.problems[6].what == "c.a.test A: the class isn't IN");
  CHECK(file.problems[7].where == "zone:11:7");
  CHECK(file.problems[8].where == "zone:12:3");
}

TEST_CASE("parse_master_file: a text without SOA is no zone") {
  CHECK(parse("").problems.at(0).what == "the zone has no SOA");
  CHECK(parse("; nothing\n").zone == nullptr);
}

TEST_CASE("parse_master_file: doubles and differing TTLs are warnings") {
  const auto file = parse(head + "w 60 A 192.0.2.1\nw 30 A 192.0.2.2\nw 30 A 192.0.2.1\n");
  REQUIRE(file.zone != nullptr);
  REQUIRE(file.problems.size() == 2);
  CHECK(file.problems[0].text() ==
        "zone:5:1: warning: w.a.test A: TTLs differ in one set (RFC 2181 5.2); the least is taken "
        "(give all of them the same)");
  CHECK(file.problems[1].what == "w.a.test A: the same record once more");
  CHECK(file.zone->find(name("w.a.test"), Type::a)->ttl == 30);
}

TEST_CASE("parse_master_file: bad octets and ends are errors or nothing, never a wrong zone") {
  CHECK(parse(head + std::string("x A 192.0.2.1\0", 14)).zone == nullptr);
  CHECK(parse(head + "x TXT \"\x01\"\n").zone == nullptr);
  const auto crlf = parse(head + "x\tA\t192.0.2.1\r\n\ty A 192.0.2.1");
  CHECK(crlf.zone == nullptr);  // "y" is no type
  CHECK(parse(head + "x\tA\t192.0.2.1\r\n\tTXT\ty").zone != nullptr);
  CHECK(parse(head + "x A (192.0.2.1\n").zone == nullptr);
}

TEST_CASE("parse_master_file: a TXT of ten megabytes is an error of its line") {
  const auto file = parse(head + "x TXT " + std::string(10 << 20, 'x') + "\ny A 192.0.2.1\n");
  CHECK(file.zone == nullptr);
  REQUIRE(file.problems.size() == 1);
  CHECK(file.problems[0].where == "zone:4:7");
}

TEST_CASE("parse_master_file: a string over 255 octets is told how to be cut") {
  const auto file = parse(head + "x TXT \"" + std::string(300, 'k') + "\"\n");
  REQUIRE(file.problems.size() == 1);
  CHECK(file.problems[0].hint == "cut it into several strings: \"...\" \"...\"");
}

TEST_CASE("$INCLUDE: the file stands in its place, origin and owner come back behind it") {
  MasterFileOptions options;
  options.file = "main.zone";
  options.open = files({{"hosts", "h1 A 192.0.2.1\n$ORIGIN deep\nh2 A 192.0.2.2\n"},
                        {"with space", "in TXT there\n"}});
  const auto file = parse(head +
                              "last TXT x\n$INCLUDE hosts\n A 192.0.2.9\n"
                              "$INCLUDE \"with space\" sub.a.test.\nw A 192.0.2.3\n",
                          options);
  CHECK(line(file, "h1.a.test", Type::a) == "h1.a.test A 192.0.2.1");
  CHECK(line(file, "h2.deep.a.test", Type::a) == "h2.deep.a.test A 192.0.2.2");
  CHECK(line(file, "last.a.test", Type::a) == "last.a.test A 192.0.2.9");
  CHECK(line(file, "in.sub.a.test", Type::txt) == "in.sub.a.test TXT \"there\"");
  CHECK(line(file, "w.a.test", Type::a) == "w.a.test A 192.0.2.3");
}

TEST_CASE("$INCLUDE: an error in an included file has its name") {
  MasterFileOptions options;
  options.open = files({{"hosts", "\nh1 A nonsense\n"}});
  const auto file = parse(head + "$INCLUDE hosts\n$INCLUDE missing\n", options);
  REQUIRE(file.problems.size() == 2);
  CHECK(file.problems[0].where == "hosts:2:6");
  CHECK(file.problems[1].text() == "zone:5:10: error: missing: no such file");
}

TEST_CASE("$INCLUDE: circles, depth and files where none may be opened are refused") {
  MasterFileOptions options;
  options.open = files({{"self", "$INCLUDE self\n"}, {"a", "$INCLUDE b\n"}, {"b", "$INCLUDE a\n"}});
  CHECK(parse(head + "$INCLUDE self\n", options).problems.at(0).text() ==
        "self:1:10: error: self includes itself (break the circle)");
  CHECK(parse(head + "$INCLUDE a\n", options).problems.at(0).where == "b:1:10");
  options.open = [](std::string_view path, std::string_view) -> Result<std::string, std::string> {
    return "$INCLUDE " + std::string(path) + "x\n";
  };
  const auto deep = parse(head + "$INCLUDE x\n", options);
  REQUIRE(deep.problems.size() == 1);
  CHECK(deep.problems[0].what == "more than 10 files include one another");
  CHECK(parse(head + "$INCLUDE x\n").problems.at(0).what == "$INCLUDE isn't allowed here");
}

TEST_CASE("$INCLUDE: files that include much twice end at the limit of octets") {
  MasterFileOptions options;
  options.limits.octets = 100000;
  options.limits.include_depth = 1000;
  options.open = [](std::string_view from, std::string_view) -> Result<std::string, std::string> {
    const std::string next = "x" + std::string(from);
    return "$INCLUDE " + next + "\n$INCLUDE " + next + "\n";
  };
  const auto file = parse(head + "$INCLUDE x\n", options);
  CHECK(file.zone == nullptr);
  CHECK(file.problems.back().what == "over 100000 octets of text");
}

TEST_CASE("$GENERATE: one line makes many records") {
  const auto file = parse(head +
                          "$GENERATE 1-3 host-$ A 192.0.2.$\n"
                          "$GENERATE 0-10/5 ${100,4} 300 IN TXT n $ ${-0,3,x} $$ \\$\n"
                          "$GENERATE 1-2 p${0,0,X} PTR h${9,3,o}\n");
  CHECK(line(file, "host-3.a.test", Type::a) == "host-3.a.test A 192.0.2.3");
  CHECK(line(file, "0105.a.test", Type::txt) == R"(0105.a.test TXT "n" "5" "005" "$" "$")");
  CHECK(line(file, "p2.a.test", Type::ptr) == "p2.a.test PTR h013.a.test.");
  CHECK(file.zone->record_count() == 2 + 3 + 3 + 2);
}

TEST_CASE("$GENERATE: nibbles for ip6.arpa, an even width ends in a dot") {
  const auto file = parse(head +
                          "$GENERATE 250-260 ${0,5,n}.x PTR h\n"
                          "$GENERATE 4000-4001 ${0,2,N}.y PTR h\n"
                          "$GENERATE 1-1 ${0,4,n}z PTR h\n");
  CHECK(line(file, "4.0.1.x.a.test", Type::ptr) == "4.0.1.x.a.test PTR h.a.test.");
  CHECK(line(file, "a.f.0.x.a.test", Type::ptr) == "a.f.0.x.a.test PTR h.a.test.");
  CHECK(line(file, "0.A.F.y.a.test", Type::ptr) == "0.A.F.y.a.test PTR h.a.test.");
  CHECK(line(file, "1.0.z.a.test", Type::ptr) == "1.0.z.a.test PTR h.a.test.");
}

TEST_CASE("$GENERATE: one quoted string is the data without its quotes, several are strings") {
  const auto file = parse(head +
                          "$GENERATE 1-1 mx$ 60 IN MX \"10 mail${5}\"\n"
                          "$GENERATE 1-1 one$ TXT \"v $ $$\"\n"
                          "$GENERATE 1-1 two$ TXT \"a \\\"b $ c\\\" d\"\n"
                          "$GENERATE 1-1 three$ TXT \"a $\" \"b\"\n");
  CHECK(line(file, "mx1.a.test", Type::mx) == "mx1.a.test MX 10 mail6.a.test.");
  CHECK(line(file, "one1.a.test", Type::txt) == R"(one1.a.test TXT "v" "1" "$")");
  CHECK(line(file, "two1.a.test", Type::txt) == R"(two1.a.test TXT "a" "b 1 c" "d")");
  CHECK(line(file, "three1.a.test", Type::txt) == R"(three1.a.test TXT "a 1" "b")");
}

TEST_CASE("$GENERATE: what can't be is told once, with its place") {
  const auto [text, what] = GENERATE(table<const char*, const char*>({
      {"0-2147483647 h$ A 192.0.2.1", "2147483648 records; one $GENERATE makes at most 65536"},
      {"1-99999999999 h$ A 192.0.2.1", "no range"},
      {"5-1 h$ A 192.0.2.1", "no range"},
      {"1-5/0 h$ A 192.0.2.1", "no range"},
      {"1-5 h${ A 192.0.2.1", "needs OFFSET"},
      {"1-5 h${0,99} A 192.0.2.1", "needs OFFSET"},
      {"1-5 h${0,1,q} A 192.0.2.1", "needs OFFSET"},
      {"1-5 h${-3} A 192.0.2.1", "gets negative"},
      {"250-260 h$ A 192.0.2.$", "for 256: "},
      {"1-5 h$ A", "$GENERATE takes"},
      {"1-5 h$.other. A 192.0.2.1", "outside of the zone"},
  }));
  CAPTURE(text);
  const auto file = parse(head + "$GENERATE " + text + "\n");
  CHECK(file.zone == nullptr);
  REQUIRE(file.problems.size() == 1);
  CHECK(file.problems[0].where.starts_with("zone:4:"));
  CHECK(file.problems[0].what.find(what) != std::string::npos);
}

TEST_CASE("parse_master_file: the limit of records ends reading") {
  MasterFileOptions options;
  options.limits.records = 100;
  const auto file = parse(head + "$GENERATE 1-5000 h$ A 192.0.2.1\nbad line\n", options);
  CHECK(file.zone == nullptr);
  REQUIRE(file.problems.size() == 1);
  CHECK(file.problems[0].what == "more than 100 records");
}

TEST_CASE("to_master_file: reads back as the same zone") {
  const auto zone = parse(head + R"(
*.w 60 MX 0 .
\.odd\000\ name TXT "quote\"d" \200\\ "" "; no comment"
s 5 SRV 1 2 3 t.a.test.
s 5 RRSIG SRV 13 3 5 20300101000000 20200101000000 7 a.test. AAAA
unknown TYPE65280 \# 3 010203
svc HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.1
0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3 1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX
)")
                        .zone;
  REQUIRE(zone != nullptr);
  const std::string text = to_master_file(*zone);
  CHECK(text.starts_with("a.test. 3600 IN SOA "));
  const auto again = parse(text);
  CHECK(again.problems.empty());
  REQUIRE(again.zone != nullptr);
  CHECK(*again.zone == *zone);
}
