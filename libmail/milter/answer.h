// What a filter says, as values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "libmail/base/result.h"
#include "libmail/milter/packet.h"
#include "libmail/smtp/reply.h"

namespace posthorn::milter {

// The answer to a step.
struct Verdict {
  enum class Kind : std::uint8_t {
    carry_on,
    accept,  // no further steps of this message; at connect and hello: of this connection
    reject,  // reply holds what the client is told, here and in the next two
    tempfail,
    shut_down,  // 421, and the client's connection ends
    discard,    // the client is told that it was taken, and it is not
    skip,       // no further steps of this kind for this message
  };
  Kind kind = Kind::carry_on;
  smtp::Reply reply;

  Verdict() = default;
  explicit Verdict(Kind what) : kind(what) {}
  Verdict(Kind what, smtp::Reply words) : kind(what), reply(std::move(words)) {}
  [[nodiscard]] bool refuses() const {
    return kind == Kind::reject || kind == Kind::tempfail || kind == Kind::shut_down;
  }
  bool operator==(const Verdict&) const = default;
};

// Changes, at the end of a message only. Names and values are the filter's octets, unchecked.
struct AddField {
  std::string name, value;
  bool operator==(const AddField&) const = default;
};
struct InsertField {
  std::uint32_t index = 0;  // 0: above all others, the one that we put on top included
  std::string name, value;
  bool operator==(const InsertField&) const = default;
};
struct ChangeField {
  std::uint32_t index = 1;  // the Nth field of that name, from 1
  std::string name, value;  // no value: the field goes
  bool operator==(const ChangeField&) const = default;
};
struct ReplaceBody {  // the pieces, one behind the other, are the new body
  std::string octets;
  bool operator==(const ReplaceBody&) const = default;
};
struct AddRecipient {
  std::string path, parameters;  // "<ann@example.org>", "NOTIFY=NEVER"
  bool operator==(const AddRecipient&) const = default;
};
struct DeleteRecipient {
  std::string path;
  bool operator==(const DeleteRecipient&) const = default;
};
struct ChangeSender {
  std::string path, parameters;
  bool operator==(const ChangeSender&) const = default;
};
struct Quarantine {
  std::string reason;
  bool operator==(const Quarantine&) const = default;
};
using Change = std::variant<AddField, InsertField, ChangeField, ReplaceBody, AddRecipient,
                            DeleteRecipient, ChangeSender, Quarantine>;

struct Progress {  // it works on it: wait longer
  bool operator==(const Progress&) const = default;
};

// The stages that macros belong to.
enum class Stage : std::uint8_t { connect, hello, mail, rcpt, data, end_of_message, end_of_header };
inline constexpr std::size_t stages = 7;

// The answer to a negotiation.
struct Agreement {
  std::uint32_t version = 0;
  std::uint32_t actions = 0;
  std::uint32_t steps = 0;
  std::array<std::optional<std::string>, stages> macros;  // names, as the filter wrote them
  bool operator==(const Agreement&) const = default;
};

using Answer = std::variant<Verdict, Change, Progress, Agreement>;

// The error says what is wrong, without the filter's name.
[[nodiscard]] Result<Answer, std::string> parse_answer(const Packet& packet);

// "550 5.7.1 No\r\n" and its like, several lines too, as a reply that an SMTP client can be given.
// Nothing if it has no code of 4xx or 5xx.
[[nodiscard]] std::optional<smtp::Reply> parse_reply_code(std::string_view text);

}  // namespace posthorn::milter
