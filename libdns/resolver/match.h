// Is this packet the reply to that query? Pure; what an attacker guesses at.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace posthorn::dns {

enum class LetterCase : std::uint8_t { exact, ignored };

// `query` is a message of ours with one question. True if `reply` has QR, the same id and opcode,
// and the same question; FORMERR and NOTIMP of servers that understood nothing may have none.
[[nodiscard]] bool is_reply_to(std::string_view query, std::string_view reply, LetterCase letters);

// The octets of the question: name, type, class. Empty if there is no whole one.
[[nodiscard]] std::string_view question_octets(std::string_view message);
[[nodiscard]] std::uint16_t message_id(std::string_view message);
void set_message_id(std::string& message, std::uint16_t id);

}  // namespace posthorn::dns
