// A message that is kept until somebody has judged it: small ones in memory, large ones in a file without a name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libmail/async/task.h"
#include "libmail/base/fd.h"
#include "libmail/base/result.h"

namespace posthorn::filter {

class HeldMessage {
 public:
  // Beyond `in_memory` octets it goes to a file in `directory`.
  HeldMessage(std::string directory, std::uint64_t in_memory)
      : directory_(std::move(directory)), in_memory_(in_memory) {}
  HeldMessage(HeldMessage&&) = default;
  HeldMessage& operator=(HeldMessage&&) = default;

  // Appends. After an error it is of no use any more.
  async::Task<Result<void, IoError>> write(std::string octets);
  // Up to `count` octets from `offset`; fewer only at the end.
  async::Task<Result<std::string, IoError>> read(std::uint64_t offset, std::size_t count) const;
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  std::string directory_;
  std::uint64_t in_memory_;
  std::uint64_t size_ = 0;
  std::string memory_;  // all of it, until there is a file
  Fd file_;
};

}  // namespace posthorn::filter
