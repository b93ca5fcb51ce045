#include "libmail/milter/mail_macros.h"

#include <fmt/format.h>

#include "libmail/base/text.h"
#include "libmail/smtp/client_lines.h"

namespace posthorn::milter {

namespace {

bool is_local(const smtp::SessionInfo& session) {
  return session.client.local || session.client.address.empty();
}

std::string bracketed(const std::string& address) {
  return fmt::format("[{}]", address);
}

std::string address_of(const smtp::SessionInfo& session) {
  return is_local(session) ? "127.0.0.1" : session.client.address;
}

// Everything that a command line may say.
smtp::ServerExtensions all_extensions() {
  smtp::ServerExtensions all;
  all.eight_bit_mime = all.smtputf8 = all.dsn = all.requiretls = all.size_offered = true;
  all.auth_mechanisms.emplace_back("PLAIN");
  return all;
}

smtp::Utf8 utf8_of(const smtp::Envelope& envelope, std::string_view path) {
  return envelope.smtputf8 || !is_ascii(path) ? smtp::Utf8::allowed : smtp::Utf8::refused;
}

// "MAIL FROM:<a b@x> SIZE=1" -> the path, which may hold blanks, and the words behind it.
std::vector<std::string> arguments_of(std::string_view line, const std::string& path) {
  std::vector<std::string> arguments(1, path);
  line.remove_prefix(line.find(':') + 1 + path.size());
  for (const std::string_view word : words(trim(line))) arguments.emplace_back(word);
  return arguments;
}

}  // namespace

ClientAddress client_address(const smtp::SessionInfo& session) {
  ClientAddress client;
  client.address = address_of(session);
  client.family = client.address.find(':') == std::string::npos ? '4' : '6';
  client.port = is_local(session) ? 0 : session.client.port;
  return client;
}

std::string client_host(const smtp::SessionInfo& session) {
  if (is_local(session)) return "localhost";
  return session.client.name.empty() ? bracketed(session.client.address) : session.client.name;
}

Macros connect_macros(const Identity& identity, const smtp::SessionInfo& session) {
  const std::string host = client_host(session);
  const std::string address = address_of(session);
  const bool is_named = is_local(session) || !session.client.name.empty();
  Macros macros;
  macros.emplace_back("j", identity.hostname);
  macros.emplace_back("v", identity.software);
  macros.emplace_back("_", is_named ? fmt::format("{} [{}]", host, address) : host);
  macros.emplace_back("{daemon_name}", identity.daemon);
  macros.emplace_back("{daemon_addr}", session.server_address);
  if (session.server_port != 0) {
    macros.emplace_back("{daemon_port}", std::to_string(session.server_port));
  }
  macros.emplace_back("{if_addr}", session.server_address);
  macros.emplace_back("{client_name}", is_named ? host : "unknown");
  macros.emplace_back("{client_addr}", address);
  macros.emplace_back("{client_port}", std::to_string(session.client.port));
  return macros;
}

Macros hello_macros(const smtp::SessionInfo& session) {
  Macros macros;
  if (!session.tls) return macros;
  macros.emplace_back("{tls_version}", session.tls->version);
  macros.emplace_back("{cipher}", session.tls->cipher);
  macros.emplace_back("{cipher_bits}", std::to_string(session.tls->bits));
  return macros;
}

Macros mail_macros(const smtp::Envelope& envelope, const smtp::SessionInfo& session) {
  Macros macros = message_macros(envelope);
  macros.emplace_back("{auth_type}", session.mechanism);
  // The user behind a Unix socket counts as one who has logged in: submissiond takes him for that.
  macros.emplace_back("{auth_authen}", session.user.empty() ? envelope.user : session.user);
  if (envelope.auth && *envelope.auth) {
    macros.emplace_back("{auth_author}", smtp::format_mailbox(**envelope.auth));
  }
  macros.emplace_back("{mail_mailer}", "smtp");
  if (envelope.reverse_path) {
    macros.emplace_back("{mail_addr}", smtp::format_mailbox(*envelope.reverse_path));
    macros.emplace_back("{mail_host}", envelope.reverse_path->domain);
  }
  return macros;
}

Macros rcpt_macros(const smtp::Envelope& envelope, const smtp::Recipient& recipient) {
  Macros macros = message_macros(envelope);
  macros.emplace_back("{rcpt_mailer}", "smtp");
  macros.emplace_back("{rcpt_host}", recipient.mailbox.domain);
  macros.emplace_back("{rcpt_addr}", smtp::format_mailbox(recipient.mailbox));
  return macros;
}

Macros message_macros(const smtp::Envelope& envelope) {
  Macros macros;
  macros.emplace_back("i", envelope.id);
  return macros;
}

std::vector<std::string> mail_arguments(const smtp::Envelope& envelope) {
  const std::string path = smtp::format_path(envelope.reverse_path);
  const std::string line = smtp::mail_line(envelope, all_extensions(), utf8_of(envelope, path));
  return arguments_of(line, path);
}

std::vector<std::string> rcpt_arguments(const smtp::Envelope& envelope,
                                        const smtp::Recipient& recipient) {
  const std::string path = smtp::format_path(recipient.mailbox);
  const std::string line = smtp::rcpt_line(recipient, all_extensions(), utf8_of(envelope, path));
  return arguments_of(line, path);
}

}  // namespace posthorn::milter
