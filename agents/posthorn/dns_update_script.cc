#include "agents/posthorn/dns_update_script.h"

#include <fmt/format.h>

#include <algorithm>

#include "libdns/wire/builder.h"
#include "libdns/wire/presentation.h"
#include "libmail/base/text.h"

namespace posthorn::operate {

using dns::Class;
using dns::Type;

namespace {

// No data: "all of this type", "any", depending on class and section.
dns::Record without_data(dns::Name name, Type type, Class klass) {
  return dns::Record(std::move(name), 0, dns::Opaque{type, ""}, klass);
}

// The first word of `text`; `text` becomes the rest.
std::string_view take_word(std::string_view& text) {
  text = trim(text);
  const auto end = std::min(text.find_first_of(" \t"), text.size());
  const std::string_view word = text.substr(0, end);
  text = trim(text.substr(end));
  return word;
}

Result<dns::Name, std::string> read_name(std::string_view word) {
  const auto name = dns::Name::parse(word);
  if (word.empty()) return fail(std::string("a name is missing"));
  if (name) return *name;
  return fail("\"" + printable(word) + "\" is no name: " + std::string(to_string(name.error())));
}

// "TYPE [DATA]" behind a name, class IN before it allowed.
struct TypeAndData {
  Type type = Type::any;
  std::string_view data;
};
Result<TypeAndData, std::string> read_type(std::string_view rest) {
  TypeAndData result;
  std::string_view word = take_word(rest);
  if (iequals(word, "IN")) word = take_word(rest);
  if (word.empty()) return result;
  const auto type = dns::parse_type(word);
  if (!type) return fail("unknown type \"" + printable(word) + "\"");
  result.type = *type;
  result.data = rest;
  return result;
}

Result<dns::Record, std::string> make_record(dns::Name name, Type type, std::string_view data,
                                             Class klass, std::uint32_t ttl) {
  auto rdata = dns::parse_rdata(type, data);
  if (!rdata) return fail(rdata.error().what);
  return dns::Record(std::move(name), ttl, std::move(*rdata), klass);
}

}  // namespace

Result<void, std::string> UpdateScript::add(std::string_view rest) {
  auto name = read_name(take_word(rest));
  if (!name) return fail(name.error());
  auto ttl = ttl_;
  std::string_view after = rest;
  if (const auto number = dns::parse_ttl(take_word(after))) {
    ttl = number;
    rest = after;
  }
  const auto what = read_type(rest);
  if (!what) return fail(what.error());
  if (what->type == Type::any) return fail(std::string("add takes NAME TTL TYPE DATA"));
  if (!ttl)
    return fail(std::string("add lacks a TTL: add NAME TTL TYPE DATA, or \"ttl SECONDS\" above"));
  auto record = make_record(*name, what->type, what->data, Class::in, *ttl);
  if (!record) return fail(record.error());
  request_.updates.push_back(std::move(*record));
  return {};
}

// RFC 2136 2.5.2 to 2.5.4.
Result<void, std::string> UpdateScript::remove(std::string_view rest) {
  auto name = read_name(take_word(rest));
  if (!name) return fail(name.error());
  std::string_view after = rest;
  if (dns::parse_ttl(take_word(after))) rest = after;  // nsupdate takes a TTL here, and so do we
  const auto what = read_type(rest);
  if (!what) return fail(what.error());
  if (what->data.empty()) {
    request_.updates.push_back(without_data(*name, what->type, Class::any));
    return {};
  }
  auto record = make_record(*name, what->type, what->data, Class::none, 0);
  if (!record) return fail(record.error());
  request_.updates.push_back(std::move(*record));
  return {};
}

// RFC 2136 2.4.
Result<void, std::string> UpdateScript::require(std::string_view rest) {
  const std::string kind = lower(take_word(rest));
  auto name = read_name(take_word(rest));
  if (!name) return fail(name.error());
  const auto what = read_type(rest);
  if (!what) return fail(what.error());
  const bool has_type = what->type != Type::any;
  auto& list = request_.prerequisites;
  if (kind == "yxdomain" || kind == "nxdomain") {
    if (has_type) return fail(kind + " takes a name only");
    list.push_back(without_data(*name, Type::any, kind == "yxdomain" ? Class::any : Class::none));
  } else if (kind == "nxrrset" || (kind == "yxrrset" && what->data.empty())) {
    if (!has_type) return fail(kind + " takes a name and a type");
    list.push_back(without_data(*name, what->type, kind == "yxrrset" ? Class::any : Class::none));
  } else if (kind == "yxrrset") {
    auto record = make_record(*name, what->type, what->data, Class::in, 0);
    if (!record) return fail(record.error());
    list.push_back(std::move(*record));
  } else {
    return fail(std::string("prereq takes yxdomain, nxdomain, yxrrset or nxrrset"));
  }
  return {};
}

Result<void, std::string> UpdateScript::set(const Words& words) {
  const std::string command = lower(words[0]);
  if (command == "server" && (words.size() == 2 || words.size() == 3)) {
    server = std::string(words[1]) + (words.size() == 3 ? ":" + std::string(words[2]) : "");
  } else if (command == "zone" && words.size() == 2) {
    auto zone = read_name(words[1]);
    if (!zone) return fail(zone.error());
    request_.zone = std::move(*zone);
  } else if (command == "ttl" && words.size() == 2) {
    ttl_ = dns::parse_ttl(words[1]);
    if (!ttl_) return fail("\"" + printable(words[1]) + "\" is no TTL");
  } else if (command == "key" && words.size() == 3) {
    key = std::string(words[1]) + ":" + std::string(words[2]);
  } else if (command == "class" && words.size() == 2) {
    if (!iequals(words[1], "IN")) return fail(std::string("only class IN is updated"));
  } else {
    return fail("unknown command \"" + printable(words[0]) +
                "\": add, delete, prereq, zone, server, key, ttl, show, send or quit");
  }
  return {};
}

Result<UpdateScript::Next, std::string> UpdateScript::take(std::string_view line) {
  std::string_view rest = trim(line);
  if (rest.starts_with(';') || rest.starts_with('#')) return Next::more;
  const auto all = words(rest);
  if (all.empty()) return request_.empty() ? Next::more : Next::send;
  std::string command = lower(take_word(rest));
  if (command == "update") command = lower(take_word(rest));
  if (command == "send") return Next::send;
  if (command == "show") return Next::show;
  if (command == "quit" || command == "exit") return Next::quit;
  if (command == "answer" || command == "debug") return Next::more;  // nsupdate's, about printing
  const auto done = command == "add"                          ? add(rest)
                    : command == "delete" || command == "del" ? remove(rest)
                    : command == "prereq"                     ? require(rest)
                                                              : set(all);
  if (!done) return fail(done.error());
  return Next::more;
}

void UpdateScript::clear() {
  request_.prerequisites.clear();
  request_.updates.clear();
}

std::string build_update(const UpdateRequest& request) {
  dns::Header header;
  header.opcode = dns::Opcode::update;
  dns::MessageBuilder builder(header);
  bool fits = builder.question(dns::Question(*request.zone, Type::soa));
  for (const dns::Record& record : request.prerequisites) fits = fits && builder.answer(record);
  for (const dns::Record& record : request.updates) fits = fits && builder.authority(record);
  return fits ? builder.finish() : std::string();
}

std::string show_update(const UpdateRequest& request) {
  std::string text;
  const auto add = [&text](std::string_view what, const dns::Record& record, bool with_ttl) {
    const auto* opaque = record.as<dns::Opaque>();
    const bool is_bare = opaque != nullptr && opaque->octets.empty();
    text += fmt::format("{} {}", what, record.owner.text());
    if (with_ttl) text += fmt::format(" {}", record.ttl);
    if (!is_bare || record.type() != Type::any) text += " " + dns::to_string(record.type());
    if (!is_bare) text += " " + dns::to_text(record.data);
    text += "\n";
  };
  if (request.zone) text += "zone " + request.zone->text() + "\n";
  for (const dns::Record& record : request.prerequisites) {
    const std::string kind = record.klass == Class::none ? "nx" : "yx";
    add("prereq " + kind + (record.type() == Type::any ? "domain" : "rrset"), record, false);
  }
  for (const dns::Record& record : request.updates) {
    const bool is_added = record.klass == Class::in;
    add(is_added ? "add" : "delete", record, is_added);
  }
  return text;
}

std::vector<std::string> script_of_words(const std::vector<std::string>& all) {
  std::vector<std::string> lines(1);
  for (const std::string& word : all) {
    if (word == ",") {
      lines.emplace_back();
      continue;
    }
    if (!lines.back().empty()) lines.back() += ' ';
    const bool needs_quotes = word.empty() || (word.find_first_of(" \t;") != std::string::npos &&
                                               word.find('"') == std::string::npos);
    lines.back() += needs_quotes ? "\"" + word + "\"" : word;
  }
  return lines;
}

}  // namespace posthorn::operate
