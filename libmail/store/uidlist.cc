#include "libmail/store/uidlist.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "libmail/base/text.h"

namespace posthorn::store {

namespace {

constexpr std::size_t damage_limit =
    10;  // that many are described, all are counted in must_rewrite

// The octets up to the next space; `text` loses them and all spaces behind.
std::string_view take_word(std::string_view& text) {
  const std::size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(text.find_first_not_of(' ', end), text.size()));
  return word;
}

bool is_guid(std::string_view text) {
  return text.size() == 32 &&
         text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

class Parser {
 public:
  explicit Parser(UidList& list) : list_(list) {}

  // False: nothing in the file can be used.
  bool header(std::string_view line);
  void record(std::string_view line);
  void damaged(std::string why) {
    list_.must_rewrite = true;
    if (list_.damage.size() < damage_limit) list_.damage.push_back({line_number_, std::move(why)});
  }
  void next_line() { ++line_number_; }
  void finish();

 private:
  void version_1(std::string_view rest);
  void version_3(std::string_view rest);
  void add(UidRecord record);

  UidList& list_;
  int version_ = 0;
  std::size_t line_number_ = 0;
  std::uint32_t last_uid_ = 0;
  std::unordered_map<std::string, std::size_t> bases_;
  std::vector<std::size_t> replaced_;
};

void Parser::version_1(std::string_view rest) {
  const auto validity = parse_number<std::uint32_t>(take_word(rest));
  const auto next = parse_number<std::uint32_t>(take_word(rest));
  list_.uid_validity = validity.value_or(0);
  list_.next_uid = next.value_or(0);
  list_.must_rewrite = true;
}

void Parser::version_3(std::string_view rest) {
  list_.next_uid = 0;
  while (!rest.empty()) {
    const std::string_view word = take_word(rest);
    if (word.empty()) continue;
    const std::string_view value = word.substr(1);
    switch (word[0]) {
      case 'V':
        list_.uid_validity = parse_number<std::uint32_t>(value).value_or(0);
        break;
      case 'N':
        list_.next_uid = parse_number<std::uint32_t>(value).value_or(0);
        break;
      case 'G':
        if (is_guid(value))
          list_.guid = value;
        else
          damaged("the GUID \"" + printable(value, 64) + "\" is not 32 hex digits");
        break;
      default:
        if (!list_.header_fields.empty()) list_.header_fields.push_back(' ');
        list_.header_fields += word;
    }
  }
  if (list_.guid.empty()) list_.must_rewrite = true;
}

bool Parser::header(std::string_view line) {
  if (line.starts_with("1 ")) {
    version_ = 1;
    version_1(line.substr(2));
  } else if (line.starts_with("3 ")) {
    version_ = 3;
    version_3(line.substr(2));
  }
  if (list_.uid_validity != 0 && list_.next_uid != 0) return true;
  damaged("the header is no UID list's of version 1 or 3: \"" + printable(line, 80) + "\"");
  list_.uid_validity = 0;
  list_.next_uid = 1;
  return false;
}

void Parser::record(std::string_view line) {
  UidRecord record;
  std::string_view rest = line;
  const auto uid = parse_number<std::uint32_t>(take_word(rest));
  if (!uid || *uid == 0 || *uid > UidList::last_uid) {
    return damaged("no UID: \"" + printable(line, 80) + "\"");
  }
  if (*uid <= last_uid_)
    return damaged(fmt::format("UID {} does not come after {}", *uid, last_uid_));
  record.uid = *uid;
  if (version_ == 3) {
    while (!rest.empty() && rest.front() != ':') {
      const std::string_view field = take_word(rest);
      if (!is_graph(field[0])) {
        damaged("a field that begins with no letter is left out");
        continue;
      }
      if (!record.fields.empty()) record.fields.push_back(' ');
      record.fields += field;
    }
    if (rest.empty()) return damaged("no file name: \"" + printable(line, 80) + "\"");
    rest.remove_prefix(1);
  }
  // Old versions wrote the flags too.
  record.base = rest.substr(0, rest.find(':'));
  if (record.base.empty() || record.base.front() == '.' ||
      record.base.find_first_of(std::string_view("/\r\0", 3)) != std::string::npos) {
    return damaged("no file name: \"" + printable(line, 80) + "\"");
  }
  last_uid_ = *uid;
  add(std::move(record));
}

void Parser::add(UidRecord record) {
  const auto [known, fresh] = bases_.emplace(record.base, list_.records.size());
  if (!fresh) {
    // A file that was removed and came back under its name got a new UID, so the later line counts.
    damaged("UID " + std::to_string(record.uid) + " has the file of an earlier UID");
    replaced_.push_back(known->second);
    known->second = list_.records.size();
  }
  list_.records.push_back(std::move(record));
}

void Parser::finish() {
  for (const std::size_t index : replaced_) list_.records[index].uid = 0;
  std::erase_if(list_.records, [](const UidRecord& record) { return record.uid == 0; });
  if (list_.next_uid <= last_uid_) list_.next_uid = last_uid_ + 1;
}

}  // namespace

std::optional<std::string_view> UidRecord::field(char letter) const {
  std::string_view rest = fields;
  while (!rest.empty()) {
    const std::string_view word = take_word(rest);
    if (!word.empty() && word[0] == letter) return word.substr(1);
  }
  return std::nullopt;
}

void UidRecord::set_field(char letter, std::string_view value) {
  std::string out;
  std::string_view rest = fields;
  while (!rest.empty()) {
    const std::string_view word = take_word(rest);
    if (word.empty() || word[0] == letter) continue;
    out.append(word).push_back(' ');
  }
  out.push_back(letter);
  out += value;
  fields = std::move(out);
}

UidList UidList::parse(std::string_view text) {
  UidList list;
  Parser parser(list);
  bool first = true;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    parser.next_line();
    if (end == std::string_view::npos) {
      list.must_rewrite = true;
      break;
    }
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (!first) {
      parser.record(line);
    } else if (!parser.header(line)) {
      return list;
    }
    first = false;
  }
  parser.finish();
  return list;
}

std::string UidList::header() const {
  std::string out = fmt::format("3 V{} N{} G{}", uid_validity, next_uid, guid);
  if (!header_fields.empty()) out.append(" ").append(header_fields);
  return out + "\n";
}

void UidList::append_line(const UidRecord& record, std::string& out) {
  const fmt::format_int uid(record.uid);
  out.append(uid.data(), uid.size());
  if (!record.fields.empty()) out.append(" ").append(record.fields);
  out.append(" :").append(record.base).append("\n");
}

std::string UidList::text() const {
  std::string out = header();
  std::size_t size = out.size();
  for (const UidRecord& record : records) size += record.base.size() + record.fields.size() + 14;
  out.reserve(size);
  for (const UidRecord& record : records) append_line(record, out);
  return out;
}

std::string uidl_text(const UidRecord& record, std::uint32_t uid_validity) {
  const auto saved = record.field(uid_field_pop3_uidl);
  if (saved && !saved->empty() && saved->size() <= 70) {
    bool good = true;
    for (const char c : *saved) good = good && is_graph(c);
    if (good) return std::string(*saved);
  }
  return fmt::format("{:08x}{:08x}", record.uid, uid_validity);
}

}  // namespace posthorn::store
