#include "libmail/route/file_table.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "libmail/async/files.h"
#include "libmail/base/fd.h"

namespace posthorn::route {

namespace {

using Parsed = Result<std::shared_ptr<const TextTable>, std::string>;

// The whole file; "" if there is none.
Result<std::string, IoError> read_file(const std::string& path, std::size_t limit) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) {
    if (errno == ENOENT) return std::string();
    return fail(io_error("open", path));
  }
  struct stat facts{};
  if (::fstat(file.get(), &facts) != 0) return fail(io_error("stat", path));
  if (!S_ISREG(facts.st_mode)) return fail(IoError(EINVAL, "not a regular file", path));
  std::string bytes;
  while (bytes.size() <= limit) {
    constexpr std::size_t piece = 65536;
    const std::size_t had = bytes.size();
    bytes.resize(had + piece);
    const ssize_t count = ::read(file.get(), bytes.data() + had, piece);
    bytes.resize(had + static_cast<std::size_t>(count > 0 ? count : 0));
    if (count < 0 && errno != EINTR) return fail(io_error("read", path));
    if (count == 0) break;
  }
  return bytes;
}

Parsed parse_file(const std::string& path, const EntryCheck& check, const TextTableLimits& limits) {
  const auto bytes = read_file(path, limits.octets);
  if (!bytes) return fail(bytes.error().text());
  auto table = TextTable::parse(*bytes, check, limits);
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
