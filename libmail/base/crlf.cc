#include "libmail/base/crlf.h"

namespace posthorn {

void append_crlf(std::string_view text, bool& after_cr, std::string& out) {
  while (!text.empty()) {
    const std::size_t lf = text.find('\n');
    const std::string_view line = text.substr(0, lf);
    out += line;
    if (!line.empty()) after_cr = line.back() == '\r';
    if (lf == std::string_view::npos) return;
    out += after_cr ? "\n" : "\r\n";
    after_cr = false;
    text.remove_prefix(lf + 1);
  }
}

}  // namespace posthorn
