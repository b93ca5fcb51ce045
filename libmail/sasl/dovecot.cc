#include "libmail/sasl/dovecot.h"

#include <algorithm>

#include "libmail/base/base64.h"
#include "libmail/base/tab_escape.h"
#include "libmail/base/text.h"

namespace posthorn::sasl::dovecot {
namespace {

constexpr std::string_view binding_type = "tls-exporter";

using Texts = std::vector<std::string>;

Result<std::uint32_t, std::string> parse_id(const Texts& fields) {
  if (fields.size() < 2) return fail(fields[0] + " without an id");
  const auto id = parse_number<std::uint32_t>(fields[1]);
  if (!id) return fail(fields[0] + " with an id that is no number");
  return *id;
}

// A response in base64; "=" is the empty one (RFC 4422's way to tell it from none).
Result<std::string, std::string> parse_data(std::string_view text, std::string_view verb) {
  if (text.empty() || text == "=") return std::string();
  auto octets = decode_base64(text);
  if (!octets) return fail(std::string(verb) + " with data that is no base64");
  return std::move(*octets);
}

constexpr std::string_view no_base64 = "!";

std::string format_data(std::string_view octets) {
  return octets.empty() ? "=" : encode_base64(octets);
}

// "tls-exporter:BASE64"; other types are not ours to use.
std::optional<std::string> parse_binding(std::string_view value) {
  const std::size_t colon = value.find(':');
  if (colon == std::string_view::npos || value.substr(0, colon) != binding_type)
    return std::nullopt;
  return decode_base64(value.substr(colon + 1));
}

// Nothing if it is none of the fields an AuthRequest has a place for.
bool take_auth_field(AuthRequest& request, const std::string& key, std::string& value) {
  if (key == "service") {
    request.service = std::move(value);
  } else if (key == "secured") {
    request.secured = true;
    request.tls = value == "tls";
  } else if (key == "final-resp-ok") {
    request.final_resp_ok = true;
  } else if (key == "no-penalty") {
    request.no_penalty = true;
  } else if (key == "lip") {
    request.local_ip = std::move(value);
  } else if (key == "rip") {
    request.remote_ip = std::move(value);
  } else if (key == "lport") {
    request.local_port = parse_number<std::uint16_t>(value).value_or(0);
  } else if (key == "rport") {
    request.remote_port = parse_number<std::uint16_t>(value).value_or(0);
  } else if (key == "session") {
    request.session = std::move(value);
  } else if (key == "cbind") {
    request.channel_binding = parse_binding(value);
  } else {
    return false;
  }
  return true;
}

Result<ClientMessage, std::string> parse_auth(const Texts& fields) {
  const auto id = parse_id(fields);
  if (!id) return fail(id.error());
  if (fields.size() < 3 || fields[2].empty()) return fail(std::string("AUTH without a mechanism"));
  AuthRequest request;
  request.id = *id;
  request.mechanism = fields[2];
  for (std::size_t i = 3; i < fields.size(); ++i) {
    auto [key, value] = detail::key_and_value(fields[i]);
    if (key == "resp") {
      if (i + 1 != fields.size()) return fail(std::string("AUTH with fields behind resp="));
      auto data = parse_data(value, "AUTH");
      request.bad_data = !data;
      request.initial_response = data ? std::move(*data) : std::string();
    } else if (!take_auth_field(request, key, value)) {
      request.other.emplace_back(std::move(key), std::move(value));
    }
  }
  if (request.service.empty()) return fail(std::string("AUTH without service="));
  return request;
}

Result<Continue, std::string> parse_continue(const Texts& fields) {
  const auto id = parse_id(fields);
  if (!id) return fail(id.error());
  auto data = parse_data(fields.size() > 2 ? fields[2] : std::string(), "CONT");
  if (!data) return fail(data.error());
  return Continue(*id, std::move(*data));
}

// Servers pass on what strangers send them: data that is no base64 is that exchange's failure, not the connection's.
Result<ClientMessage, std::string> parse_answer(const Texts& fields) {
  const auto id = parse_id(fields);
  if (!id) return fail(id.error());
  auto data = parse_data(fields.size() > 2 ? fields[2] : std::string(), "CONT");
  Continue answer(*id, data ? std::move(*data) : std::string());
  answer.bad_data = !data;
  return answer;
}

Result<ServerMessage, std::string> parse_ok(const Texts& fields) {
  const auto id = parse_id(fields);
  if (!id) return fail(id.error());
  Ok ok;
  ok.id = *id;
  for (std::size_t i = 2; i < fields.size(); ++i) {
    auto [key, value] = detail::key_and_value(fields[i]);
    if (key == "user") {
      ok.user = std::move(value);
    } else if (key == "resp") {
      auto data = parse_data(value, "OK");
      if (!data) return fail(data.error());
      ok.additional_data = std::move(*data);
    } else {
      ok.other.emplace_back(std::move(key), std::move(value));
    }
  }
  return ok;
}

Result<ServerMessage, std::string> parse_fail(const Texts& fields) {
  const auto id = parse_id(fields);
  if (!id) return fail(id.error());
  Fail no;
  no.id = *id;
  for (std::size_t i = 2; i < fields.size(); ++i) {
    auto [key, value] = detail::key_and_value(fields[i]);
    if (key == "user") {
      no.user = std::move(value);
    } else if (key == "reason") {
      no.reason = std::move(value);
    } else if (key == "temp") {
      no.temporary = true;
    } else if (key == "authz") {
      no.not_authorized = true;
    } else if (key == "code") {
      no.temporary = no.temporary || value == "temp_fail";
      no.not_authorized = no.not_authorized || value == "authz_fail";
      no.code = std::move(value);
    } else if (key == "user_disabled" || key == "pass_expired") {
      no.code = std::move(key);
    } else {
      no.other.emplace_back(std::move(key), std::move(value));
    }
  }
  return no;
}

void append_others(std::string& line, const Fields& fields) {
  for (const auto& [key, value] : fields) {
    if (value.empty()) {
      line += "\t" + tab_escape(key);
    } else {
      detail::append_field(line, key, value);
    }
  }
}

struct Formatter {
  std::string operator()(const Version& v) const {
    return "VERSION\t" + std::to_string(v.major) + "\t" + std::to_string(v.minor);
  }
  std::string operator()(const Cpid& c) const { return "CPID\t" + std::to_string(c.pid); }
  std::string operator()(const Cancel& c) const { return "CANCEL\t" + std::to_string(c.id); }
  std::string operator()(const Continue& c) const {
    const std::string data = c.bad_data ? std::string(no_base64) : encode_base64(c.data);
    return "CONT\t" + std::to_string(c.id) + "\t" + data;
  }
  std::string operator()(const Mechanism& m) const {
    std::string line = "MECH\t" + tab_escape(m.name);
    for (const auto& flag : m.flags) line += "\t" + tab_escape(flag);
    return line;
  }
  std::string operator()(const Spid& s) const { return "SPID\t" + tab_escape(s.pid); }
  std::string operator()(const Cuid& c) const { return "CUID\t" + std::to_string(c.number); }
  std::string operator()(const Cookie& c) const { return "COOKIE\t" + tab_escape(c.hex); }
  std::string operator()(const Done&) const { return "DONE"; }

