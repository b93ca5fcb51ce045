#include "agents/posthorn/mail_source.h"
#include "libmail/message/header.h"
#include "libmail/sasl/scram.h"
#include "libmail/store/content.h"

namespace posthorn::operate {

namespace {

// As the store would send it: CRLF, the last line with its end.
std::string canonical(std::string_view octets) {
  std::string text;
  text.reserve(octets.size() + octets.size() / 32 + 2);
  for (std::size_t i = 0; i < octets.size(); ++i) {
    if (octets[i] == '\r' && i + 1 < octets.size() && octets[i + 1] == '\n') continue;
    if (octets[i] == '\n') text += '\r';
    text += octets[i];
  }
  if (!text.empty() && text.back() != '\n') text += "\r\n";
  return text;
}

// Without the empty line.
std::string_view header_of(std::string_view text) {
  if (text.starts_with("\r\n")) return {};
  const std::size_t end = text.find("\r\n\r\n");
  return text.substr(0, end == std::string_view::npos ? end : end + 2);
}

}  // namespace

std::optional<MailIdentity> identity_of_header(std::string_view header, std::uint64_t size) {
  const std::string text = canonical(header);
  const std::string_view fields = header_of(text);
  if (message::Header::parse(fields).find("Message-ID") == nullptr) return std::nullopt;
  MailIdentity identity;
  identity.size = size;
  identity.digest = sasl::sha256(fields);
  return identity;
}

MailIdentity identity_of(std::string_view whole) {
  const std::string text = canonical(whole);
  auto identity = identity_of_header(header_of(text), text.size());
  if (identity) return std::move(*identity);
  MailIdentity of_all;
  of_all.size = text.size();
  of_all.digest = sasl::sha256(text);
  return of_all;
}

std::string SourceFolder::shown() const {
  std::string text;
  for (const std::string& level : levels) text.append(text.empty() ? "" : "/").append(level);
  return text;
}

}  // namespace posthorn::operate
