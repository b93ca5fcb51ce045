// The base subject of RFC 5256 2.1: what two messages of one thread have in common.
#pragma once

#include <string>
#include <string_view>

namespace posthorn::message {

struct BaseSubject {
  std::string text;    // UTF-8, case as written; compare with i;unicode-casemap or ASCII-wise
  bool reply = false;  // something said reply or forward: "Re:", "Fwd:", "(fwd)", "[fwd: ...]"
};

// `subject`: a field body; encoded-words are decoded. Linear in its size.
[[nodiscard]] BaseSubject base_subject(std::string_view subject);

}  // namespace posthorn::message