  std::string operator()(const AuthRequest& r) const {
    std::string line = "AUTH\t" + std::to_string(r.id) + "\t" + tab_escape(r.mechanism);
    detail::append_field(line, "service", r.service);
    if (r.secured) line += r.tls ? "\tsecured=tls" : "\tsecured";
    if (r.final_resp_ok) line += "\tfinal-resp-ok";
    if (r.no_penalty) line += "\tno-penalty";
    if (!r.local_ip.empty()) detail::append_field(line, "lip", r.local_ip);
    if (!r.remote_ip.empty()) detail::append_field(line, "rip", r.remote_ip);
    if (r.local_port != 0) detail::append_field(line, "lport", std::to_string(r.local_port));
    if (r.remote_port != 0) detail::append_field(line, "rport", std::to_string(r.remote_port));
    if (!r.session.empty()) detail::append_field(line, "session", r.session);
    if (r.channel_binding)
      detail::append_field(line, "cbind",
                           std::string(binding_type) + ":" + encode_base64(*r.channel_binding));
    append_others(line, r.other);
    if (r.bad_data) return line + "\tresp=" + std::string(no_base64);
    if (r.initial_response) line += "\tresp=" + format_data(*r.initial_response);
    return line;
  }
  std::string operator()(const Ok& ok) const {
    std::string line = "OK\t" + std::to_string(ok.id);
    detail::append_field(line, "user", ok.user);
    append_others(line, ok.other);
    if (ok.additional_data) line += "\tresp=" + format_data(*ok.additional_data);
    return line;
  }
  std::string operator()(const Fail& no) const {
    std::string line = "FAIL\t" + std::to_string(no.id);
    if (!no.user.empty()) detail::append_field(line, "user", no.user);
    if (!no.reason.empty()) detail::append_field(line, "reason", no.reason);
    if (no.temporary) line += "\ttemp";
    if (no.not_authorized) line += "\tauthz";
    if (!no.code.empty()) detail::append_field(line, "code", no.code);
    append_others(line, no.other);
    return line;
  }
};

}  // namespace

void LineReader::feed(std::string_view octets) {
  if (too_long_) return;
  if (begin_ > 0 && begin_ == held_.size()) {
    held_.clear();
    searched_ = begin_ = 0;
  }
  held_.append(octets);
}

std::optional<std::string> LineReader::next() {
  if (too_long_) return std::nullopt;
  const std::size_t end = held_.find('\n', std::max(begin_, searched_));
  const bool whole = end != std::string::npos;
  const std::size_t size = (whole ? end : held_.size()) - begin_;
  if (size > limit_) {
    too_long_ = true;
    held_.clear();
    held_.shrink_to_fit();
    return std::nullopt;
  }
  if (!whole) {
    // What was handed out is forgotten now, not at each line: one move per read.
    held_.erase(0, begin_);
    begin_ = 0;
    searched_ = held_.size();
    return std::nullopt;
  }
  std::string line = held_.substr(begin_, size);
  if (!line.empty() && line.back() == '\r') line.pop_back();
  begin_ = end + 1;
  return line;
}

std::optional<std::string_view> find_field(const Fields& fields, std::string_view key) {
  for (const auto& [name, value] : fields) {
    if (name == key) return value;
  }
  return std::nullopt;
}

namespace detail {

Result<std::vector<std::string>, std::string> fields_of(std::string_view line) {
  if (line.size() > max_line) return fail(std::string("a line of more than 16384 octets"));
  std::vector<std::string> fields;
  for (const std::string_view part : split(line, '\t')) {
    auto field = tab_unescape(part);
    if (!field) return fail(std::string("a field that ends in the middle of an escape"));
    fields.push_back(std::move(*field));
  }
  return fields;
}

std::pair<std::string, std::string> key_and_value(std::string_view field) {
  const std::size_t equals = field.find('=');
  if (equals == std::string_view::npos) return {std::string(field), {}};
  return {std::string(field.substr(0, equals)), std::string(field.substr(equals + 1))};
}

void append_field(std::string& line, std::string_view key, std::string_view value) {
  line += "\t";
  line += tab_escape(key);
  line += "=";
  line += tab_escape(value);
}

Result<Version, std::string> parse_version(const std::vector<std::string>& fields) {
  if (fields.size() < 3) return fail(std::string("VERSION without two numbers"));
  const auto major = parse_number<unsigned>(fields[1]);
  const auto minor = parse_number<unsigned>(fields[2]);
  if (!major || !minor) return fail(std::string("VERSION without two numbers"));
  if (*major != version_major)
    return fail("protocol version " + std::to_string(*major) + ", this side speaks 1");
  return Version{*major, *minor};
}

}  // namespace detail

Result<ClientMessage, std::string> parse_client_line(std::string_view line) {
  const auto parsed = detail::fields_of(line);
  if (!parsed) return fail(parsed.error());
  const Texts& fields = *parsed;
  const std::string& verb = fields[0];
  if (verb == "AUTH") return parse_auth(fields);
  if (verb == "CONT") return parse_answer(fields);
  if (verb == "CANCEL")
    return parse_id(fields).map([](std::uint32_t id) { return ClientMessage(Cancel{id}); });
  if (verb == "VERSION")
    return detail::parse_version(fields).map([](Version v) { return ClientMessage(v); });
  if (verb == "CPID") {
    const auto pid = fields.size() < 2 ? std::nullopt : parse_number<std::uint64_t>(fields[1]);
    if (!pid || *pid == 0) return fail(std::string("CPID without a process id"));
    return Cpid{*pid};
  }
  return fail("unknown command " + printable(verb, 20));
}

Result<ServerMessage, std::string> parse_server_line(std::string_view line) {
  const auto parsed = detail::fields_of(line);
  if (!parsed) return fail(parsed.error());
  const Texts& fields = *parsed;
  const std::string& verb = fields[0];
  if (verb == "OK") return parse_ok(fields);
  if (verb == "FAIL") return parse_fail(fields);
  if (verb == "CONT")
    return parse_continue(fields).map([](Continue c) { return ServerMessage(std::move(c)); });
  if (verb == "VERSION")
    return detail::parse_version(fields).map([](Version v) { return ServerMessage(v); });
  if (verb == "DONE") return Done{};
  const std::string argument = fields.size() > 1 ? fields[1] : std::string();
  if (verb == "MECH") {
    if (argument.empty()) return fail(std::string("MECH without a name"));
    return Mechanism{argument, Texts(fields.begin() + 2, fields.end())};
  }
  if (verb == "SPID") return Spid{argument};
  if (verb == "CUID") {
    const auto number = parse_number<std::uint64_t>(argument);
    if (!number) return fail(std::string("CUID without a number"));
    return Cuid{*number};
  }
  if (verb == "COOKIE") return Cookie{argument};
  return fail("unknown command " + printable(verb, 20));
}

std::string format_client_line(const ClientMessage& message) {
  return std::visit(Formatter(), message) + "\n";
}

std::string format_server_line(const ServerMessage& message) {
  return std::visit(Formatter(), message) + "\n";
}

}  // namespace posthorn::sasl::dovecot
