// How the words of a remote host travel from relayd to a report, inside the text of an LMTP reply:
// "host mx.example.org[192.0.2.1] said: 550 5.1.1 No such user".
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace posthorn::dsn {

struct RemoteWords {
  std::string name;     // "mx.example.org"
  std::string address;  // "192.0.2.1", "2001:db8::1"
  std::string reply;    // code, enhanced code, text; one line

  RemoteWords() = default;
  RemoteWords(std::string n, std::string a, std::string r)
      : name(std::move(n)), address(std::move(a)), reply(std::move(r)) {}
  bool operator==(const RemoteWords&) const = default;
};

// Controls in any part become blanks, so it is one line.
[[nodiscard]] std::string format_remote_text(const RemoteWords& words);
// Nothing if `text` does not begin so. A name or address that can't be one is a reason, too.
[[nodiscard]] std::optional<RemoteWords> parse_remote_text(std::string_view text);

}  // namespace posthorn::dsn
