// The envelope: everything about a message that is not in it, from the intake that took it to the
// agent that delivers it. Values only; libmail/queue stores them, the SMTP and LMTP client says
// them again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libmail/base/clock.h"
#include "libmail/smtp/address.h"

namespace posthorn::smtp {

enum class Body : std::uint8_t { seven_bit, eight_bit_mime };  // BODY= (RFC 6152)
enum class Ret : std::uint8_t { unspecified, full, headers };  // RET= (RFC 3461 4.3)

// NOTIFY= (RFC 3461 4.1): nothing said, never, or any of the three.
struct Notify {
  static constexpr std::uint8_t never = 1;
  static constexpr std::uint8_t success = 2;
  static constexpr std::uint8_t failure = 4;
  static constexpr std::uint8_t delay = 8;
  std::uint8_t bits = 0;

  Notify() = default;
  explicit Notify(std::uint8_t flags) : bits(flags) {}
  [[nodiscard]] bool unspecified() const { return bits == 0; }
  // What a report needs to know, with the defaults of RFC 3461 4.1 for an unspecified NOTIFY.
  [[nodiscard]] bool wants_success() const { return (bits & success) != 0; }
  [[nodiscard]] bool wants_failure() const { return bits == 0 || (bits & failure) != 0; }
  [[nodiscard]] bool wants_delay() const { return bits == 0 || (bits & delay) != 0; }
  bool operator==(const Notify&) const = default;
};
// "NEVER", "SUCCESS,DELAY"; "" if unspecified.
[[nodiscard]] std::string format_notify(Notify notify);
// The value of NOTIFY=. Nothing for an empty list, an unknown word, or NEVER beside another word.
[[nodiscard]] std::optional<Notify> parse_notify(std::string_view text);

// ORCPT= (RFC 3461 4.2, RFC 6533): the recipient as the sender wrote it, decoded; no controls in
// it.
struct OriginalRecipient {
  std::string type;     // "rfc822", "utf-8", ...
  std::string address;  // octets, not xtext

  OriginalRecipient() = default;
  OriginalRecipient(std::string kind, std::string value)
      : type(std::move(kind)), address(std::move(value)) {}
  bool operator==(const OriginalRecipient&) const = default;
};
// "rfc822;ann+2Btag@example.org", the value of ORCPT=. With Utf8::refused nothing but ASCII comes
// out.
[[nodiscard]] std::string format_orcpt(const OriginalRecipient& orcpt, Utf8 utf8 = Utf8::refused);
[[nodiscard]] std::optional<OriginalRecipient> parse_orcpt(std::string_view text);

struct Recipient {
  Mailbox mailbox;  // the forward-path
  Notify notify;
  std::optional<OriginalRecipient> orcpt;

  Recipient() = default;
  explicit Recipient(Mailbox to) : mailbox(std::move(to)) {}
  bool operator==(const Recipient&) const = default;
};

// Who handed the message to the first of our agents: XFORWARD's attributes. An empty text is
// [UNAVAILABLE].
struct Client {
  std::string name;     // reverse DNS name, verified
  std::string address;  // "192.0.2.1", "2001:db8::1"; empty for a Unix-socket peer
  std::uint16_t port = 0;
  std::string helo;
  std::string protocol;  // "SMTP", "ESMTP", "LMTP"
  bool local = false;    // SOURCE=LOCAL: a program on this machine

  Client() = default;
  bool operator==(const Client&) const = default;
};

struct Envelope {
  std::string id;        // queue id of this intake: made at MAIL, in its log lines and its 250
  std::string trace_id;  // queue id of the first intake (XFORWARD IDENT); equals id if that was us
  ReversePath reverse_path;
  Ret ret = Ret::unspecified;
  std::optional<std::string> envid;  // ENVID=, decoded; no controls in it
  Body body = Body::seven_bit;
  bool smtputf8 = false;
  bool requiretls = false;          // RFC 8689
  std::optional<ReversePath> auth;  // AUTH= of MAIL (RFC 4954 5); a null path is AUTH=<>
  std::string user;                 // who logged in; empty if nobody did
  std::string hold_reason;          // not empty: queued keeps it until the operator releases it
  Client client;
  WallTime arrival{};      // when MAIL was accepted
  std::uint64_t size = 0;  // SIZE= while it is on its way, the true octets once it is there
  std::vector<Recipient> recipients;

  Envelope() = default;
  bool operator==(const Envelope&) const = default;
};

}  // namespace posthorn::smtp
