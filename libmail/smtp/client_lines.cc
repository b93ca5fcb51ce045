#include "libmail/smtp/client_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "libmail/base/text.h"
#include "libmail/smtp/xtext.h"

namespace posthorn::smtp {

namespace {

constexpr std::size_t line_limit = 512;  // of XFORWARD and XCLIENT

std::string ascii_path(const Mailbox& mailbox) {
  const Mailbox ascii(mailbox.local_part, canonical_domain(mailbox.domain));
  return format_path(ascii);
}

std::string path_for(const Mailbox& mailbox, Utf8 utf8) {
  if (utf8 == Utf8::allowed || is_ascii(mailbox.domain)) return format_path(mailbox);
  return ascii_path(mailbox);
}

std::string reverse_path_for(const ReversePath& path, Utf8 utf8) {
  return path ? path_for(*path, utf8) : "<>";
}

void append_dsn(std::string& line, const Envelope& envelope) {
  if (envelope.ret == Ret::full) line += " RET=FULL";
  if (envelope.ret == Ret::headers) line += " RET=HDRS";
  if (envelope.envid) line += " ENVID=" + encode_xtext(*envelope.envid);
}

// The value of AUTH= is an addr-spec as xtext, or "<>" (RFC 4954 5).
void append_auth(std::string& line, const ReversePath& auth) {
  line += " AUTH=";
  if (!auth) {
    line += "<>";
  } else if (has_ascii_form(*auth)) {
    const Mailbox ascii(auth->local_part, canonical_domain(auth->domain));
    line += encode_xtext(format_mailbox(ascii));
  } else {
    line += encode_xtext(format_mailbox(*auth));
  }
}

void append_attribute(std::vector<std::string>& lines, std::string_view name,
                      std::string_view value) {
  const std::string word = fmt::format(" {}={}", name, value.empty() ? "[UNAVAILABLE]" : value);
  const std::string_view crlf = "\r\n";
  if (lines.empty() || lines.back().size() + word.size() + crlf.size() > line_limit)
    lines.emplace_back("XFORWARD");
  lines.back() += word;
}

// IPv6 addresses carry a prefix on this seam.
std::string xforward_address(const std::string& address) {
  if (address.find(':') == std::string::npos) return encode_xtext(address);
  return encode_xtext("IPV6:" + address);
}

}  // namespace

bool has_ascii_form(const Mailbox& mailbox) {
  if (!is_ascii(mailbox.local_part)) return false;
  return is_ascii(mailbox.domain) || is_ascii(canonical_domain(mailbox.domain));
}

std::string mail_line(const Envelope& envelope, const ServerExtensions& server, Utf8 utf8) {
  std::string line = "MAIL FROM:" + reverse_path_for(envelope.reverse_path, utf8);
  if (server.size_offered && envelope.size != 0) line += fmt::format(" SIZE={}", envelope.size);
  if (server.eight_bit_mime && envelope.body == Body::eight_bit_mime) line += " BODY=8BITMIME";
  if (utf8 == Utf8::allowed) line += " SMTPUTF8";
  if (server.requiretls && envelope.requiretls) line += " REQUIRETLS";
  if (server.dsn) append_dsn(line, envelope);
  if (envelope.auth && !server.auth_mechanisms.empty()) append_auth(line, *envelope.auth);
  line += "\r\n";
  return line;
}

std::string rcpt_line(const Recipient& recipient, const ServerExtensions& server, Utf8 utf8) {
  std::string line = "RCPT TO:" + path_for(recipient.mailbox, utf8);
  if (server.dsn) {
    if (!recipient.notify.unspecified()) line += " NOTIFY=" + format_notify(recipient.notify);
    if (recipient.orcpt) line += " ORCPT=" + format_orcpt(*recipient.orcpt, utf8);
  }
  line += "\r\n";
  return line;
}

std::string xclient_line(const Envelope& envelope, const ServerExtensions& server) {
  Client client = envelope.client;
  if (client.local && client.address.empty()) client.address = "127.0.0.1";
  if (client.local && client.name.empty()) client.name = "localhost";
  if (!iequals(client.protocol, "SMTP")) client.protocol = "ESMTP";
  constexpr std::size_t long_name = 100;  // as xtext
  const auto short_text = [](const std::string& text) {
    std::string encoded = encode_xtext(text);
    return encoded.size() > long_name ? std::string() : encoded;
  };
  const std::array<std::pair<std::string_view, std::string>, 6> attributes{{
      {"NAME", short_text(client.name)},
      {"ADDR", xforward_address(client.address)},
      {"PORT", client.port == 0 ? std::string() : fmt::format("{}", client.port)},
      {"PROTO", encode_xtext(client.protocol)},
      {"HELO", short_text(client.helo)},
      {"LOGIN", short_text(envelope.user)},
  }};
  std::string line;
  for (const auto& [name, value] : attributes) {
    if (std::find(server.xclient.begin(), server.xclient.end(), name) == server.xclient.end())
      continue;
    line += fmt::format(" {}={}", name, value.empty() ? "[UNAVAILABLE]" : value);
  }
  return line.empty() ? line : "XCLIENT" + line + "\r\n";
}

std::vector<std::string> xforward_lines(const Envelope& envelope, const ServerExtensions& server) {
  std::vector<std::string> lines;
  if (server.xforward.empty()) return lines;
  const Client& client = envelope.client;
  const Client unknown;
  const bool ident_only = client == unknown;
  if (ident_only && envelope.trace_id.empty()) return lines;

  const auto add = [&](std::string_view name, const std::string& value) {
    if (server.offers_xforward(name)) append_attribute(lines, name, value);
  };
  if (!ident_only) {
    add("NAME", encode_xtext(client.name));
    add("ADDR", xforward_address(client.address));
    add("PORT", client.port == 0 ? std::string() : fmt::format("{}", client.port));
    add("PROTO", encode_xtext(client.protocol));
    add("HELO", encode_xtext(client.helo));
  }
  add("IDENT", encode_xtext(envelope.trace_id));
  if (!ident_only) add("SOURCE", client.local ? "LOCAL" : "REMOTE");
  for (std::string& line : lines) line += "\r\n";
  return lines;
}

}  // namespace posthorn::smtp
