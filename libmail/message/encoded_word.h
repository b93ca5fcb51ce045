// Encoded-words (RFC 2047, languages by RFC 2231 5): text of any charset in fields that were ASCII.
//
// They are decoded for who shows them, after a structured field was taken apart and never before: an '@'
// or a comma that comes out of a word is a character of a name, not part of an address.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libmail/message/anomaly.h"

namespace posthorn::message {

// A field body (folds and all) or a phrase to UTF-8 that is well-formed and has no control but TAB. Lenient
// where real mail needs it: words inside of quotes or without blanks around them, blanks and raw octets
// inside a word, base64 without padding. Words side by side with one charset and encoding are one
// text before they are decoded, since some agents cut characters in two. Adds bad_encoded_word,
// bad_base64, base64_after_padding, bad_quoted_printable, control_in_encoded_word, unknown_charset,
// invalid_in_charset and unencoded_8bit; their offsets count from `offset` at text's first octet.
[[nodiscard]] std::string decode_encoded_words(std::string_view text,
                                               Anomalies* anomalies = nullptr,
                                               std::uint64_t offset = 0);

enum class WordPlace : std::uint8_t {
  text,    // Subject, Comments
  phrase,  // a display name: fewer characters may stand for themselves (RFC 2047 5 (3))
};

// UTF-8 to words of at most 64 characters (RFC 2047 allows 75) joined by one space, Q or B, whichever is shorter, never
// cutting a character. What is ill-formed goes in as U+FFFD, controls as spaces. ASCII becomes words too.
[[nodiscard]] std::string make_encoded_words(std::string_view text, WordPlace place);
// For unstructured fields: the text as it is where ASCII says all, encoded-words from the first to the last
// word that needs it. Where a reader would take the text itself for an encoded-word, it is encoded.
[[nodiscard]] std::string encode_text(std::string_view text);
// For a display name: atoms, a quoted string, or encoded-words.
[[nodiscard]] std::string encode_phrase(std::string_view name);

}  // namespace posthorn::message
