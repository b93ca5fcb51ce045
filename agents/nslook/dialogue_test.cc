// Dialogues as transcripts: what is typed, what stands there.
#include "agents/nslook/dialogue.h"

#include <cstdio>
#include <filesystem>

#include "agents/nslook/test_dns.h"

namespace posthorn::nslook {
namespace {

// Gives the zone example.org to who asks 192.0.2.1.
class FakeZones final : public ZoneSource {
 public:
  async::Task<Result<std::vector<dns::Record>, std::string>> transfer(Place place, dns::Name zone,
                                                                      Manner) override {
    if (place.at.host != "192.0.2.1" || !(zone == name("example.org"))) {
      co_return fail(std::string("the server answered NOTAUTH"));
    }
    co_return records;
  }
  std::vector<dns::Record> records;
};

constexpr std::string_view zone =
    "example.org. 3600 IN SOA ns.example.org. hostmaster.example.org. 7 3600 600 86400 300\n"
    "example.org. NS ns.example.org.\n"
    "example.org. MX 10 mx.example.org.\n"
    "example.org. TXT \"v=spf1 -all\"\n"
    "ns.example.org. A 192.0.2.1\n"
    "mx.example.org. A 192.0.2.2\n"
    "mx.example.org. AAAA 2001:db8::2\n"
    "www.example.org. CNAME mx.example.org.\n"
    "2.2.0.192.in-addr.arpa. PTR mx.example.org.\n";

struct Talk {
  FakeDns dns;
  FakeZones zones;
  Asker asker{dns, [] { return test_time; }};
  std::string shown;
  Settings settings = test_settings();
  int exit_code = -1;
  bool over = false;

  Talk() {
    dns.at("192.0.2.1#53").add(zone);
    FakeServer copy;
    copy.add(zone);
    zones.records = copy.records;
  }

