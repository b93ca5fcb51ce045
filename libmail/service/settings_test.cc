#include "libmail/service/settings.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "libmail/base/random.h"
#include "libmail/base/text.h"

namespace posthorn::service {
namespace {

// One option of each kind, and a site whose files a test writes.
struct Example {
  std::filesystem::path dir =
      std::filesystem::temp_directory_path() / ("posthorn-" + hex(random_octets(6)));
  OptionTable table;
  std::string greeting = "hello";
  std::string mode = "fast";
  std::vector<std::string> networks;
  std::uint16_t port = 25;
  std::size_t most = 10;
  std::uint64_t size = 16 << 20;
  Duration idle = std::chrono::minutes(5);
  bool strict = true;
  std::string aliases = "conf/aliases";
  std::string userdb = "unix:run/userdb.sock";
  std::vector<std::string> listen = {"inet:*:25", "unix:run/x.sock"};
  bool once = false;
  HostOptions host;

  Example() {
    std::filesystem::create_directories(dir / "conf");
    table.group("Words");
    table.add("greeting", greeting, "what it says");
    table.add("mode", mode, "how").one_of({"fast", "slow"});
    table.add("networks", networks, "who");
    table.group("Numbers");
    table.add("port", port, "where");
    table.add("max-clients", most, "how many").between(1, 100);
    table.add_size("message-size-limit", size, "how large");
    table.add("idle-time", idle, "how long");
    table.add("strict", strict, "whether");
    table.group("Places");
    table.add_path("aliases", aliases, "a table");
    table.add_endpoint("userdb", userdb, "a server");
    table.add_listeners("listen", listen, "listeners");
    table.add("stdin", once, "once").flag_only().short_name('s');
    host.describe(table);
  }
  ~Example() { std::filesystem::remove_all(dir); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(dir / "conf" / name) << text;
  }
  // The errors of a start with these flags.
  std::vector<std::string> start(std::vector<std::string> flags = {}) {
    flags.insert(flags.begin(), {"--site", dir.string()});
    auto line = parse_command_line(table, {"exampled", "an example", "", true}, flags);
    if (!line) return {line.error()};
    settings.emplace(table, "exampled", std::move(*line));
    return settings->load();
  }
  std::optional<Settings> settings;
};

using Texts = std::vector<std::string>;

TEST_CASE("Without any file every option has its default, and paths lie in the site") {
  Example example;
  CHECK(example.start() == Texts());
  CHECK(example.greeting == "hello");
  CHECK(example.aliases == example.dir.string() + "/conf/aliases");
  CHECK(example.userdb == "unix:" + example.dir.string() + "/run/userdb.sock");
  CHECK(example.listen == Texts{"inet:*:25", "unix:" + example.dir.string() + "/run/x.sock"});
  CHECK_FALSE(example.host.hostname.empty());
}

TEST_CASE("A flag beats NAME.toml, which beats posthorn.toml, which beats the default") {
  Example example;
  example.write("posthorn.toml",
                "hostname = \"site\"\naliases = \"/a\"\nmessage_size_limit = \"1M\"\n");
  example.write("exampled.toml", "aliases = \"/b\"\nmessage_size_limit = \"2M\"\n");
  CHECK(example.start({"--message-size-limit", "3M"}) == Texts());
  CHECK(example.host.hostname == "site");
  CHECK(example.aliases == "/b");
  CHECK(example.size == 3 << 20);
}

TEST_CASE("Each kind of value is read from flags and from TOML alike") {
  Example flags;
  CHECK(flags.start({"--greeting", "hi there", "--mode=slow", "--networks", "a", "--networks", "b",
                     "--port", "2525", "--max-clients=7", "--message-size-limit", "250k",
                     "--idle-time", "90s", "--no-strict", "-s"}) == Texts());
  Example file;
  file.write("exampled.toml",
             "greeting = \"hi there\"\nmode = \"slow\"\nnetworks = [\"a\", \"b\"]\nport = "
             "2525\nmax_clients = 7\n"
             "message_size_limit = 256000\nidle_time = 90\nstrict = false\n");
  CHECK(file.start() == Texts());
  for (const Example* example : {&flags, &file}) {
    CHECK(example->greeting == "hi there");
    CHECK(example->mode == "slow");
    CHECK(example->networks == Texts{"a", "b"});
    CHECK(example->port == 2525);
    CHECK(example->most == 7);
    CHECK(example->size == 256000);
    CHECK(example->idle == std::chrono::seconds(90));
    CHECK_FALSE(example->strict);
  }
  CHECK(flags.once);
}

TEST_CASE("An empty list can be asked for") {
  Example example;
  example.write("exampled.toml", "listen = []\n");
  CHECK(example.start() == Texts());
  CHECK(example.listen.empty());
  CHECK(example.start({"--listen", "none"}) == Texts());
  CHECK(example.listen.empty());
}

TEST_CASE("A file with an error is refused with its name, the line and what to do") {
  const auto [text, why] = GENERATE(table<const char*, const char*>({
      {"greting = \"x\"\n", "exampled.toml:1: unknown key greting, did you mean greeting?"},
      {"\n\nzzzzzzzzzzzz = 1\n", "exampled.toml:3: unknown key zzzzzzzzzzzz"},
      {"stdin = true\n", "exampled.toml:1: unknown key stdin"},
      {"port = 70000\n", "exampled.toml:1: port is 70000, the greatest is 65535"},
      {"port = \"ten\"\n", "exampled.toml:1: port expects a number, not \"ten\""},
      {"max_clients = 0\n", "exampled.toml:1: max_clients is 0, the least is 1"},
      {"message_size_limit = \"big\"\n",
       "message_size_limit expects a size such as 4096, 250k or 16M, not \"big\""},
      {"idle_time = \"soon\"\n",
       "idle_time expects a time such as 90s, 5m, 4h or 5d, not \"soon\""},
      {"strict = 1\n", "strict expects true or false, not \"1\""},
      {"mode = \"medium\"\n", "mode expects one of fast slow, not \"medium\""},
      {"greeting = [\"a\", \"b\"]\n", "greeting expects one value, not 2"},
      {"greeting = 2.5\n", "greeting expects a string, a number, true, false or a list of them"},
      {"[greeting]\nx = 1\n", "greeting expects a string, a number, true, false or a list of them"},
      {"listen = \"inet:25\"\n", "exampled.toml:1: listen "},
      {"domains = [\"example.org\", \"exa mple.org\"]\n",
       "exampled.toml:1: domains expects a domain such as example.org, not \"exa mple.org\""},
      {"userdb = \"stdio:\"\n", "userdb \"stdio:\" can't be connected to"},
      {"greeting = \n", "exampled.toml:1: "},
      {"greeting = \"a\"\ngreeting = \"b\"\n", "exampled.toml:2: "},
  }));
  CAPTURE(text);
  Example example;
  example.write("exampled.toml", text);
  const auto errors = example.start();
  REQUIRE(errors.size() == 1);
  CHECK_THAT(errors.front(), Catch::Contains(why));
  CHECK(example.port == 25);
}

TEST_CASE("posthorn.toml takes site-wide keys and agents, nothing else") {
  const auto [text, why] = GENERATE(table<const char*, const char*>({
      {"hostnam = \"x\"\n", "posthorn.toml:1: unknown key hostnam, did you mean hostname?"},
      {"max_clients = 7\n", "posthorn.toml:1: unknown key max_clients"},
      {"agents = 1\n", "posthorn.toml:1: agents expects tables"},
      {"[agents.smtpd]\nrunn = true\n", "posthorn.toml:2: unknown key runn, did you mean run?"},
      {"[agents.smtpd]\nrun = \"yes\"\n", "posthorn.toml:2: run expects true or false"},
      {"[agents.smtpd]\ncommand = []\n", "posthorn.toml:2: command expects the program"},
  }));
  CAPTURE(text);
  Example example;
  example.write("posthorn.toml", text);
  const auto errors = example.start();
  REQUIRE(errors.size() == 1);
  CHECK_THAT(errors.front(), Catch::Contains(why));
}

TEST_CASE("The agents of posthorn.toml are read with their commands") {
  Example example;
  example.write("posthorn.toml",
                "[agents.smtpd]\nrun = false\n[agents.relay2]\ncommand = [\"relayd\", \"--x y\"]\n"
                "[agents.other]\ncommand = \"/bin/other -a b\"\n");
  const auto file = read_site_file(Site::find(example.dir.string()));
  REQUIRE(file);
  std::map<std::string, AgentEntry> agents;
  for (const AgentEntry& entry : file->agents) agents[entry.name] = entry;
  CHECK(agents.size() == 3);
  CHECK_FALSE(agents["smtpd"].run);
  CHECK(agents["relay2"].run);
  CHECK(agents["relay2"].command == Texts{"relayd", "--x y"});
  CHECK(agents["other"].command == Texts{"/bin/other", "-a", "b"});
}

TEST_CASE("A flag with an error is refused by name") {
  const auto [flags, why] = GENERATE(table<Texts, const char*>({
      {{"--prt", "1"}, "unknown option --prt, did you mean --port?"},
      {{"--prt=1"}, "unknown option --prt, did you mean --port?"},
      {{"word"}, "unexpected argument \"word\""},
      {{"--port", "x"}, "--port: expects a number, not \"x\""},
      {{"--port"}, "--port"},
  }));
  Example example;
  const auto errors = example.start(flags);
  REQUIRE(errors.size() == 1);
  CHECK_THAT(errors.front(), Catch::Contains(why));
}

TEST_CASE("What --print-config prints is a configuration that says the same") {
  Example example;
  example.write("exampled.toml",
                "greeting = \"a \\\"b\\\" \\\\ c\"\nport = 2525\nnetworks = [\"x\", \"y\"]\nmode = "
                "\"slow\"\n");
  CHECK(example.start() == Texts());
  const std::string printed = print_config(example.table, "exampled", "an example");
  CHECK_THAT(printed, Catch::Contains("\nport = 2525\n"));
  CHECK_THAT(printed, Catch::Contains("\n#max_clients = 10\n"));
  CHECK_THAT(printed, Catch::Contains("\n#message_size_limit = \"16M\"\n"));
  CHECK_THAT(printed, Catch::Contains("\n#aliases = \"conf/aliases\"\n"));
  CHECK_THAT(printed, !Catch::Contains("stdin"));

  Example again;
  again.write("exampled.toml", printed);
  CHECK(again.start() == Texts());
  CHECK(print_config(again.table, "exampled", "an example") == printed);
  CHECK(again.greeting == "a \"b\" \\ c");

  // The defaults, uncommented, are a configuration too.
  std::string all;
  for (const std::string_view line : split(printed, '\n')) {
    const bool is_value = line.starts_with('#') && line.size() > 1 && is_alpha(line[1]);
    all += std::string(is_value ? line.substr(1) : line) + "\n";
  }
  Example full;
  full.write("exampled.toml", all);
  CHECK(full.start() == Texts());
  CHECK(full.size == 16 << 20);
}

TEST_CASE("A reload takes what may change and names what may not") {
  Example example;
  example.write("exampled.toml", "greeting = \"one\"\n");
  CHECK(example.start() == Texts());
  example.write("exampled.toml", "greeting = \"two\"\nlisten = [\"inet:*:26\"]\n");
  const auto reloaded = example.settings->reload();
  CHECK(reloaded.errors == Texts());
  CHECK(reloaded.changed == Texts{"greeting"});
  CHECK(reloaded.needs_restart == Texts{"listen"});
  CHECK(example.greeting == "two");
  CHECK(example.listen.front() == "inet:*:25");
  example.settings->undo();
  CHECK(example.greeting == "one");
}

TEST_CASE("A size is printed as the shortest text that is read back") {
  for (const std::uint64_t size :
       {0ull, 1ull, 1023ull, 1024ull, 1536ull, 1048576ull, 3221225472ull}) {
    CHECK(parse_size(format_size(size)) == size);
  }
  CHECK(format_size(16 << 20) == "16M");
}

TEST_CASE("The system's site is spread over four places, every other lies in its directory") {
  const Site system = Site::find("/etc/posthorn/");
  CHECK(system.is_system());
  CHECK(system.path("conf/users") == "/etc/posthorn/conf/users");
  CHECK(system.path("run/x.sock") == "/run/posthorn/x.sock");
  CHECK(system.path("queue") == "/var/lib/posthorn/queue");
  CHECK(system.path("log/x.log") == "/var/log/posthorn/x.log");
  CHECK(system.path("/abs") == "/abs");
  const Site own = Site::find("/srv/a/../mail/");
  CHECK_FALSE(own.is_system());
  CHECK(own.path("run/x.sock") == "/srv/mail/run/x.sock");
}

}  // namespace
}  // namespace posthorn::service
