// A table: text in, text out, and sometimes no answer. Files, socketmap and tcp_table servers are
// all Tables.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "libmail/async/task.h"
#include "libmail/base/result.h"

namespace posthorn::route {

// The table can't be asked now; never "there is no such key". For the log.
struct TableError {
  std::string text;  // "socketmap unix:/run/x.sock: connect: No such file or directory"

  TableError() = default;
  explicit TableError(std::string what) : text(std::move(what)) {}
};

using TableAnswer = Result<std::optional<std::string>, TableError>;

class Table {
 public:
  virtual ~Table() = default;
  Table() = default;
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // `key` is canonical: ASCII letters lower, domains as A-labels. No value: nullopt. May be called
  // again before the first call has returned.
  virtual async::Task<TableAnswer> find(std::string key) = 0;
  // True if it certainly answers nothing to every key, so that nobody has to ask.
  [[nodiscard]] virtual bool is_empty() const { return false; }
};

}  // namespace posthorn::route
