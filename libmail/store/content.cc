#include "libmail/store/content.h"

#include <algorithm>
#include <cstring>

namespace posthorn::store {

void ContentWriter::store(std::string_view segment) {
  if (segment.empty()) return;
  content_.lines_ += static_cast<std::uint64_t>(std::count(segment.begin(), segment.end(), '\n'));
  // A CR that stands before LF in the file is a CRLF to every reader, and grows no more.
  if (last_ == '\r' && segment.front() == '\n') --content_.lines_;
  last_ = segment.back();
  content_.size_ += segment.size();
  content_.memory_.append(segment);
}

void ContentWriter::append(std::string_view text) {
  if (text.empty()) return;
  // Most messages come in one piece, and are stored line by line.
  if (content_.memory_.empty()) content_.memory_.reserve(text.size());
  if (after_cr_) {
    if (text.front() != '\n') store("\r");
    after_cr_ = false;
  }
  while (!text.empty()) {
    const auto* cr = static_cast<const char*>(std::memchr(text.data(), '\r', text.size()));
    if (cr == nullptr) return store(text);
    const auto at = static_cast<std::size_t>(cr - text.data());
    store(text.substr(0, at));
    text.remove_prefix(at + 1);
    if (text.empty()) {
      after_cr_ = true;
    } else if (text.front() != '\n') {
      store("\r");
    }
  }
}

StoreResult<void> ContentWriter::spill(Directory& directory) {
  if (!content_.file_) {
    auto file = directory.open_unnamed();
    if (!file) return fail(StoreError(file.error()));
    content_.file_ = std::move(*file);
  }
  if (auto written = content_.file_->write(content_.memory_); !written) {
    return fail(StoreError(written.error()));
  }
  content_.memory_.clear();
  return {};
}

bool ContentWriter::end_text() {
  if (after_cr_) store("\r");
  after_cr_ = false;
  if (content_.size_ > 0 && last_ != '\n') store("\n");
  return !(content_.file_ && !content_.memory_.empty());
}

Content ContentWriter::finish() {
  check(end_text(), "a spilled message was finished without its end");
  return std::move(content_);
}

}  // namespace posthorn::store
