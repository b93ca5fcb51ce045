// Commands, replies, parameters and bodies: what is parsed and written again parses to the same.
#include <algorithm>
#include <cstdint>
#include <string>

#include "libmail/base/text.h"
#include "libmail/smtp/command.h"
#include "libmail/smtp/dot.h"
#include "libmail/smtp/reply_parser.h"
#include "libmail/smtp/status.h"
#include "libmail/smtp/trace.h"
#include "libmail/smtp/xtext.h"

namespace {

using namespace posthorn;
using namespace posthorn::smtp;

bool has_controls(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; });
}

void check_path(const ReversePath& path) {
  if (!path) return;
  check(!path->local_part.empty() && path->local_part.front() != '-', "a local-part is safe");
  check(!has_controls(path->local_part) && !has_controls(path->domain), "no controls in paths");
  if (path->domain.empty()) return;
  const auto again = parse_mailbox(format_mailbox(*path), Utf8::allowed);
  check(again && *again == *path, "a mailbox is read back");
}

void try_command(std::string_view line) {
  for (const Utf8 utf8 : {Utf8::refused, Utf8::allowed}) {
    const auto command = parse_command(line, utf8);
    if (!command) {
      check(!has_controls(command.error().text), "error texts are printable");
      continue;
    }
    if (const auto* mail = std::get_if<Mail>(&*command)) {
      check_path(mail->reverse_path);
      if (mail->envid) check(!has_controls(*mail->envid), "no controls in ENVID");
      if (mail->auth) check_path(*mail->auth);
    }
    if (const auto* rcpt = std::get_if<Rcpt>(&*command)) {
      check_path(rcpt->recipient.mailbox);
      const auto& orcpt = rcpt->recipient.orcpt;
      if (orcpt) check(parse_orcpt(format_orcpt(*orcpt)) == *orcpt, "ORCPT is read back");
    }
  }
}

void try_reply(std::string_view wire) {
  std::string_view rest = wire;
  ReplyParser parser;
  while (!rest.empty()) {
    const auto whole = parser.feed(rest);
    if (!whole) break;
    if (!*whole) continue;
    Reply reply = parser.reply();
    ReplyParser second;
    std::string again = format_reply(reply);
    std::string_view text = again;
    const auto parsed = second.feed(text);
    check(parsed && *parsed && text.empty(), "a reply is written as one reply");
    const Status status = to_status(reply, "x");
    check(!has_controls(status.text), "a status is one printable line");
  }
}

void try_body(std::string_view body) {
  DotEncoder encoder;
  std::string wire;
  encoder.encode(body.substr(0, body.size() / 3), wire);
  encoder.encode(body.substr(body.size() / 3), wire);
  encoder.finish(wire);
  DotDecoder decoder;
  std::string_view rest = wire;
  std::string decoded;
  while (!rest.empty() && !decoder.done()) decoded.append(decoder.step(rest));
  check(decoder.done() && rest.empty(), "what we encode ends once, at its end");
  const bool nul = body.find('\0') != std::string_view::npos;
  check(decoder.fault() == BodyFault::none || nul || decoder.fault() == BodyFault::line_too_long,
        "what we encode has no stray line end");
  LineChecker lines;
  lines.feed(body);
  lines.finish();
  if (lines.fault() == BodyFault::none && (body.empty() || body.ends_with("\r\n"))) {
    check(decoded == body, "a clean message passes unchanged");
  }
}

void try_trace(std::string_view words) {
  SessionInfo session;
  session.client.helo = words.substr(0, words.size() / 2);
  session.client.name = words.substr(words.size() / 2);
  Trace trace;
  trace.by = "mx.example.org";
  const std::string field = format_received(session, Envelope(), trace);
  LineChecker lines;
  lines.feed(field);
  lines.finish();
  check(lines.fault() == BodyFault::none && field.ends_with("\r\n"), "Received is lines");
  std::size_t at = 0;
  while ((at = field.find("\r\n", at)) + 2 < field.size()) {
    at += 2;
    check(is_space(field[at]), "Received is one field");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try_command(text);
  try_reply(text);
  try_body(text);
  try_trace(text);
  const auto octets = decode_xtext(text);
  if (octets) check(decode_xtext(encode_xtext(*octets)) == *octets, "xtext is read back");
  check(decode_xtext(encode_xtext(text)) == text, "xtext carries any octets");
  const auto utf8 = decode_utf8_addr(text);
  if (utf8)
    check(decode_utf8_addr(encode_utf8_addr(*utf8, true)) == *utf8, "RFC 6533 is read back");
  return 0;
}
