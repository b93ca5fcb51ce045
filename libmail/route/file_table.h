// A text table on disk. What is answered always comes from one whole version of the file.
#pragma once

#include <memory>
#include <string>

#include "libmail/route/table.h"
#include "libmail/route/text_table.h"

namespace posthorn::route {

class FileTable final : public Table {
 public:
  FileTable(std::string path, EntryCheck check, TextTableLimits limits = {});

  async::Task<TableAnswer> find(std::string key) override;
  [[nodiscard]] bool is_empty() const override { return table_->size() == 0; }

  // Reads the file now, in the caller's thread; a file that isn't there is empty. On an error
  // ("PATH:LINE: what is wrong", or what the system said) the old version stays.
  [[nodiscard]] Result<void, std::string> read_now();
  // The same through the pool.
  async::Task<Result<void, std::string>> read();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::size_t size() const { return table_->size(); }

 private:
  std::string path_;
  EntryCheck check_;
  TextTableLimits limits_;
  std::shared_ptr<const TextTable> table_;
};

}  // namespace posthorn::route
