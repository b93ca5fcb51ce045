// One message on its way to its recipients.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/smtp/envelope.h"
#include "libmail/smtp/reply.h"
#include "libmail/smtp/server.h"
#include "libmail/store/content.h"
#include "libmail/store/location.h"
#include "libmail/store/quota.h"

namespace posthorn::deliverd {

// Where a recipient's mail goes; a program needs no location.
struct Target {
  std::string user;  // as the userdb writes it
  store::MailLocation location;
  std::string folder;  // a directory name of maildir_folder_directory(), "" = the inbox
  store::QuotaLimits quota;
};

// The envelope and session outlive the letter.
struct Letter {
  const smtp::Envelope& envelope;
  const smtp::SessionInfo& session;
  std::shared_ptr<const store::Content> content;
  std::string_view
      header;  // with LF line ends and without the empty line; what is beyond header_limit is missing

  // Came by --stdin: no hop of its own, so no Received, and the user may well have it delivered once more.
  bool from_stdin = false;

  Letter(const smtp::Envelope& e, const smtp::SessionInfo& s) : envelope(e), session(s) {}
};

// The longest header we look into for loops and give back in reports.
inline constexpr std::size_t header_limit = 256 * 1024;

// What became of one recipient.
struct Outcome {
  smtp::Reply reply;  // for the client
  bool final = true;  // delivered, in a report; else relayed (a program that passes it on)
  std::string where;  // the file, or the program
  std::string why;    // more than the client is told, for the log

  Outcome() = default;
  explicit Outcome(smtp::Reply answer, std::string reason = {})
      : reply(std::move(answer)), why(std::move(reason)) {}
};

// Return-Path, Delivered-To and Received with LF line ends: what final delivery puts on top (RFC 5321 4.4).
std::string trace_head(const Letter& letter, const smtp::Recipient& recipient,
                       const std::string& hostname);

// Whether this message has been delivered to this mailbox before.
bool is_loop(const Letter& letter, const smtp::Mailbox& mailbox);

// The header at the beginning of `text`, LF line ends.
std::string_view header_of(std::string_view text);

// CRLF to LF.
std::string to_lf(std::string text);

}  // namespace posthorn::deliverd
