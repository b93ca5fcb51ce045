// Answers: whom they go to, what they are called, what they quote.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libmail/message/builder.h"
#include "libmail/message/header.h"

namespace posthorn::message {

struct ReplyOptions {
  bool to_all = false;          // else the author alone
  bool to_list = false;         // the address in List-Post, if there is one (RFC 2369)
  std::vector<Address> own{};   // never among the recipients, unless nobody else is left
  std::size_t references = 50;  // at most: the first and the latest
};

// To, Cc, Subject, In-Reply-To and References of an answer (RFC 5322 3.6.4); the caller adds From, Date,
// Message-ID and the body. Mail-Followup-To is not looked at. Names are decoded.
[[nodiscard]] Draft make_reply(const Header& original, const ReplyOptions& options);
// Subject and References of a forwarded message.
[[nodiscard]] Draft make_forward(const Header& original);

// "On <date> <name> wrote:" and the text with "> " before each line, format=flowed as it should be (">>" without
// blank between the marks). `text` is UTF-8; LF ends. The signature behind "-- " is left out.
[[nodiscard]] std::string quote_text(std::string_view text, std::string_view attribution);
// "On Sun, 22 Nov 2026 20:24:20 +0000 Ann Example wrote:"
[[nodiscard]] std::string attribution(const Header& original);
// What stands above a message that is forwarded within the text: From, To, Date, Subject.
[[nodiscard]] std::string forwarded_head(const Header& original);

}  // namespace posthorn::message