  // What stands on the screen after these lines.
  std::string say(std::vector<std::string> lines) {
    shown.clear();
    const Extra extra = [](const Settings&, std::string command,
                           std::string argument) -> async::Task<std::string> {
      co_return command + " of " + argument + "\n";
    };
    Dialogue dialogue(
        asker, zones, settings, [this](std::string_view text) { shown += text; }, extra);
    async::run([](Dialogue& d, std::vector<std::string> all, Talk& self) -> async::Task<void> {
      for (std::string& line : all) {
        const bool going = co_await d.take(std::move(line));
        if (!going) self.over = true;
        if (!going) break;
      }
    }(dialogue, std::move(lines), *this));
    exit_code = dialogue.exit_code();
    return shown;
  }
};

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("A name is looked up with both kinds of address") {
  Talk talk;
  CHECK(talk.say({"mx.example.org"}) ==
        "Server:\t\t192.0.2.1\nAddress:\t192.0.2.1#53\n\n"
        "Name:\tmx.example.org\nAddress: 192.0.2.2\n"
        "Name:\tmx.example.org\nAddress: 2001:db8::2\n\n");
  CHECK(talk.exit_code == 0);
}

TEST_CASE("An alias is told once") {
  Talk talk;
  const std::string shown = talk.say({"www.example.org"});
  CHECK(contains(shown,
                 "www.example.org\tcanonical name = mx.example.org.\nName:\tmx.example.org\n"));
  CHECK(shown.find("canonical") == shown.rfind("canonical"));
}

TEST_CASE("set type changes what is asked for") {
  Talk talk;
  CHECK(contains(talk.say({"set type=mx", "example.org"}),
                 "example.org\tmail exchanger = 10 mx.example.org.\n"));
  CHECK(contains(talk.say({"set q=txt", "example.org"}), "example.org\ttext = \"v=spf1 -all\"\n"));
  CHECK(contains(talk.say({"set ty=soa", "example.org"}),
                 "example.org\n\torigin = ns.example.org\n\tmail addr = hostmaster.example.org\n"
                 "\tserial = 7\n"));
}

TEST_CASE("An address is looked up the other way round") {
  Talk talk;
  CHECK(contains(talk.say({"192.0.2.2"}), "2.2.0.192.in-addr.arpa\tname = mx.example.org.\n"));
}

TEST_CASE("What isn't there is said in nslookup's words") {
  Talk talk;
  CHECK(contains(talk.say({"nobody.example.org"}),
                 "** server can't find nobody.example.org: NXDOMAIN\n"));
  CHECK(talk.exit_code == 1);
  CHECK(contains(talk.say({"set type=srv", "example.org"}),
                 "*** Can't find example.org: No answer\n"));
}

TEST_CASE("Silence is said, and which server was silent") {
  Talk talk;
  talk.dns.at("192.0.2.1#53").silent = true;
  CHECK(talk.say({"mx.example.org"}) ==
        ";; no answer from 192.0.2.1#53; no servers could be reached\n\n");
}

TEST_CASE("A failure is told with the reason that the server gives") {
  Talk talk;
  auto& server = talk.dns.at("192.0.2.1#53");
  server.rcode = dns::Rcode::servfail;
  server.why = dns::ExtendedError(6, "no signature");
  const std::string shown = talk.say({"mx.example.org"});
  CHECK(contains(shown, "** server can't find mx.example.org: SERVFAIL\n"));
  CHECK(contains(shown, "** DNSSEC Bogus (6): no signature\n"));
}

TEST_CASE("nofail asks the next server when one fails") {
  Talk talk;
  talk.dns.at("192.0.2.9#53").rcode = dns::Rcode::servfail;
  talk.settings.servers = {place("192.0.2.9"), place("192.0.2.1")};
  CHECK(contains(talk.say({"mx.example.org"}), "SERVFAIL"));
  CHECK(contains(talk.say({"set nofail", "mx.example.org"}), "Address: 192.0.2.2"));
}

TEST_CASE("The search list is put behind short names, and not behind those with a dot at the end") {
  Talk talk;
  CHECK(contains(talk.say({"set srchlist=example.net/example.org", "mx"}),
                 "Name:\tmx.example.org\n"));
  CHECK(contains(talk.say({"set domain=example.org", "mx."}), "can't find mx: NXDOMAIN"));
  CHECK(contains(talk.say({"set domain=example.org", "set nosearch", "mx"}),
                 "can't find mx: NXDOMAIN"));
}

TEST_CASE("A server named by its name is asked at the address that the present one tells") {
  Talk talk;
  talk.dns.at("192.0.2.2#53").add("inside.example.org. A 192.0.2.77\n");
  CHECK(talk.say({"server mx.example.org"}) ==
        "Default server: mx.example.org\nAddress: 192.0.2.2#53\n"
        "Default server: mx.example.org\nAddress: 2001:db8::2#53\n");
  CHECK(contains(talk.say({"inside.example.org mx.example.org"}), "Address: 192.0.2.77"));
}

TEST_CASE("lserver asks the first server for the address of the next one") {
  Talk talk;
  talk.dns.at("192.0.2.50#53").add("nothing.example. A 192.0.2.51\n");
  const std::string shown = talk.say({"server 192.0.2.50", "server mx.example.org"});
  CHECK(contains(shown, "*** couldn't find an address of the server mx.example.org\n"));
  CHECK(contains(talk.say({"server 192.0.2.50", "lserver mx.example.org"}),
                 "Address: 192.0.2.2#53\n"));
}

TEST_CASE("root goes to the server that set root names") {
  Talk talk;
  CHECK(contains(talk.say({"root"}), "*** no root server is known"));
  CHECK(talk.say({"set root=192.0.2.3:5353", "root"}) ==
        "Default server: 192.0.2.3\nAddress: 192.0.2.3#5353\n");
}

TEST_CASE("ls shows addresses, with -d all there is") {
  Talk talk;
  const std::string shown = talk.say({"ls example.org"});
  CHECK(contains(shown, " mx.example.org  300  AAAA  2001:db8::2\n"));
  CHECK_FALSE(contains(shown, "MX"));
  const std::string all = talk.say({"ls -d example.org"});
  CHECK(contains(all, "SOA"));
  CHECK(contains(all, "10 mx.example.org."));
  CHECK(contains(talk.say({"ls -a example.org"}), "CNAME"));
  CHECK(contains(talk.say({"ls -t TXT example.org"}), "\"v=spf1 -all\""));
}

TEST_CASE("ls says why there is no list") {
  Talk talk;
  CHECK(talk.say({"ls example.net"}) ==
        "*** Can't list zone example.net: the server answered NOTAUTH\n");
  CHECK(contains(talk.say({"ls"}), "*** ls takes the name of a zone\n"));
  CHECK(contains(talk.say({"ls -x example.org"}), "not -x"));
}

TEST_CASE("A listing goes into a file, and view shows it sorted") {
  Talk talk;
  const std::string file = std::filesystem::temp_directory_path() / "nslook_dialogue_test.zone";
  CHECK(talk.say({"ls -d example.org > " + file}).empty());
  const std::string shown = talk.say({"view " + file});
  CHECK(contains(shown, "[192.0.2.1]"));
  CHECK(shown.find("\n example.org ") < shown.find("\n mx.example.org"));
  talk.say({"set type=mx", "example.org >> " + file});
  CHECK(contains(talk.say({"view " + file}), "mail exchanger"));
  std::filesystem::remove(file);
  CHECK(contains(talk.say({"view " + file}), "*** couldn't read"));
  CHECK(contains(talk.say({"mx.example.org >"}), "lacks the name of a file"));
}

TEST_CASE("debug shows the whole reply, d2 the question too") {
  Talk talk;
  const std::string shown = talk.say({"set debug", "set type=mx", "example.org"});
  CHECK(contains(shown, "GOT ANSWER:\n    HEADER:\n"));
  CHECK(contains(shown, "    QUESTIONS:\n\texample.org, type = MX, class = IN\n"));
  CHECK(contains(shown, "    ->  example.org. 300 IN MX 10 mx.example.org.\n"));
  CHECK_FALSE(contains(shown, "SENT:"));
  CHECK(contains(talk.say({"set d2", "example.org"}), "SENT:\n"));
  CHECK_FALSE(contains(talk.say({"set d2", "set nodebug", "example.org"}), "GOT ANSWER"));
}

TEST_CASE("vc asks by TCP") {
  Talk talk;
  talk.say({"set vc", "set type=a", "mx.example.org"});
  CHECK(talk.dns.log == std::vector<std::string>{"192.0.2.1#53 tcp mx.example.org A"});
}

TEST_CASE("A truncated reply is asked for again by TCP") {
  Talk talk;
  talk.dns.at("192.0.2.1#53").truncates = true;
  CHECK(contains(talk.say({"set type=a", "mx.example.org"}), "Address: 192.0.2.2"));
  CHECK(talk.dns.log.back() == "192.0.2.1#53 tcp mx.example.org A");
}

TEST_CASE("A server that doesn't know EDNS is asked without it") {
  Talk talk;
  talk.dns.at("192.0.2.1#53").knows_edns = false;
  CHECK(contains(talk.say({"set type=a", "mx.example.org"}), "Address: 192.0.2.2"));
}

TEST_CASE("set all shows what was set") {
  Talk talk;
  const std::string shown =
      talk.say({"set type=any timeout=9 retry=1 port=5353", "set domain=example.org", "set all"});
  CHECK(contains(shown, "Address: 192.0.2.1#5353\n"));
  CHECK(contains(shown, "timeout = 9"));
  CHECK(contains(shown, "querytype = ANY"));
  CHECK(contains(shown, "srchlist = example.org\n"));
}

TEST_CASE("A setting that is none is named, with what it should be") {
  Talk talk;
  CHECK(talk.say({"set type=mxx"}) == "*** unknown type \"mxx\"; TYPE99 gives one by number\n");
  CHECK(talk.say({"set colour=red"}) == "*** unknown setting \"colour\"; help lists them\n");
  CHECK(talk.say({"set port=70000"}) == "*** port is a number from 1 to 65535, not \"70000\"\n");
  CHECK(talk.say({"set"}) == "*** set what? help lists it\n");
}

TEST_CASE("finger is gone, and says so") {
  Talk talk;
  CHECK(contains(talk.say({"finger ann"}), "*** finger isn't there any more"));
}

TEST_CASE("Comments and empty lines are nothing, exit ends") {
  Talk talk;
  CHECK(talk.say({"", "  ", "# mx.example.org", "exit", "mx.example.org"}).empty());
  CHECK(talk.over);
}

TEST_CASE("The other modes are commands, too") {
  Talk talk;
  CHECK(talk.say({"mail example.org"}) == "mail of example.org\n");
  CHECK(contains(talk.say({"trace"}), "*** trace takes one name\n"));
}

TEST_CASE("A name that is none is named") {
  Talk talk;
  CHECK(contains(talk.say({"a..b"}), "*** \"a..b\" is no name: "));
}

}  // namespace posthorn::nslook
