// An index that is gone with the process: for mailboxes whose directory can't hold one, or whose index another process has.
#pragma once

#include <array>
#include <map>
#include <mutex>

#include "libmail/store/mail_index.h"

namespace posthorn::store {

class MemoryIndex : public MailIndex {
 public:
  StoreResult<std::optional<IndexHeader>> header() override;
  StoreResult<void> rows(const std::function<void(const MessageRow&)>& take) override;
  StoreResult<void> names(
      const std::function<void(std::uint32_t, std::string_view)>& take) override;
  StoreResult<std::vector<std::string>> names_of(std::span<const std::uint32_t> uids) override;
  StoreResult<std::uint64_t> write(const IndexBatch& batch) override;
  StoreResult<std::vector<std::uint32_t>> vanished(std::uint64_t modseq) override;
  StoreResult<void> values(
      CachedValue kind, std::span<const std::uint32_t> uids,
      const std::function<void(std::uint32_t, std::string_view)>& take) override;
  StoreResult<void> put_values(
      CachedValue kind, std::span<const std::pair<std::uint32_t, std::string>> values) override;
  StoreResult<void> clear() override;

 private:
  std::mutex mutex_;
  std::optional<IndexHeader> header_;
  std::map<std::uint32_t, MessageRow> rows_;
  std::map<std::uint32_t, std::string> names_;
  std::map<std::uint64_t, std::vector<std::uint32_t>> vanished_;
  // Values are for the messages that were asked for of late: all go when there are too many.
  static constexpr std::size_t value_limit = 16 << 20;  // octets
  std::array<std::map<std::uint32_t, std::string>, cached_values> values_;
  std::size_t value_octets_ = 0;
};

}  // namespace posthorn::store
