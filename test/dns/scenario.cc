#include "test/dns/scenario.h"

#include <algorithm>
#include <sstream>

#include "libdns/dnssec/test_zone.h"
#include "libdns/resolver/recursor.h"
#include "libdns/zone/master_file.h"
#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "test/dns/fake_internet.h"

namespace posthorn::dns::test {

namespace {

using Words = std::vector<std::string>;

Words words_of(const std::string& line) {
  std::istringstream in(line);
  Words words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

std::string joined(const Words& words, std::size_t from) {
  std::string text;
  for (std::size_t i = from; i < words.size(); ++i) text += (text.empty() ? "" : " ") + words[i];
  return text;
}

struct ZoneText {
  std::string apex;
  bool is_signed = false;
  std::size_t trap_keys = 0;
  std::optional<Nsec3Parameters> nsec3;
  std::string text;
};

struct ServerText {
  std::string address;
  Words zones;
};

struct Answered {
  std::optional<Resolution> resolution;
  Duration took{};
};

async::Task<void> ask_into(Recursor& recursor, Question question, ResolveOptions options,
                           async::Deadline deadline, Answered& into) {
  const MonoTime begin = async::Loop::current().now();
  auto resolution = co_await recursor.resolve(std::move(question), options, deadline);
  into.resolution = std::move(resolution);
  into.took = async::Loop::current().now() - begin;
}

// "www.example A 192.0.2.1"
std::string line_of(const RrSet& set, const std::string& octets) {
  const auto data = rdata_from_wire(set.type, octets);
  return set.owner.folded().text() + ' ' + to_string(set.type) + ' ' +
         (data ? to_text(*data) : "?");
}

class Runner {
 public:
  explicit Runner(std::string_view text) {
    std::istringstream in{std::string(text)};
    for (std::string line; std::getline(in, line);) {
      const auto comment = line.find('#');
      lines_.push_back(comment == std::string::npos ? line : line.substr(0, comment));
    }
  }
  ~Runner() = default;
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  std::vector<std::string> run();

 private:
  void statement(const Words& words);
  bool describe(const Words& words);
  bool act(const Words& words);
  void expect(const Words& words);
  bool expect_answer(const Words& words);
  bool expect_traffic(const Words& words);
  void configure(const Words& words);
  void add_zone(const Words& words);
  void add_rule(const Words& words);
  void read_sections(Rule& rule);
  std::string block();
  void build();
  std::shared_ptr<const Zone> make_zone(const ZoneText& zone);
  std::string with_ds(const std::string& text) const;
  void ask(const Words& words, std::size_t from, std::size_t crowd);
  void advance(Duration span);
  void wait_for_all();
  void finish();
  void fault(const std::string& what) {
    faults_.push_back("line " + std::to_string(at_ + 1) + ": " + what);
  }
  void compare(const std::string& what, const std::string& is, const std::string& wanted) {
    if (is != wanted) fault(what + " is " + is + ", not " + wanted);
  }
  [[nodiscard]] const Resolution& got() const { return *answers_.front().resolution; }
  void check_answer_complete();

  Words lines_;
  std::size_t at_ = 0;
  std::vector<std::string> faults_;
  std::vector<ZoneText> zone_texts_;
  std::vector<ServerText> server_texts_;
  std::map<std::string, std::string> ds_;
  FakeInternet internet_;
  CacheSettings cache_settings_;
  RecursorSettings settings_;
  std::uint32_t wall_offset_ = 0;
  MonoTime began_ = async::Loop::current().now();
  std::unique_ptr<Cache> cache_;
  std::unique_ptr<Recursor> recursor_;
  Words anchors_;
  async::Scope scope_;
  std::vector<Answered> answers_;
  std::size_t packets_before_ = 0;
  RecursorStats stats_before_;
  std::size_t answers_expected_ = 0;
  bool answers_listed_ = false;
};

std::string Runner::block() {
  std::string text;
  for (++at_; at_ < lines_.size() && words_of(lines_[at_]) != Words{"end"}; ++at_)
    text += lines_[at_] + "\n";
  return text;
}

// Owners begin lines of a zone file; here they are indented for the eye.
std::string unindented(const std::string& text) {
  std::istringstream in(text);
  std::string out;
  for (std::string line; std::getline(in, line);) {
    const auto begin = line.find_first_not_of(" \t");
    if (begin != std::string::npos) out += line.substr(begin) + "\n";
  }
  return out;
}

void Runner::add_zone(const Words& words) {
  ZoneText zone;
  zone.apex = words.at(1);
  for (std::size_t i = 2; i < words.size(); ++i) {
    if (words[i] == "signed") zone.is_signed = true;
    if (words[i].starts_with("trap-keys=")) zone.trap_keys = std::stoul(words[i].substr(10));
    if (words[i] == "nsec3" && !zone.nsec3) zone.nsec3.emplace();
    if (words[i] == "opt-out") zone.nsec3.emplace(), zone.nsec3->opt_out = true;
    if (words[i].starts_with("iterations="))
      zone.nsec3.emplace(),
          zone.nsec3->iterations = static_cast<std::uint16_t>(std::stoul(words[i].substr(11)));
  }
  zone.text = unindented(block());
  zone_texts_.push_back(std::move(zone));
}

// "sub.example DS @" means the key of that zone.
std::string Runner::with_ds(const std::string& text) const {
  std::istringstream in(text);
  std::string out;
  for (std::string line; std::getline(in, line);) {
    const Words words = words_of(line);
    const bool filled = words.size() == 3 && words[1] == "DS" && words[2] == "@";
    out += filled ? words[0] + " 3600 DS " + ds_.at(words[0]) : line;
    out += "\n";
  }
  return out;
}

std::shared_ptr<const Zone> Runner::make_zone(const ZoneText& zone) {
  std::string text = with_ds(zone.text);
  if (zone.nsec3)
    text += zone.apex + " NSEC3PARAM 1 0 " + std::to_string(zone.nsec3->iterations) + " -\n";
  if (zone.is_signed) {
    SignedZone made(zone.apex, text, zone.nsec3);
    for (RrSet& set : made.sets) {
      if (zone.trap_keys == 0 || set.type != Type::dnskey) continue;
      for (const Dnskey& key : trap_keys(zone.trap_keys)) set.add(rdata_to_wire(key));
      sign_anew(set, made.zone, std::span(&made.key, 1), around_now);
    }
    ds_[zone.apex] = to_text(made.ds());
    internet_.keys.insert_or_assign(zone.apex, made.key);
    internet_.validity = around_now;
    ZoneEditor editor(made.zone);
    for (const RrSet& set : made.sets) REQUIRE(editor.add(set));
    auto version = editor.commit();
    REQUIRE(version);
    return version->zone;
  }
  std::string whole = "$ORIGIN .\n$TTL 3600\n";
  if (text.find(" SOA ") == std::string::npos)
    whole += zone.apex + " SOA ns.x. mail.x. 1 3600 600 86400 300\n";
  const MasterFile file = parse_master_file(whole + text, name(zone.apex));
  for (const Problem& problem : file.problems) {
    if (!file.zone) FAIL_CHECK(problem.text());
  }
  REQUIRE(file.zone);
  return file.zone;
}

// Children first: their parents have their DS.
void Runner::build() {
  if (!zone_texts_.empty() || !server_texts_.empty()) {
    std::ranges::sort(zone_texts_, [](const ZoneText& a, const ZoneText& b) {
      return name(a.apex).label_count() > name(b.apex).label_count();
    });
    std::map<std::string, std::shared_ptr<const Zone>> zones;
    for (const ZoneText& zone : zone_texts_) zones[zone.apex] = make_zone(zone);
    internet_.zones.insert(zones.begin(), zones.end());
    for (const ServerText& server : server_texts_) {
      auto& serves = internet_.servers[server.address];
      serves.clear();
      for (const std::string& one : server.zones) {
        serves.push_back(zones.at(one));
        if (one == "." && settings_.root_hints.size() == 13)
          settings_.root_hints = {RootHint(name("a.root"), {server.address})};
      }
    }
    zone_texts_.clear();
    server_texts_.clear();
  }
  if (recursor_) return;
  settings_.anchors = TrustAnchors();
  for (const std::string& zone : anchors_) {
    const auto data = parse_rdata(Type::ds, ds_.at(zone));
    REQUIRE(data);
    settings_.anchors.add(name(zone), std::get<Ds>(*data));
  }
  settings_.wall_seconds = [this] {
    const auto ran = async::Loop::current().now() - began_;
    return now + wall_offset_ +
           static_cast<std::uint32_t>(
               std::chrono::duration_cast<std::chrono::seconds>(ran).count());
  };
  cache_ = std::make_unique<Cache>(cache_settings_);
  recursor_ = std::make_unique<Recursor>(*cache_, internet_, settings_);
}

void Runner::configure(const Words& words) {
  const std::string& what = words.at(1);
  const std::string& value = words.at(2);
  const std::map<std::string, bool*> switches = {
      {"minimise", &settings_.minimise_names},
      {"case", &settings_.randomise_case},
      {"prefetch", &settings_.prefetch},
      {"ipv6", &settings_.use_ipv6},
      {"loopback-servers", &settings_.ask_loopback},
      {"nxdomain-cut", &cache_settings_.nxdomain_cut},
      {"private-filter", &settings_.filter_private_answers}};
  const std::map<std::string, std::vector<Name>*> names = {
      {"private-name", &settings_.private_names},
      {"never-stale", &settings_.never_stale},
      {"negative-anchor", &settings_.negative_anchors}};
  const std::map<std::string, std::size_t*> numbers = {
      {"waiting-each-zone", &settings_.limits.waiting_each_zone},
      {"waiting-each-question", &settings_.limits.waiting_each_question}};
  if (switches.contains(what)) {
    *switches.at(what) = value == "yes";
  } else if (names.contains(what)) {
    names.at(what)->push_back(name(value));
  } else if (numbers.contains(what)) {
    *numbers.at(what) = std::stoul(value);
  } else if (what == "anchor") {
    anchors_.push_back(value);
  } else if (what == "own-address") {
    settings_.own_addresses.push_back(value);
  } else if (what == "stale") {
    settings_.serve_stale = true;
    cache_settings_.stale_for = static_cast<std::uint32_t>(std::stoul(value));
  } else if (what == "forward") {
    Forward forward(name(value), {});
    for (std::size_t i = 3; i < words.size(); ++i)
      forward.servers.push_back(async::Endpoint::inet(words[i], 53));
    settings_.forwards.push_back(std::move(forward));
  } else {
    fault("no such setting: " + what);
  }
}

void Runner::read_sections(Rule& rule) {
  std::istringstream in(block());
  const Words sections = {"answer", "authority", "additional"};
  for (std::string line; std::getline(in, line);) {
    const Words words = words_of(line);
    if (words.empty()) continue;
    const auto section = std::ranges::find(sections, words[0]) - sections.begin();
    RecordDefaults defaults;
    defaults.ttl = 3600;
    const auto record = parse_record(joined(words, 1), defaults);
    if (section > 2 || !record) {
      fault("no record: " + line);
      continue;
    }
    rule.sections[section].push_back(*record);
  }
}

// rule SERVER|* NAME|*|*.NAME TYPE|* ACTION [NUMBER] [times N] [no-aa] [RCODE]
void Runner::add_rule(const Words& words) {
  Rule rule;
  rule.server = words.at(1);
  std::string owner = words.at(2);
  rule.below = owner.starts_with("*.");
  if (rule.below) owner.erase(0, 2);
  if (owner != "*") rule.name = name(owner);
  if (words.at(3) != "*") rule.type = parse_type(words[3]);
  rule.action = words.at(4);
  for (std::size_t i = 5; i < words.size(); ++i) {
    if (rule.action == "replay" && i == 5) {
      rule.zone = words.at(5);
      rule.other.emplace(name(words.at(6)), *parse_type(words.at(7)));
      i = 7;
    } else if (rule.action == "sign-as" && i == 5) {
      rule.owner = name(words[i]);
    } else if (words[i] == "times") {
      rule.times = std::stoul(words.at(++i));
    } else if (words[i] == "no-aa") {
      rule.authoritative = false;
    } else if (words[i] == "NXDOMAIN") {
      rule.rcode = Rcode::nxdomain;
    } else {
      rule.number = std::stoul(words[i]);
    }
  }
  if (rule.action == "reply" || rule.action == "add") read_sections(rule);
  internet_.rules.push_back(std::move(rule));
}

void Runner::advance(Duration span) {
  constexpr std::chrono::milliseconds step(1);
  const MonoTime end = async::Loop::current().now() + span;
  if (span > std::chrono::seconds(60)) async::Loop::current().advance(span);
  while (async::Loop::current().now() < end) async::Loop::current().advance(step);
}

void Runner::wait_for_all() {
  for (int ms = 0; ms < 30000 && scope_.running() > 0; ++ms)
    async::Loop::current().advance(std::chrono::milliseconds(1));
  if (scope_.running() > 0) fault("a question has no end");
}

void Runner::finish() {
  if (recursor_) scope_.spawn(recursor_->close());
  wait_for_all();
}

// ask NAME TYPE [cd] [within MS]
void Runner::ask(const Words& words, std::size_t from, std::size_t crowd) {
  build();
  check_answer_complete();
  answers_.clear();
  answers_.resize(crowd);
  answers_expected_ = 0;
  answers_listed_ = false;
  packets_before_ = internet_.seen.size();
  stats_before_ = recursor_->stats();
  internet_.most_in_flight = 0;
  ResolveOptions options;
  std::chrono::milliseconds patience(10000);
  for (std::size_t i = from + 2; i < words.size(); ++i) {
    if (words[i] == "cd") options.checking_disabled = true;
    if (words[i] == "within") patience = std::chrono::milliseconds(std::stoul(words.at(++i)));
  }
  for (std::size_t i = 0; i < crowd; ++i) {
    std::string owner = words.at(from);
    // "%" makes each name of a crowd another one.
    const auto percent = owner.find('%');
    if (percent != std::string::npos) owner.replace(percent, 1, std::to_string(i));
    const Question question(name(owner), *parse_type(words.at(from + 1)));
    scope_.spawn(
        ask_into(*recursor_, question, options, async::Deadline::in(patience), answers_[i]));
  }
  wait_for_all();
}

bool Runner::expect_traffic(const Words& words) {
  const auto seen = std::span(internet_.seen).subspan(packets_before_);
  const std::string& what = words[0];
  if (what == "upstream") {
    const bool at_most = words.at(1) == "<=";
    const std::size_t wanted = std::stoul(words.at(at_most ? 2 : 1));
    if (at_most ? seen.size() > wanted : seen.size() != wanted)
      fault(std::to_string(seen.size()) + " messages were sent");
    return true;
  }
  if (what == "verified" || what == "hashed") {
    const RecursorStats now_stats = recursor_->stats();
    const std::uint64_t count = what == "verified"
                                    ? now_stats.verifications - stats_before_.verifications
                                    : now_stats.nsec3_hashes - stats_before_.nsec3_hashes;
    const std::uint64_t wanted = std::stoul(words.at(2));
    if (words.at(1) == "<=" ? count > wanted : count < wanted)
      fault(what + " " + std::to_string(count));
    return true;
  }
  if (what == "at-once") {
    if (internet_.most_in_flight > std::stoul(words.at(2)))
      fault(std::to_string(internet_.most_in_flight) + " messages at once");
    return true;
  }
  if (what != "sent" && what != "unsent") return false;
  const bool found = std::ranges::any_of(seen, [&](const FakeInternet::Packet& packet) {
    const bool type_fits =
        words.size() < 3 || words[2] == "*" || packet.question.type == *parse_type(words[2]);
    const bool server_fits = words.size() < 4 || words[3] == "tcp" || packet.server == words[3];
    const bool tcp_fits = words.back() != "tcp" || packet.transport == Transport::tcp;
    return packet.question.name == name(words.at(1)) && type_fits && server_fits && tcp_fits;
  });
  if (found != (what == "sent")) fault(found ? "it was asked for" : "it wasn't asked for");
  return true;
}

bool Runner::expect_answer(const Words& words) {
  const std::string& what = words[0];
  const Resolution& resolution = got();
  if (what == "rcode") {
    compare("rcode", to_string(resolution.rcode), words.at(1));
  } else if (what == "security") {
    compare("security", std::string(to_string(resolution.security)), words.at(1));
  } else if (what == "ede") {
    const std::string code = resolution.why ? std::to_string(resolution.why->code) : "none";
    compare("EDE", code, words.at(1));
  } else if (what == "ttl") {
    const auto& sets = resolution.answer.empty() ? resolution.authority : resolution.answer;
    compare("TTL", sets.empty() ? "none" : std::to_string(sets.back().ttl), words.at(1));
  } else if (what == "stale" || what == "fresh") {
    compare("it", resolution.stale ? "stale" : "fresh", what);
  } else if (what == "cached" || what == "asked") {
    compare("it", resolution.from_cache ? "cached" : "asked", what);
  } else if (what == "answer" || what == "authority") {
    const auto& sets = what == "answer" ? resolution.answer : resolution.authority;
    const std::string wanted = joined(words, 1);
    bool found = false;
    std::string all;
    for (const RrSet& set : sets) {
      for (const std::string& octets : set.rdata) {
        const std::string line = line_of(set, octets);
        found = found || line == wanted || (what == "authority" && line.starts_with(wanted));
        all += " [" + line + "]";
      }
    }
    if (!found) fault("not in the " + what + ":" + (all.empty() ? " nothing" : all));
    if (what == "answer") ++answers_expected_, answers_listed_ = true;
  } else if (what == "no-answer") {
    answers_listed_ = true;
  } else {
    return false;
  }
  return true;
}

// Records that aren't expected are as wrong as ones that are missing.
void Runner::check_answer_complete() {
  if (!answers_listed_ || answers_.empty()) return;
  std::size_t records = 0;
  for (const RrSet& set : got().answer) records += set.rdata.size();
  if (records != answers_expected_)
    fault("(the question before) " + std::to_string(records) + " records came");
}

void Runner::expect(const Words& words) {
  if (answers_.empty() || !answers_.front().resolution) {
    fault("nothing was asked");
    return;
  }
  if (expect_answer(words) || expect_traffic(words)) return;
  const std::string& what = words[0];
  if (what == "took") {  // took <= MS, took >= MS
    const auto ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(answers_.front().took).count();
    const long wanted = std::stol(words.at(2));
    if (words.at(1) == "<=" ? ms > wanted : ms < wanted)
      fault("it took " + std::to_string(ms) + " ms");
  } else if (what == "all" || what == "some") {  // all NOERROR; some 20 SERVFAIL
    const std::string& rcode = words.back();
    const auto fitting = std::ranges::count_if(answers_, [&](const Answered& one) {
      return one.resolution && to_string(one.resolution->rcode) == rcode;
    });
    const auto wanted = what == "all" ? static_cast<long>(answers_.size()) : std::stol(words.at(1));
    if (what == "all" ? fitting != wanted : fitting < wanted)
      fault(std::to_string(fitting) + " have " + rcode);
  } else {
    fault("what is " + what + "?");
  }
}

bool Runner::describe(const Words& words) {
  if (words[0] == "zone") {
    add_zone(words);
  } else if (words[0] == "server") {
    server_texts_.push_back({words.at(1), Words(words.begin() + 3, words.end())});
  } else if (words[0] == "set") {
    configure(words);
  } else if (words[0] == "rule") {
    add_rule(words);
  } else if (words[0] == "no-rules") {
    internet_.rules.clear();
  } else {
    return false;
  }
  return true;
}

bool Runner::act(const Words& words) {
  if (words[0] == "ask") {
    ask(words, 1, 1);
  } else if (words[0] == "crowd") {
    ask(words, 2, std::stoul(words.at(1)));
  } else if (words[0] == "advance") {
    Duration span{};
    if (!parse_duration(words.at(1), span)) fault("no time: " + words[1]);
    advance(span);
  } else if (words[0] == "wall") {
    Duration span{};
    if (!parse_duration(words.at(1), span)) fault("no time: " + words[1]);
    wall_offset_ +=
        static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(span).count());
  } else if (words[0] == "flush") {
    build();
    cache_->flush_all();
    recursor_->forget_trust();
  } else {
    return false;
  }
  return true;
}

void Runner::statement(const Words& words) {
  if (words.empty()) return;
  if (lines_[at_].starts_with(" ")) return expect(words);
  if (!describe(words) && !act(words)) fault("no such statement: " + words[0]);
}

std::vector<std::string> Runner::run() {
  for (at_ = 0; at_ < lines_.size(); ++at_) statement(words_of(lines_[at_]));
  if (!answers_.empty()) check_answer_complete();
  finish();
  recursor_.reset();
  return faults_;
}

}  // namespace

std::vector<std::string> run_scenario(std::string_view text) {
  return Runner(text).run();
}

}  // namespace posthorn::dns::test
