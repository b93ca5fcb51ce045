#include "agents/mua/output.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utf8proc.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>

#include "libmail/base/text.h"
#include "libmail/message/charset.h"
#include "libmail/message/filename.h"
#include "libmail/message/sender_check.h"

namespace posthorn::mua {

using nlohmann::json;

namespace {

Terminal look_at_terminal() {
  Terminal found;
  found.is_terminal = ::isatty(STDOUT_FILENO) == 1;
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) found.width = size.ws_col;
  const char* no_color = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe): never set by us
  found.color = found.is_terminal && (no_color == nullptr || *no_color == '\0');
  return found;
}

}  // namespace

const Terminal& terminal() {
  static const Terminal found = look_at_terminal();
  return found;
}

std::string shown(std::string_view utf8) {
  return message::filename_for_display(utf8);
}

std::string shown_text(std::string_view utf8) {
  std::string out;
  while (!utf8.empty()) {
    const std::size_t end = std::min(utf8.find('\n'), utf8.size());
    std::string_view line = utf8.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    // TABs are controls to shown(); they align here.
    for (std::size_t at = 0; at <= line.size();) {
      const std::size_t tab = std::min(line.find('\t', at), line.size());
      if (tab > at) out += shown(line.substr(at, tab - at));
      if (tab < line.size()) out += '\t';
      at = tab + 1;
    }
    if (end < utf8.size()) out += '\n';
    utf8.remove_prefix(std::min(end + 1, utf8.size()));
  }
  return out;
}

std::size_t width_of(std::string_view utf8) {
  std::size_t width = 0;
  while (!utf8.empty()) {
    const int columns =
        utf8proc_charwidth(static_cast<utf8proc_int32_t>(message::take_code_point(utf8)));
    width += columns > 0 ? static_cast<std::size_t>(columns) : 0;
  }
  return width;
}

std::string fit(std::string_view utf8, std::size_t columns) {
  const std::size_t width = width_of(utf8);
  if (width <= columns) return std::string(utf8) + std::string(columns - width, ' ');
  std::string out;
  std::size_t used = 0;
  std::size_t isolates = 0;  // opened by shown(): to be closed again
  while (!utf8.empty()) {
    const char32_t c = message::take_code_point(utf8);
    const int wide = utf8proc_charwidth(static_cast<utf8proc_int32_t>(c));
    if (used + static_cast<std::size_t>(std::max(wide, 0)) + 1 > columns) break;
    if (c == 0x2068) ++isolates;
    if (c == 0x2069 && isolates > 0) --isolates;
    message::append_utf8(out, c);
    used += static_cast<std::size_t>(std::max(wide, 0));
  }
  for (; isolates > 0; --isolates) message::append_utf8(out, 0x2069);
  if (columns > 0) out += "\u2026";
  return out + std::string(columns > used + 1 ? columns - used - 1 : 0, ' ');
}

std::string paint(std::string_view text, Paint how) {
  if (!terminal().color || how == Paint::none) return std::string(text);
  constexpr const char* codes[] = {"", "1", "2", "31", "32", "33", "34"};
  return fmt::format("\x1b[{}m{}\x1b[0m", codes[static_cast<int>(how)], text);
}

std::string shown_address(const message::Address& address) {
  const std::string spec = shown(address.domain.empty() ? address.local_part : address.addr_spec());
  if (address.display_name.empty()) return spec;
  return shown(address.display_name) + " <" + spec + ">";
}

std::string shown_sender(const message::Address& address) {
  if (address.display_name.empty() || message::check_sender(address).suspicious())
    return shown_address(address);
  return shown(address.display_name);
}

std::string shown_addresses(const std::vector<message::Address>& addresses) {
  std::string text;
  for (const message::Address& each : addresses)
    text += (text.empty() ? "" : ", ") + shown_address(each);
  return text;
}

std::vector<std::string> sender_warnings(const std::vector<message::Address>& from) {
  std::vector<std::string> warnings;
  for (const message::Address& each : from) {
    const message::SenderCheck check = message::check_sender(each);
    if (check.other_address) warnings.emplace_back("the sender's name shows another address");
    if (check.mixed_scripts) warnings.emplace_back("the sender's name or address mixes scripts");
  }
  return warnings;
}

std::string part_warning(const PartInfo& part) {
  if (message::has_hidden_extension(part.filename)) return "its name hides what it is";
  return message::filename_danger(part.filename) == 2 ? "a program" : "";
}

std::string shown_date(std::chrono::sys_seconds time) {
  const std::time_t seconds = time.time_since_epoch().count();
  std::tm local{};
  ::localtime_r(&seconds, &local);
  return fmt::format("{:%Y-%m-%d %H:%M}", local);
}

std::string rfc3339(std::chrono::sys_seconds time) {
  const std::time_t seconds = time.time_since_epoch().count();
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", utc);
}

std::string shown_size(std::uint64_t octets) {
  if (octets < 1024) return fmt::format("{}", octets);
  const auto kib = static_cast<double>(octets) / 1024;
  return kib < 1024 ? fmt::format("{:.0f}k", kib) : fmt::format("{:.1f}M", kib / 1024);
}

