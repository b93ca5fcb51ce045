#include "libmail/sasl/passwd_file.h"

#include "libmail/sasl/password.h"

namespace posthorn::sasl {
namespace {

constexpr PasswdLimits limits;

// The first seven fields by ":", the eighth takes the rest.
std::vector<std::string_view> split_fields(std::string_view line) {
  std::vector<std::string_view> fields;
  while (fields.size() < 7) {
    const std::size_t colon = line.find(':');
    fields.push_back(line.substr(0, colon));
    if (colon == std::string_view::npos) return fields;
    line.remove_prefix(colon + 1);
  }
  fields.push_back(line);
  return fields;
}

bool parse_id(std::string_view text, std::optional<std::uint32_t>& into) {
  if (text.empty()) return true;
  into = parse_number<std::uint32_t>(text);
  return into.has_value();
}

// The problem in words, "" if the line became `entry`.
std::string parse_line(std::string_view line, PasswdEntry& entry) {
  if (line.size() > limits.line) return "longer than 16384 octets";
  if (line.find('\0') != std::string_view::npos) return "has a NUL";
  const auto fields = split_fields(line);
  const auto at = [&fields](std::size_t i) {
    return i < fields.size() ? fields[i] : std::string_view();
  };
  if (const auto problem = user_name_problem(at(0))) return "the user name " + *problem;
  entry.user = std::string(at(0));
  entry.password = std::string(at(1));
  if (!parse_id(at(2), entry.uid)) return "uid is no number";
  if (!parse_id(at(3), entry.gid)) return "gid is no number";
  entry.gecos = std::string(at(4));
  entry.home = std::string(at(5));
  entry.shell = std::string(at(6));
  for (const std::string_view word : words(at(7))) {
    const std::size_t equals = word.find('=');
    const bool bare = equals == std::string_view::npos;
    entry.extra.emplace_back(word.substr(0, equals),
                             bare ? std::string_view() : word.substr(equals + 1));
  }
  return {};
}

}  // namespace

std::optional<std::string_view> PasswdEntry::field(std::string_view key) const {
  for (const auto& [name, value] : extra) {
    if (name == key) return value;
  }
  return std::nullopt;
}

const PasswdEntry* PasswdFile::find(std::string_view user) const {
  // Heterogeneous look-up in unordered maps is in libstdc++ 12: no copy is made.
  const auto found = index.find(user);
  return found == index.end() ? nullptr : &entries[found->second];
}

PasswdFile parse_passwd_file(std::string_view text) {
  PasswdFile file;
  std::size_t number = 0;
  bool all_scram = true;
  bool any_login = false;
  while (!text.empty()) {
    ++number;
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (trim(line).empty() || line.front() == '#') continue;
    PasswdEntry entry;
    if (std::string problem = parse_line(line, entry); !problem.empty()) {
      file.problems.push_back({number, std::move(problem)});
      continue;
    }
    if (file.index.contains(entry.user)) {
      file.problems.push_back({number, "user " + printable(entry.user) + " is here a second time"});
      continue;
    }
    if (!entry.password.empty()) {
      const auto stored = parse_password(entry.password);
      // The user is known, mail is delivered, nobody logs in.
      if (!stored) {
        file.problems.push_back(
            {number, "user " + printable(entry.user) + " can't log in: " + stored.error()});
      } else {
        any_login = true;
        all_scram = all_scram && std::holds_alternative<ScramKeys>(*stored);
      }
    }
    file.index.emplace(entry.user, file.entries.size());
    file.entries.push_back(std::move(entry));
  }
  file.all_scram = all_scram && any_login;
  return file;
}

std::string format_passwd_entry(const PasswdEntry& entry) {
  std::string line = entry.user + ":" + entry.password + ":";
  if (entry.uid) line += std::to_string(*entry.uid);
  line += ":";
  if (entry.gid) line += std::to_string(*entry.gid);
  line += ":" + entry.gecos + ":" + entry.home + ":" + entry.shell + ":";
  bool first = true;
  for (const auto& [key, value] : entry.extra) {
    if (!first) line += " ";
    first = false;
    line += key;
    if (!value.empty()) line += "=" + value;
  }
  return line;
}

std::optional<std::string> user_name_problem(std::string_view user) {
  if (user.empty()) return "is empty";
  if (user.size() > limits.user) return "is longer than 320 octets";
  if (!is_utf8(user)) return "is not UTF-8";
  // A name becomes a folder: it must not lead out of it.
  for (const std::string_view part : split(user, '@')) {
    if (part.empty() || part == "." || part == "..")
      return "has an empty part or one that is a folder's own name";
  }
  if (user.front() == '#') return "begins with \"#\"";
  for (const char c : user) {
    if (c == ':' || c == '/') return std::string("has a \"") + c + "\"";
    if (!is_graph(c) && !is_8bit(c)) return "has a space or a control character";
  }
  return std::nullopt;
}

}  // namespace posthorn::sasl
