#include "libmail/base/crlf.h"

#include <algorithm>
#include <cstring>

namespace posthorn {

// Room for lines of usual length is made first, so that lines are only copied.
void append_crlf(std::string_view text, bool& after_cr, std::string& out) {
  constexpr std::size_t usual_line = 32;
  std::size_t at = out.size();
  out.resize(at + text.size() + text.size() / usual_line + 2);
  while (!text.empty()) {
    const std::size_t lf = text.find('\n');
    const std::size_t size = std::min(lf, text.size());
    // All of the rest, and a CR more than the lines so far have taken.
    if (out.size() - at < text.size() + 1) out.resize(at + text.size() + text.size() / 2 + 2);
    std::memcpy(out.data() + at, text.data(), size);
    at += size;
    if (size > 0) after_cr = text[size - 1] == '\r';
    if (lf == std::string_view::npos) break;
    if (!after_cr) out[at++] = '\r';
    out[at++] = '\n';
    after_cr = false;
    text.remove_prefix(lf + 1);
  }
  out.resize(at);
}

std::size_t count_bare_lf(std::string_view text, bool& after_cr) {
  std::size_t count = 0;
  for (std::size_t lf = text.find('\n'); lf != std::string_view::npos; lf = text.find('\n', lf + 1))
    count += (lf == 0 ? !after_cr : text[lf - 1] != '\r') ? 1 : 0;
  if (!text.empty()) after_cr = text.back() == '\r';
  return count;
}

}  // namespace posthorn