std::string flag_letters(const Summary& message) {
  using imap::SystemFlag;
  const imap::Flags& flags = message.flags;
  std::string text;
  text += flags.has(SystemFlag::deleted) ? 'X' : flags.has(SystemFlag::seen) ? ' ' : 'N';
  text += flags.has(SystemFlag::flagged) ? '*' : ' ';
  text += flags.has(SystemFlag::draft) ? 'D' : flags.has(SystemFlag::answered) ? 'A' : ' ';
  text += message.has_attachment ? '@' : ' ';
  return text;
}

json address_json(const message::Address& address) {
  const std::string spec = address.domain.empty() ? address.local_part : address.addr_spec();
  return {{"name", address.display_name}, {"address", spec}};
}

json addresses_json(const std::vector<message::Address>& addresses) {
  json all = json::array();
  for (const message::Address& each : addresses) all.push_back(address_json(each));
  return all;
}

json summary_json(const Summary& message, const std::string& account, const std::string& folder) {
  json flags = json::array();
  const std::string flag_text = message.flags.text();
  for (const std::string_view word : words(flag_text)) flags.push_back(std::string(word));
  json row = {{"account", account},
              {"folder", folder},
              {"uid", message.uid},
              {"flags", flags},
              {"size", message.size},
              {"received", rfc3339(message.received)},
              {"date", nullptr},
              {"from", addresses_json(message.from)},
              {"to", addresses_json(message.to)},
              {"cc", addresses_json(message.cc)},
              {"subject", message.subject},
              {"message_id", message.message_id},
              {"attachment", message.has_attachment}};
  if (message.date) row["date"] = rfc3339(*message.date);
  if (!message.from.empty() && message::check_sender(message.from.front()).suspicious())
    row["suspicious_sender"] = true;
  return row;
}

json part_json(const PartInfo& part) {
  return {{"part", part.number},           {"type", part.type},
          {"charset", part.charset},       {"encoding", part.encoding},
          {"filename", part.filename},     {"disposition", part.disposition},
          {"octets", part.octets},         {"attachment", part.attachment},
          {"content_id", part.content_id}, {"depth", part.depth}};
}

void print_json(const json& value) {
  // JSON allows DEL and C1 controls as they are; a terminal that shows the line may obey them.
  const std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  std::string line;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
    if (text[i] == '\x7f')
      line += "\\u007f";
    else if (text[i] == '\xc2' && next >= 0x80 && next < 0xa0)
      line += fmt::format("\\u{:04x}", static_cast<unsigned char>(text[++i]));
    else
      line += text[i];
  }
  fmt::print("{}\n", line);
}

void print_summary(const Summary& message, const std::string& account, bool with_account,
                   std::size_t indent) {
  const std::string from = message.from.empty() ? "-" : shown_sender(message.from.front());
  const std::string date = shown_date(message.date.value_or(message.received));
  const std::string subject = std::string(indent * 2, ' ') + shown(message.subject);
  if (!terminal().is_terminal) {
    std::string line = with_account ? shown(account) + "\t" : "";
    line += fmt::format("{}\t{}\t{}\t{}\t{}\n", message.uid, flag_letters(message), date, from,
                        subject);
    fmt::print("{}", line);
    return;
  }
  const std::size_t fixed = (with_account ? 11 : 0) + 6 + 1 + 4 + 1 + 16 + 1 + 20 + 1;
  const std::size_t rest = terminal().width > fixed + 10 ? terminal().width - fixed : 10;
  const bool fresh = !message.flags.has(imap::SystemFlag::seen);
  const std::string row =
      fmt::format("{}{:>6} {} {} {} {}", with_account ? fit(account, 10) + " " : "", message.uid,
                  flag_letters(message), date, fit(from, 20), fit(subject, rest));
  fmt::print("{}\n", paint(row, fresh ? Paint::bold : Paint::none));
}

void print_error(const service::ToolError& error, const std::string& account, bool as_json) {
  if (!as_json) {
    fmt::print(stderr, "mua: {}\n", error.message);
    if (!error.hint.empty()) fmt::print(stderr, "mua: {}\n", error.hint);
    return;
  }
  json body = {{"code", error.code}, {"message", error.message}, {"hint", error.hint}};
  if (!account.empty()) body["account"] = account;
  fmt::print(stderr, "{}\n",
             json({{"error", body}}).dump(-1, ' ', false, json::error_handler_t::replace));
}

Progress::Progress(std::string what, std::uint64_t total)
    : what_(std::move(what)), total_(total), on_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (on_ && next_ != std::chrono::steady_clock::time_point{}) fmt::print(stderr, "\r\x1b[K");
}

void Progress::step(std::uint64_t done) {
  constexpr auto pause = std::chrono::milliseconds(100);
  constexpr std::uint64_t bar = 30;
  const auto now = std::chrono::steady_clock::now();
  if (!on_ || now < next_) return;
  next_ = now + pause;
  const std::uint64_t filled = total_ == 0 ? 0 : std::min(bar, done * bar / total_);
  fmt::print(stderr, "\r{} [{}{}] {}/{}\x1b[K", what_, std::string(filled, '#'),
             std::string(bar - filled, '.'), done, total_);
}

}  // namespace posthorn::mua
