#include "libmail/dsn/remote.h"

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::dsn {

namespace {

constexpr std::string_view host = "host ";
constexpr std::string_view said = " said: ";

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 255 && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alnum(c) || c == '.' || c == '-' || c == '_' || c == ':' || is_8bit(c);
  });
}

bool is_address(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alnum(c) || c == '.' || c == ':' || c == '%' || c == '/' || c == '-' || c == '_';
  });
}

std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text) out += static_cast<unsigned char>(c) < 32 || c == 127 ? ' ' : c;
  return std::string(trim(out));
}

}  // namespace

std::string format_remote_text(const RemoteWords& words) {
  return std::string(host) + one_line(words.name) + "[" + one_line(words.address) + "]" +
         std::string(said) + one_line(words.reply);
}

std::optional<RemoteWords> parse_remote_text(std::string_view text) {
  if (!text.starts_with(host)) return std::nullopt;
  text.remove_prefix(host.size());
  const std::size_t open = text.find('[');
  if (open == std::string_view::npos) return std::nullopt;
  const std::size_t close = text.find(']', open);
  if (close == std::string_view::npos || text.substr(close + 1, said.size()) != said) {
    return std::nullopt;
  }
  RemoteWords words(std::string(text.substr(0, open)),
                    std::string(text.substr(open + 1, close - open - 1)),
                    one_line(text.substr(close + 1 + said.size())));
  if (!is_name(words.name) || !is_address(words.address)) return std::nullopt;
  return words;
}

}  // namespace posthorn::dsn
