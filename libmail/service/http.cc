#include "libmail/service/http.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/percent.h"
#include "libmail/base/text.h"
#include "libmail/service/ops.h"

namespace posthorn::service {

namespace {

constexpr std::string_view crlf = "\r\n";

// A token of RFC 9110 5.6.2.
bool is_token(std::string_view text) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return is_alnum(c) || marks.find(c) != std::string_view::npos;
  });
}

bool is_field_text(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return is_graph(c) || is_space(c) || is_8bit(c); });
}

HttpError bad(std::string text) {
  return {400, std::move(text)};
}

// The next line without its CRLF; `head` ends in an empty line, so there always is one.
std::string_view take_line(std::string_view& head) {
  const auto end = std::min(head.find(crlf), head.size());
  const std::string_view line = head.substr(0, end);
  head.remove_prefix(std::min(end + crlf.size(), head.size()));
  return line;
}

Result<void, HttpError> take_fields(std::string_view lines, HttpHead& head) {
  for (std::string_view line = take_line(lines); !line.empty(); line = take_line(lines)) {
    const auto colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    if (colon == std::string_view::npos || !is_token(name))
      return fail(bad("a header line has no name"));
    const std::string_view value = trim(line.substr(colon + 1));
    if (!is_field_text(value)) return fail(bad("a header value holds control characters"));
    const std::string key = lower(name);
    const bool fresh = head.headers.emplace(key, value).second;
    if (key == "transfer-encoding") return fail(HttpError{501, "send a body with Content-Length"});
    if (key == "content-length") {
      head.content_length = parse_number<std::uint64_t>(value);
      if (!fresh || !head.content_length) return fail(bad("Content-Length is no single number"));
    }
  }
  if (const auto connection = head.headers.find("connection"); connection != head.headers.end()) {
    if (iequals(connection->second, "close")) head.keep_alive = false;
  }
  const auto expect = head.headers.find("expect");
  head.expects_continue = expect != head.headers.end() && iequals(expect->second, "100-continue");
  return {};
}

Result<void, HttpError> take_target(std::string_view target, HttpHead& head) {
  if (!target.starts_with('/')) return fail(bad("the target is no path"));
  const auto question = target.find('?');
  const auto path = percent_decode(target.substr(0, question), false);
  if (!path) return fail(bad("the path is badly encoded"));
  head.path = *path;
  if (question == std::string_view::npos) return {};
  for (const std::string_view pair : split(target.substr(question + 1), '&')) {
    if (pair.empty()) continue;
    const auto equals = std::min(pair.find('='), pair.size());
    const auto name = percent_decode(pair.substr(0, equals), true);
    const auto value = percent_decode(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!name || !value) return fail(bad("the query is badly encoded"));
    if (!head.query.emplace(*name, *value).second)
      return fail(bad("the query names " + printable(*name) + " twice"));
  }
  return {};
}

std::string_view phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return status < 400 ? "OK" : status < 500 ? "Refused" : "Error";
  }
}

}  // namespace

std::size_t http_head_size(std::string_view octets) {
  const auto end = octets.find("\r\n\r\n");
  return end == std::string_view::npos ? 0 : end + 4;
}

Result<HttpHead, HttpError> parse_http_request(std::string_view text, const HttpLimits& limits) {
  HttpHead head;
  const auto parts = split(take_line(text), ' ');
  if (parts.size() != 3 || !is_token(parts[0])) return fail(bad("the first line is no request"));
  if (parts[2] != "HTTP/1.1" && parts[2] != "HTTP/1.0")
    return fail(HttpError{505, "only HTTP/1.1 is spoken here"});
  head.method = parts[0];
  head.keep_alive = parts[2] == "HTTP/1.1";
  if (auto done = take_target(parts[1], head); !done) return fail(std::move(done.error()));
  if (auto done = take_fields(text, head); !done) return fail(std::move(done.error()));
  if (head.content_length.value_or(0) > limits.body) {
    return fail(HttpError{413, fmt::format("a body holds at most {} octets", limits.body)});
  }
  return head;
}

Result<HttpHead, HttpError> parse_http_reply(std::string_view text) {
  HttpHead head;
  const std::string_view line = take_line(text);
  const auto status = line.size() >= 12 ? parse_number<int>(line.substr(9, 3)) : std::nullopt;
  if (!line.starts_with("HTTP/1.") || !status || *status < 100)
    return fail(bad("the first line is no status"));
  head.status = *status;
  if (auto done = take_fields(text, head); !done) return fail(std::move(done.error()));
  return head;
}

std::string format_http_reply(int status, std::string_view content_type, std::string_view body,
                              bool keep_alive) {
  return fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}\r\n{}", status,
                     phrase(status), content_type, body.size(),
                     keep_alive ? "" : "Connection: close\r\n", body);
}

std::string format_http_request(std::string_view method, std::string_view target,
                                std::string_view body) {
  return fmt::format(
      "{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
      "Content-Length: {}\r\n\r\n{}",
      method, target, body.size(), body);
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string octets(text);
  if (plus_is_space) std::ranges::replace(octets, '+', ' ');
  auto out = posthorn::percent_decode(octets);
  if (out && out->find('\0') != std::string::npos) return std::nullopt;
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view marks = "-._~/";
  std::string out;
  for (const char c : text) {
    if (is_alnum(c) || marks.find(c) != std::string_view::npos) {
      out.push_back(c);
    } else {
      out += "%" + upper(hex(std::string_view(&c, 1)));
    }
  }
  return out;
}

}  // namespace posthorn::service
