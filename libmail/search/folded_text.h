// The text of messages as SEARCH and SORT compare it: decoded, UTF-8, without regard to case (RFC 5255's i;unicode-casemap).
// The index and whoever verifies what it says take their text from here, so that both see the same octets.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "libmail/message/message_view.h"

namespace posthorn::search {

// Case folded; compatibility forms and accents are kept apart from their letters. What is not UTF-8 passes as it is, ASCII in it
// in lower case.
[[nodiscard]] std::string fold_case(std::string_view text);

// The value of a field: encoded-words decoded, then folded.
[[nodiscard]] std::string folded_value(const message::Header& header, const message::Field& field);
// The same of Header::raw_value().
[[nodiscard]] std::string folded_value(std::string_view raw_value);
// "name: value" and LF for every field. So what is in the value of a field is in here as well.
[[nodiscard]] std::string folded_header(const message::Header& header);

// Each text of the body, folded: text parts decoded, headers of parts and of messages within. Ends early and gives true when
// `take` does.
bool any_body_text(const message::MessageView& view,
                   const std::function<bool(const std::string&)>& take);

}  // namespace posthorn::search
