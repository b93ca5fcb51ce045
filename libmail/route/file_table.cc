#include "libmail/route/file_table.h"

#include <fmt/format.h>

#include <cerrno>

#include "libmail/async/files.h"
#include "libmail/base/read_file.h"

namespace posthorn::route {

namespace {

using Parsed = Result<std::shared_ptr<const TextTable>, std::string>;

Parsed parse_file(const std::string& path, const EntryCheck& check, const TextTableLimits& limits) {
  const auto bytes = read_file(path, limits.octets);
  const bool is_absent = !bytes && bytes.error().code == ENOENT;  // an empty table
  if (!bytes && !is_absent) return fail(bytes.error().text());
  auto table = TextTable::parse(is_absent ? "" : *bytes, check, limits);
  if (!table) return fail(fmt::format("{}:{}: {}", path, table.error().line, table.error().text));
  return std::make_shared<const TextTable>(std::move(*table));
}

}  // namespace

FileTable::FileTable(std::string path, EntryCheck check, TextTableLimits limits)
    : path_(std::move(path)),
      check_(std::move(check)),
      limits_(limits),
      table_(std::make_shared<TextTable>()) {}

async::Task<TableAnswer> FileTable::find(std::string key) {
  const std::string* value = table_->find(key);
  std::optional<std::string> answer;
  if (value != nullptr) answer = *value;
  co_return TableAnswer(std::move(answer));
}

Result<void, std::string> FileTable::read_now() {
  auto table = parse_file(path_, check_, limits_);
  if (!table) return fail(std::move(table.error()));
  table_ = std::move(*table);
  return {};
}

async::Task<Result<void, std::string>> FileTable::read() {
  // The job owns what it needs: it may outlast a table that is closed.
  auto job = [path = path_, entry_check = check_, limits = limits_]() -> Parsed {
    return parse_file(path, entry_check, limits);
  };
  auto table = co_await async::blocking(std::move(job));
  if (!table) co_return fail(std::move(table.error()));
  table_ = std::move(*table);
  co_return Result<void, std::string>();
}

}  // namespace posthorn::route
