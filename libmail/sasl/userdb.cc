#include "libmail/sasl/userdb.h"

#include "libmail/base/tab_escape.h"
#include "libmail/base/text.h"

namespace posthorn::sasl::dovecot {
namespace {

using Texts = std::vector<std::string>;

Result<std::uint32_t, std::string> parse_id(const Texts& fields) {
  const auto id = fields.size() < 2 ? std::nullopt : parse_number<std::uint32_t>(fields[1]);
  if (!id) return fail(printable(fields[0], 20) + " without an id");
  return *id;
}

Fields fields_from(const Texts& texts, std::size_t first) {
  Fields fields;
  for (std::size_t i = first; i < texts.size(); ++i)
    fields.push_back(detail::key_and_value(texts[i]));
  return fields;
}

void append_fields(std::string& line, const Fields& fields) {
  for (const auto& [key, value] : fields) {
    if (value.empty()) {
      line += "\t" + tab_escape(key);
    } else {
      detail::append_field(line, key, value);
    }
  }
}

std::string head(std::string_view verb, std::uint32_t id) {
  return std::string(verb) + "\t" + std::to_string(id);
}

struct Formatter {
  std::string operator()(const Version& v) const {
    return "VERSION\t" + std::to_string(v.major) + "\t" + std::to_string(v.minor);
  }
  std::string operator()(const Cpid& c) const { return "CPID\t" + std::to_string(c.pid); }
  std::string operator()(const Spid& s) const { return "SPID\t" + tab_escape(s.pid); }
  std::string operator()(const UserRequest& r) const {
    std::string line = head("USER", r.id) + "\t" + tab_escape(r.user);
    append_fields(line, r.fields);
    return line;
  }
  std::string operator()(const ListRequest& r) const {
    std::string line = head("LIST", r.id);
    if (!r.pattern.empty()) detail::append_field(line, "user", r.pattern);
    append_fields(line, r.fields);
    return line;
  }
  std::string operator()(const OtherRequest& r) const { return head(tab_escape(r.verb), r.id); }
  std::string operator()(const UserReply& r) const {
    std::string line = head("USER", r.id) + "\t" + tab_escape(r.user);
    append_fields(line, r.fields);
    return line;
  }
  std::string operator()(const NotFound& r) const { return head("NOTFOUND", r.id); }
  std::string operator()(const LookupFailed& r) const {
    std::string line = head("FAIL", r.id);
    if (!r.reason.empty()) detail::append_field(line, "reason", r.reason);
    return line;
  }
  std::string operator()(const ListItem& r) const {
    return head("LIST", r.id) + "\t" + tab_escape(r.user);
  }
  std::string operator()(const ListDone& r) const {
    return head("DONE", r.id) + (r.failed ? "\tfail" : "");
  }
};

}  // namespace

Result<UserdbRequest, std::string> parse_userdb_request(std::string_view line) {
  const auto parsed = detail::fields_of(line);
  if (!parsed) return fail(parsed.error());
  const Texts& fields = *parsed;
  const std::string& verb = fields[0];
  if (verb == "VERSION")
    return detail::parse_version(fields).map([](Version v) { return UserdbRequest(v); });
  if (verb == "CPID") {
    const auto pid = fields.size() < 2 ? std::nullopt : parse_number<std::uint64_t>(fields[1]);
    if (!pid) return fail(std::string("CPID without a process id"));
    return Cpid{*pid};
  }
  const auto id = parse_id(fields);
  if (!id) return fail(id.error());
  if (verb == "USER") {
    if (fields.size() < 3 || fields[2].empty()) return fail(std::string("USER without a name"));
    UserRequest request;
    request.id = *id;
    request.user = fields[2];
    request.fields = fields_from(fields, 3);
    return request;
  }
  if (verb == "LIST") {
    ListRequest request;
    request.id = *id;
    for (auto& field : fields_from(fields, 2)) {
      if (field.first == "user") {
        request.pattern = std::move(field.second);
      } else {
        request.fields.push_back(std::move(field));
      }
    }
    return request;
  }
  OtherRequest request;
  request.id = *id;
  request.verb = verb;
  return request;
}

Result<UserdbReply, std::string> parse_userdb_reply(std::string_view line) {
  const auto parsed = detail::fields_of(line);
  if (!parsed) return fail(parsed.error());
  const Texts& fields = *parsed;
  const std::string& verb = fields[0];
  if (verb == "VERSION")
    return detail::parse_version(fields).map([](Version v) { return UserdbReply(v); });
  if (verb == "SPID") return Spid{fields.size() > 1 ? fields[1] : std::string()};
  const auto id = parse_id(fields);
  if (!id) return fail(id.error());
  if (verb == "USER") {
    if (fields.size() < 3 || fields[2].empty()) return fail(std::string("USER without a name"));
    UserReply reply;
    reply.id = *id;
    reply.user = fields[2];
    reply.fields = fields_from(fields, 3);
    return reply;
  }
  if (verb == "NOTFOUND") return NotFound{*id};
  if (verb == "FAIL") {
    LookupFailed reply;
    reply.id = *id;
    reply.reason = std::string(find_field(fields_from(fields, 2), "reason").value_or(""));
    return reply;
  }
  if (verb == "LIST") {
    if (fields.size() < 3 || fields[2].empty()) return fail(std::string("LIST without a name"));
    ListItem item;
    item.id = *id;
    item.user = fields[2];
    return item;
  }
  if (verb == "DONE") return ListDone{*id, fields.size() > 2 && fields[2] == "fail"};
  return fail("unknown reply " + printable(verb, 20));
}

std::string format_userdb_request(const UserdbRequest& message) {
  return std::visit(Formatter(), message) + "\n";
}

std::string format_userdb_reply(const UserdbReply& message) {
  return std::visit(Formatter(), message) + "\n";
}

bool matches_pattern(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos,
              after_star = 0;  // where to go back to: only the last "*" counts
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      after_star = t;
    } else if (p < pattern.size() &&
               (pattern[p] == '?' || to_lower(pattern[p]) == to_lower(text[t]))) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++after_star;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace posthorn::sasl::dovecot
