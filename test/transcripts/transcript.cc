#include "test/transcripts/transcript.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::test {

namespace {

// A star that means a star, inside a pattern whose escapes are decoded already.
constexpr char literal_star = '\x01';

constexpr std::size_t max_repeat = 10'000'000;

struct Escape {
  std::size_t length = 0;  // in the text; 0 = no escape here
  char octet = 0;
  std::size_t count = 1;
};

// "<0D>" or "<61*5000>" at the front of `text`. Anything else between brackets is a path.
Escape escape_at(std::string_view text) {
  const std::size_t end = text.find('>');
  if (text.size() < 4 || text.front() != '<' || end == std::string_view::npos || end < 3) return {};
  const auto octet = parse_number<unsigned char>(text.substr(1, 2), 16);
  if (!octet) return {};
  Escape escape{end + 1, static_cast<char>(*octet), 1};
  if (end == 3) return escape;
  const auto count = parse_number<std::size_t>(text.substr(4, end - 4));
  if (text[3] != '*' || !count || *count > max_repeat) return {};
  escape.count = *count;
  return escape;
}

enum class Use { octets, pattern };

std::string decode(std::string_view text, Use use) {
  std::string octets;
  while (!text.empty()) {
    if (const Escape escape = escape_at(text); escape.length > 0) {
      const bool star = use == Use::pattern && escape.octet == '*';
      octets.append(escape.count, star ? literal_star : escape.octet);
      text.remove_prefix(escape.length);
    } else {
      octets.push_back(text.front());
      text.remove_prefix(1);
    }
  }
  return octets;
}

// "S= 250 *" behind its mark.
Result<Step, std::string> parse_reply(std::string_view rest, int line) {
  Step step(Step::Kind::reply, line);
  const std::size_t space = rest.find(' ');
  const auto code = parse_number<int>(rest.substr(0, space));
  if (!code) return fail(std::string("S= needs a code"));
  step.code = *code;
  step.octets =
      space == std::string_view::npos ? "*" : decode(rest.substr(space + 1), Use::pattern);
  return step;
}

// "C2: " and "S2! close" are "C: " and "S! close" of connection 2.
int take_connection(std::string& text) {
  if (text.size() < 2 || (text[0] != 'C' && text[0] != 'S') || text[1] < '2' || text[1] > '9')
    return 1;
  const int number = text[1] - '0';
  text.erase(1, 1);
  return number;
}

Result<Step, std::string> parse_step(std::string_view text, int line);

Result<Step, std::string> parse_any_step(std::string_view written, int line) {
  std::string text(written);
  const int connection = take_connection(text);
  auto step = parse_step(text, line);
  if (step) step->connection = connection;
  return step;
}

Result<Step, std::string> parse_step(std::string_view text, int line) {
  const auto is = [&text](std::string_view mark) { return text == mark; };
  const std::string_view rest = text.size() > 3 ? text.substr(3) : std::string_view();
  Step step(Step::Kind::send, line);
  if (text.starts_with("C: ") || is("C:")) {
    step.octets = decode(rest, Use::octets) + "\r\n";
  } else if (text.starts_with("C| ")) {
    step.octets = decode(rest, Use::octets);
  } else if (is("C--")) {
    step.kind = Step::Kind::cut;
  } else if (is("C! close")) {
    step.kind = Step::Kind::close;
  } else if (is("C! deflate")) {
    step.kind = Step::Kind::deflate;
  } else if (is("C! half")) {
    step.kind = Step::Kind::half_close;
  } else if (is("C! tls")) {
    step.kind = Step::Kind::tls;
  } else if (text.starts_with("S: ") || is("S:")) {
    step.kind = Step::Kind::line;
    step.octets = decode(rest, Use::pattern);
  } else if (text.starts_with("S~ ")) {
    step.kind = Step::Kind::until;
    step.octets = decode(rest, Use::pattern);
  } else if (text.starts_with("do: ")) {
    step.kind = Step::Kind::act;
    step.octets = text.substr(4);
  } else if (text.starts_with("S= ")) {
    return parse_reply(rest, line);
  } else if (is("S- none")) {
    step.kind = Step::Kind::silence;
  } else if (is("S! close")) {
    step.kind = Step::Kind::end;
  } else if (text.starts_with("T: ")) {
    step.kind = Step::Kind::time;
    if (!parse_duration(rest, step.time)) return fail(std::string("no span of time"));
  } else if (text.starts_with("got: ")) {
    step.kind = Step::Kind::got;
    step.octets = decode(text.substr(5), Use::pattern);
  } else {
    return fail(std::string("neither config, C, S, T, do nor got"));
  }
  return step;
}

}  // namespace

