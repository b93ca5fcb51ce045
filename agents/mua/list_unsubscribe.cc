#include "agents/mua/list_unsubscribe.h"

#include <algorithm>

#include "libmail/base/percent.h"
#include "libmail/base/text.h"

namespace posthorn::mua {

namespace {

// UTF-8 without controls, but LF if lines may end in it.
std::optional<std::string> decoded(std::string_view text, bool line_ends) {
  const auto octets = percent_decode(text);
  if (!octets) return std::nullopt;
  std::string out;
  for (const char c : *octets) {
    const auto octet = static_cast<unsigned char>(c);
    const bool line_end = c == '\r' || c == '\n';
    if ((octet < 32 || octet == 127) && !(line_ends && line_end)) return std::nullopt;
    if (c != '\r') out += c;
  }
  return is_utf8(out) ? std::optional(out) : std::nullopt;
}

// What stands between < and >, blanks that folding brought taken out.
std::vector<std::string> bracketed(std::string_view value) {
  std::vector<std::string> all;
  while (true) {
    const auto open = value.find('<');
    const auto close = value.find('>', open == std::string_view::npos ? 0 : open);
    if (open == std::string_view::npos || close == std::string_view::npos) return all;
    std::string uri;
    for (const char c : value.substr(open + 1, close - open - 1)) {
      if (!is_space(c) && c != '\r' && c != '\n') uri += c;
    }
    all.push_back(std::move(uri));
    value.remove_prefix(close + 1);
  }
}

bool is_plain_url(std::string_view url) {
  return std::ranges::all_of(url, [](char c) { return is_graph(c); });
}

}  // namespace

std::optional<MailtoUri> parse_mailto(std::string_view uri) {
  if (!istarts_with(uri, "mailto:")) return std::nullopt;
  uri.remove_prefix(7);
  const auto question = std::min(uri.find('?'), uri.size());
  MailtoUri result;
  const auto take_addresses = [&](std::string_view list) {
    if (list.empty()) return true;
    for (const std::string_view each : split(list, ',')) {
      auto address = decoded(each, false);
      if (!address || address->empty()) return false;
      result.to.push_back(std::move(*address));
    }
    return true;
  };
  if (!take_addresses(uri.substr(0, question))) return std::nullopt;
  std::string_view rest = uri.substr(std::min(question + 1, uri.size()));
  if (rest.empty()) return result.to.empty() ? std::nullopt : std::optional(result);
  for (const std::string_view field : split(rest, '&')) {
    const auto equals = std::min(field.find('='), field.size());
    const std::string_view value = field.substr(std::min(equals + 1, field.size()));
    const std::string name = lower(field.substr(0, equals));
    if (name == "to" && !take_addresses(value)) return std::nullopt;
    if (name != "subject" && name != "body") continue;
    const auto text = decoded(value, name == "body");
    if (!text) return std::nullopt;
    (name == "subject" ? result.subject : result.body) = *text;
  }
  return result.to.empty() ? std::nullopt : std::optional(result);
}

std::optional<UnsubscribeWay> find_unsubscribe(const message::Header& header) {
  const auto fields = header.find_all("List-Unsubscribe");
  if (fields.empty()) return std::nullopt;
  const auto posts = header.find_all("List-Unsubscribe-Post");
  const bool says_post = fields.size() == 1 && posts.size() == 1 &&
                         iequals(header.value(*posts.front()), "List-Unsubscribe=One-Click");
  UnsubscribeWay way;
  for (const std::string& uri : bracketed(header.raw_value(*fields.front()))) {
    const bool https = istarts_with(uri, "https://") && is_plain_url(uri);
    const bool http = istarts_with(uri, "http://") && is_plain_url(uri);
    if (https && !istarts_with(way.url, "https://"))
      way.url = uri;
    else if (http && way.url.empty())
      way.url = uri;
    if (!way.mailto.empty()) continue;
    if (auto mailto = parse_mailto(uri)) {
      way.mailto = std::move(mailto->to);
      if (!mailto->subject.empty()) way.subject = mailto->subject;
      way.body = mailto->body;
    }
  }
  way.one_click = says_post && istarts_with(way.url, "https://");
  if (way.url.empty() && way.mailto.empty()) return std::nullopt;
  return way;
}

}  // namespace posthorn::mua
