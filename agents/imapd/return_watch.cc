#include "agents/imapd/return_watch.h"

#include "libmail/base/text.h"

namespace posthorn::imapd {
namespace {

constexpr std::size_t longest_line = 200;
constexpr std::string_view wanted = " UNAUTHENTICATE";

}  // namespace

void UnauthenticateWatch::Line::add(std::string_view octets) {
  too_long = too_long || text.size() + octets.size() > longest_line;
  if (!too_long) text += octets;
}

void UnauthenticateWatch::Line::clear() {
  text = std::string();
  too_long = false;
}

std::optional<std::size_t> UnauthenticateWatch::from_client(std::string_view octets) {
  for (std::size_t at = 0; at < octets.size();) {
    const std::size_t end = octets.find('\n', at);
    said_.add(octets.substr(at, end == std::string_view::npos ? end : end - at));
    if (end == std::string_view::npos) break;
    const std::string_view line = trim(said_.text);
    const std::size_t tag = line.find(' ');
    const bool found = !said_.too_long && tag != std::string_view::npos && tag > 0 &&
                       iequals(line.substr(tag), wanted);
    if (found) tag_ = line.substr(0, tag + 1);
    said_.clear();
    if (found) return end + 1;
    at = end + 1;
  }
  return std::nullopt;
}

void UnauthenticateWatch::from_worker(std::string_view octets) {
  std::size_t begin = 0;
  if (tag_.empty()) {
    // No line can be the answer, so that only the begin of the last one counts.
    const std::size_t last = octets.rfind('\n');
    if (last != std::string_view::npos) {
      told_ok_ = false;
      told_.clear();
      begin = last + 1;
    }
  }
  for (std::size_t at = begin; at < octets.size();) {
    const std::size_t end = octets.find('\n', at);
    told_.add(octets.substr(at, end == std::string_view::npos ? end : end - at));
    if (end == std::string_view::npos) break;
    told_ok_ = !tag_.empty() && !told_.too_long && told_.text.starts_with(tag_ + "OK ");
    told_.clear();
    at = end + 1;
  }
}

bool UnauthenticateWatch::has_returned() const {
  return told_ok_ && told_.text.empty() && !told_.too_long;
}

}  // namespace posthorn::imapd
