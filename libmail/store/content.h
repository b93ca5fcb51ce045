// A message body on its way into the store: CRLF comes in, LF is kept; up to a limit in memory,
// beyond it in a file without a name.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "libmail/store/error.h"
#include "libmail/store/files.h"

namespace posthorn::store {

// The octets of a message, LF line ends; shared by its recipients, not changed any more.
class Content {
 public:
  [[nodiscard]] std::uint64_t size() const { return size_; }
  // With every LF as CRLF.
  [[nodiscard]] std::uint64_t crlf_size() const { return size_ + lines_; }
  // All of it if it lies in memory; the rest is in the file.
  [[nodiscard]] std::string_view in_memory() const { return memory_; }
  [[nodiscard]] File* in_file() const { return file_.get(); }

 private:
  friend class ContentWriter;
  std::uint64_t size_ = 0;
  std::uint64_t lines_ = 0;
  std::string memory_;
  std::unique_ptr<File> file_;  // holds everything once there is one; memory_ is empty then
};

class ContentWriter {
 public:
  static constexpr std::size_t memory_limit = 256 * 1024;

  // Takes text with CRLF or LF line ends, cut anywhere. A CR before LF goes, any other stays.
  void append(std::string_view text);
  // More is held in memory than the limit: call spill(), in the pool, before the next append().
  [[nodiscard]] bool wants_spill() const { return content_.memory_.size() > memory_limit; }
  // Moves what is in memory into a file in `directory`.
  StoreResult<void> spill(Directory& directory);
  [[nodiscard]] std::uint64_t size() const { return content_.size_; }
  // What was not spilled yet.
  [[nodiscard]] std::string_view in_memory() const { return content_.memory_; }
  // Ends the text: a last line without end gets one. False if spill() must be called once more
  // before finish().
  [[nodiscard]] bool end_text();
  Content finish();

 private:
  void store(std::string_view segment);
  Content content_;
  char last_ = '\n';       // the last octet stored
  bool after_cr_ = false;  // a CR was seen and not stored yet
};

}  // namespace posthorn::store
