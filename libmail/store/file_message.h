// A message that is a file of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "libmail/store/files.h"
#include "libmail/store/mailbox.h"

namespace posthorn::store {

class FileMessage final : public MessageSource {
 public:
  explicit FileMessage(std::unique_ptr<File> file) : file_(std::move(file)) {}
  StoreResult<std::string> read(std::size_t limit) override {
    auto octets = file_->read(offset_, limit);
    if (!octets) return fail(StoreError(octets.error()));
    offset_ += octets->size();
    return std::move(*octets);
  }

 private:
  std::unique_ptr<File> file_;
  std::uint64_t offset_ = 0;
};

}  // namespace posthorn::store
