#include "agents/posthorn/batch_splitter.h"

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::operate {

void BatchSplitter::feed(std::string_view octets) {
  octets_.append(octets);
  for (;;) {
    const auto end = octets_.find('\n', line_);
    if (end == std::string::npos) return;
    std::string_view line = std::string_view(octets_).substr(line_, end - line_);
    if (line.ends_with('\r')) line.remove_suffix(1);
    end_line(line, end + 1);
    line_ = end + 1;
  }
}

void BatchSplitter::end_line(std::string_view line, std::size_t end) {
  if (in_data_ && line == ".") {
    in_data_ = false;
    whole_ = end;
  } else if (!in_data_ && iequals(trim(line), "DATA")) {
    in_data_ = true;
  }
}

std::string BatchSplitter::take(bool at_end) {
  std::size_t count = whole_ >= enough_ ? whole_ : 0;
  if (at_end) count = octets_.size();
  if (count == 0) return {};
  std::string piece = octets_.substr(0, count);
  octets_.erase(0, count);
  line_ -= std::min(line_, count);
  whole_ = 0;
  return piece;
}

}  // namespace posthorn::operate