std::string Transcript::value(const std::string& key, const std::string& otherwise) const {
  const auto found = config.find(key);
  return found == config.end() ? otherwise : found->second;
}

bool Transcript::has(Step::Kind kind) const {
  for (const Step& step : steps) {
    if (step.kind == kind) return true;
  }
  return false;
}

Result<Transcript, std::string> parse_transcript(std::string_view text) {
  Transcript transcript;
  int number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    if (line.empty() || line.front() == '#') continue;
    if (line.starts_with("config ")) {
      const std::string_view setting = trim(line.substr(7));
      const std::size_t space = setting.find(' ');
      const std::string_view value =
          space == std::string_view::npos ? "" : trim(setting.substr(space));
      transcript.config[std::string(setting.substr(0, space))] = std::string(value);
      continue;
    }
    auto step = parse_any_step(line, number);
    if (!step) return fail(fmt::format("{}: {}", number, step.error()));
    transcript.steps.push_back(std::move(*step));
  }
  if (transcript.steps.empty()) return fail(std::string("1: nothing is said in it"));
  return transcript;
}

bool matches(std::string_view pattern, std::string_view text) {
  // Greedy with one point to come back to: linear enough for lines.
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_text = 0;
  while (t < text.size()) {
    const char wanted = p < pattern.size() ? pattern[p] : '\0';
    if (p < pattern.size() && wanted == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && (wanted == literal_star ? '*' : wanted) == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

namespace {

std::string fill_in_as(std::string_view octets, const Names& names, Use use) {
  std::string text;
  while (!octets.empty()) {
    const std::size_t begin = octets.find("<$");
    const std::size_t end = octets.find('>', begin == std::string_view::npos ? 0 : begin);
    if (begin == std::string_view::npos || end == std::string_view::npos) break;
    text += octets.substr(0, begin);
    const auto known = names.find(std::string(octets.substr(begin + 2, end - begin - 2)));
    std::string value(octets.substr(begin, end + 1 - begin));
    if (known != names.end()) {
      value = known->second;
      if (use == Use::pattern) std::replace(value.begin(), value.end(), '*', literal_star);
    }
    text += value;
    octets.remove_prefix(end + 1);
  }
  return text.append(octets);
}

}  // namespace

std::string fill_in(std::string_view octets, const Names& names) {
  return fill_in_as(octets, names, Use::octets);
}

bool matches(std::string_view pattern, std::string_view text, Names& names) {
  const std::string filled = fill_in_as(pattern, names, Use::pattern);
  const std::size_t begin = filled.find("<$");
  if (begin == std::string::npos) return matches(filled, text);
  // The first unknown name: every word that may stand there is tried.
  const std::size_t end = filled.find('>', begin);
  const std::string name = filled.substr(begin + 2, end - begin - 2);
  const std::string_view stops = " ()[]\"\r\n";
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (at > 0 && stops.find(text[at - 1]) == std::string_view::npos) continue;
    const std::size_t stop = std::min(text.find_first_of(stops, at), text.size());
    if (stop == at) continue;
    Names more = names;
    more[name] = text.substr(at, stop - at);
    if (!matches(filled, text, more)) continue;
    names = std::move(more);
    return true;
  }
  return false;
}

std::string shown(std::string_view octets) {
  std::string text;
  for (const char c : octets.substr(0, 400)) {
    if (is_graph(c) || c == ' ') {
      text.push_back(c);
    } else {
      text += fmt::format("<{:02X}>", static_cast<unsigned char>(c));
    }
  }
  if (octets.size() > 400) text += fmt::format("... ({} octets)", octets.size());
  return text;
}

}  // namespace posthorn::test
