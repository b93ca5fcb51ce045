// A message on its way: a small one in memory, a larger one in a file without a name, so that an attachment costs disk and
// no memory however large it is.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "agents/mua/error.h"
#include "libmail/base/fd.h"

namespace posthorn::mua {

// Takes a piece of a message; false stops the reading, which is no error.
using Sink = std::function<bool(std::string_view)>;

// A server that sends more in one message has something else in mind.
inline constexpr std::uint64_t largest_message = 1ULL << 30;

// Written once, then shared; copies cost nothing.
class Octets {
 public:
  static constexpr std::size_t piece = 64 * 1024;

  Octets() = default;
  Octets(
      std::string text);  // NOLINT(google-explicit-constructor): a text is the octets of a message
  Octets(const char* text) : Octets(std::string(text)) {}  // NOLINT(google-explicit-constructor)
  // A stretch of an open file.
  Octets(std::shared_ptr<const Fd> file, std::uint64_t offset, std::uint64_t size)
      : file_(std::move(file)), offset_(offset), size_(size) {}

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  // At most `most` octets from `at`; fewer only at the end. Blocking, of a file that was just written.
  [[nodiscard]] Mail<std::string> read(std::uint64_t at, std::size_t most = piece) const;
  // All of it, piece by piece.
  [[nodiscard]] Mail<void> each(const Sink& sink) const;
  // Up to and with the empty line behind the header; at most 1 MiB.
  [[nodiscard]] Mail<std::string> header() const;
  // For what needs it in memory; bad_data above `limit`.
  [[nodiscard]] Mail<std::string> whole(std::uint64_t limit = 256ULL << 20) const;

 private:
  std::shared_ptr<const std::string> memory_;
  std::shared_ptr<const Fd> file_;
  std::uint64_t offset_ = 0;
  std::uint64_t size_ = 0;
};

class OctetsWriter {
 public:
  // More than this goes into the file.
  static constexpr std::size_t memory_limit = 256 * 1024;

  // Into $TMPDIR or /tmp; try_again if there is no room.
  [[nodiscard]] Mail<void> append(std::string_view text);
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] Mail<Octets> finish();

 private:
  [[nodiscard]] Mail<void> flush();
  std::string memory_;
  Fd file_;
  std::uint64_t size_ = 0;
};

// A file without a name for others to read, at its beginning.
[[nodiscard]] Mail<Fd> file_of(const Octets& octets);

}  // namespace posthorn::mua
