// What mua prints: for people on a terminal, plain rows in a pipe, JSON for programs. Strangers' texts can neither
// steer the terminal nor turn the direction of what stands around them.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "agents/mua/mail_store.h"
#include "libmail/service/tool.h"

namespace posthorn::mua {

struct Terminal {
  bool is_terminal = false;
  std::size_t width = 80;
  bool color = false;  // a terminal, and no NO_COLOR
};
// Standard output.
[[nodiscard]] const Terminal& terminal();

// Controls, bidirectional and invisible characters shown as <U+202E>, right-to-left texts isolated; one line.
[[nodiscard]] std::string shown(std::string_view utf8);
// The same for a text of lines: LF and TAB stay.
[[nodiscard]] std::string shown_text(std::string_view utf8);
// Columns on a terminal (wide and combining characters counted).
[[nodiscard]] std::size_t width_of(std::string_view utf8);
// Cut (with an ellipsis) or padded to so many columns.
[[nodiscard]] std::string fit(std::string_view utf8, std::size_t columns);

enum class Paint { none, bold, dim, red, green, yellow, blue };
[[nodiscard]] std::string paint(std::string_view text, Paint how);

// "Ann Example" or the address; what claims to be another gets its address shown too.
[[nodiscard]] std::string shown_sender(const message::Address& address);
[[nodiscard]] std::string shown_address(const message::Address& address);
[[nodiscard]] std::string shown_addresses(const std::vector<message::Address>& addresses);
// Why the sender may be somebody else; nothing: no reason is known.
[[nodiscard]] std::vector<std::string> sender_warnings(const std::vector<message::Address>& from);
// Why one should not open it: "its name hides what it is", "a program", or "".
[[nodiscard]] std::string part_warning(const PartInfo& part);
// "2026-11-23 06:48" in local time.
[[nodiscard]] std::string shown_date(std::chrono::sys_seconds time);
// "2026-11-23T06:48:11Z".
[[nodiscard]] std::string rfc3339(std::chrono::sys_seconds time);
[[nodiscard]] std::string shown_size(std::uint64_t octets);
// "N" new, "*" flagged, "A" answered, "D" draft, "@" attachment, "X" deleted; four columns.
[[nodiscard]] std::string flag_letters(const Summary& message);

// The JSON shape of a message in a list; `folder` and `account` are in it.
[[nodiscard]] nlohmann::json summary_json(const Summary& message, const std::string& account,
                                          const std::string& folder);
[[nodiscard]] nlohmann::json address_json(const message::Address& address);
[[nodiscard]] nlohmann::json addresses_json(const std::vector<message::Address>& addresses);
[[nodiscard]] nlohmann::json part_json(const PartInfo& part);
// One line on standard output; ill-formed UTF-8 is replaced.
void print_json(const nlohmann::json& value);

// One row of a list. `with_account`: a column with it in front.
void print_summary(const Summary& message, const std::string& account, bool with_account,
                   std::size_t indent = 0);

// {"error":{...}} on standard error, with "account" if there is one; or words.
void print_error(const service::ToolError& error, const std::string& account, bool json);

// A line on standard error that shows how far long work is; nothing unless that is a terminal.
class Progress {
 public:
  Progress(std::string what, std::uint64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void step(std::uint64_t done);

 private:
  std::string what_;
  std::uint64_t total_;
  bool on_;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace posthorn::mua
