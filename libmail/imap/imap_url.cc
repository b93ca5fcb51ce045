#include "libmail/imap/imap_url.h"

#include <utility>

#include "libmail/base/percent.h"
#include "libmail/base/text.h"

namespace posthorn::imap {

namespace {

// %XX as octets; nothing if an escape is none, or if the result is no UTF-8 or holds controls.
std::optional<std::string> decoded(std::string_view text) {
  auto out = percent_decode(text);
  if (!out || !is_utf8(*out)) return std::nullopt;
  for (const char c : *out)
    if (static_cast<unsigned char>(c) < 32 || c == 127) return std::nullopt;
  return out;
}

std::size_t ifind(std::string_view text, std::string_view word) {
  for (std::size_t at = 0; at + word.size() <= text.size(); ++at)
    if (istarts_with(text.substr(at), word)) return at;
  return std::string_view::npos;
}

// Takes ";NAME=" off the front, whatever the case.
bool take_name(std::string_view& text, std::string_view name) {
  if (!istarts_with(text, name)) return false;
  text.remove_prefix(name.size());
  return true;
}

std::string_view take_until(std::string_view& text, std::string_view end) {
  const std::size_t at = ifind(text, end);
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(taken.size());
  return taken;
}

bool take_server(std::string_view& text, ImapUrl& url) {
  if (!take_name(text, "imap://")) return true;
  std::string_view server = take_until(text, "/");
  if (const std::size_t at = server.rfind('@'); at != std::string_view::npos) {
    std::string_view user = server.substr(0, at);
    const auto name = decoded(take_until(user, ";"));  // ";AUTH=" is the client's business
    if (!name) return false;
    url.user = *name;
    server.remove_prefix(at + 1);
  }
  url.host = server;
  return !url.host.empty();
}

bool take_number(std::string_view text, std::uint32_t& into) {
  const auto number = parse_number<std::uint32_t>(text);
  if (!number || *number == 0) return false;
  into = *number;
  return true;
}

// "1024.100" or "1024"
bool take_range(std::string_view text, ImapUrl& url) {
  const std::size_t dot = text.find('.');
  const auto first = parse_number<std::uint64_t>(text.substr(0, dot));
  Partial partial;
  if (!first) return false;
  partial.first = *first;
  if (dot != std::string_view::npos) {
    const auto count = parse_number<std::uint64_t>(text.substr(dot + 1));
    if (!count || *count == 0) return false;
    partial.count = *count;
  }
  url.partial = partial;
  return true;
}

bool take_section(std::string_view text, ImapUrl& url) {
  const auto words = decoded(text);
  if (!words || words->empty()) return false;
  Scanner in(*words);
  url.section = scan_section(in);
  in.want_end();
  return in.ok();
}

}  // namespace

std::optional<ImapUrl> parse_imap_url(std::string_view text) {
  ImapUrl url;
  if (!take_server(text, url)) return std::nullopt;
  const bool absolute = text.starts_with('/');
  if (absolute) text.remove_prefix(1);
  std::string_view mailbox = take_until(text, "/;UID=");
  if (text.empty() && !absolute && istarts_with(mailbox, ";UID=")) {
    text = std::exchange(mailbox, {});  // of the selected mailbox
  } else if (!take_name(text, "/")) {
    return std::nullopt;
  }
  std::string_view name = take_until(mailbox, ";");
  const auto utf8 = decoded(name);
  if (!utf8 || utf8->empty() == absolute) return std::nullopt;
  url.mailbox = *utf8;
  if (take_name(mailbox, ";UIDVALIDITY=") && !take_number(mailbox, url.uid_validity.emplace()))
    return std::nullopt;
  if (!url.uid_validity && !mailbox.empty()) return std::nullopt;
  if (!take_name(text, ";UID=") || !take_number(take_until(text, "/"), url.uid))
    return std::nullopt;
  if (take_name(text, "/;SECTION=") && !take_section(take_until(text, "/;PARTIAL="), url))
    return std::nullopt;
  if (take_name(text, "/;PARTIAL=") && !take_range(take_until(text, "/"), url)) return std::nullopt;
  if (!text.empty()) return std::nullopt;  // URLAUTH, or nonsense
  return url;
}

}  // namespace posthorn::imap
