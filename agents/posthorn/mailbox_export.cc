// posthorn mailbox export: a user's mailboxes as mbox files, or as a Maildir.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "agents/posthorn/copy_report.h"
#include "agents/posthorn/mail_copy.h"
#include "agents/posthorn/mailbox_command.h"
#include "agents/posthorn/mbox_flags.h"
#include "libmail/async/loop.h"
#include "libmail/base/fd.h"
#include "libmail/store/mbox_format.h"

namespace posthorn::operate {

using async::Task;
namespace exit_code = service::exit_code;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t window = 200;

// CRLF as LF: what the file of the message has.
std::string with_lf(std::string_view text) {
  std::string lines;
  lines.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] != '\r' || i + 1 == text.size() || text[i + 1] != '\n') lines += text[i];
  return lines;
}

ToolError io_failure(const std::string& path) {
  const int code = errno;
  const std::string text = path + ": " + std::strerror(code);
  if (code == EEXIST)
    return {exit_code::refused, "exists", text, "name another file: nothing is written over"};
  return {exit_code::unavailable, "io", text};
}

// One mailbox into one new file.
class MboxWriter {
 public:
  MboxWriter(MailSource& source, std::string path, CopiedFolder& result)
      : source_(source), path_(std::move(path)), result_(result) {}

  Task<ToolResult<void>> run(SourceFolder folder) {
    auto opened = co_await source_.open(std::move(folder));
    if (!opened) co_return fail(std::move(opened.error()));
    result_.messages = *opened;
    file_.reset(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file_) co_return fail(io_failure(path_));
    for (std::size_t first = 0; first < result_.messages; first += window) {
      auto heads = co_await source_.look(first, window);
      if (!heads) co_return fail(std::move(heads.error()));
      std::vector<std::size_t> numbers;
      for (std::size_t i = 0; i < heads->size(); ++i) numbers.push_back(first + i);
      const std::size_t wanted = result_.copied + numbers.size();
      const MailSource::Take take = [&](std::size_t number, std::string octets) {
        write((*heads)[number - first], octets);
      };
      auto read = co_await source_.read(std::move(numbers), take);
      if (!read) co_return fail(std::move(read.error()));
      if (broken_) co_return fail(*broken_);
      result_.failed += wanted - result_.copied;
    }
    if (::fsync(file_.get()) != 0) co_return fail(io_failure(path_));
    co_return ToolResult<void>();
  }

 private:
  void write(const SourceMessage& message, std::string_view octets) {
    if (broken_) return;
    MboxFlags flags;
    flags.flags = message.flags;
    flags.keywords = message.keywords;
    std::string text = store::mbox_from_line("", message.date.value_or(WallTime()));
    store::MboxQuoter quoter;
    quoter.append(mbox_flag_lines(flags) + with_lf(octets), text);
    quoter.finish(text);
    if (!write_all(file_.get(), text)) broken_ = io_failure(path_);
    ++result_.copied;
  }

  MailSource& source_;
  std::string path_;
  CopiedFolder& result_;
  Fd file_;
  std::optional<ToolError> broken_;
};

// `one_file`: the path is a file, else a directory with NAME.mbox in it.
Task<CopyResult> write_mboxes(MailSource& source, std::string path, bool one_file) {
  CopyResult result;
  auto folders = co_await source.folders();
  if (!folders) {
    result.error = std::move(folders.error());
    co_return result;
  }
  for (SourceFolder& folder : *folders) {
    CopiedFolder copied;
    copied.from = folder.name;
    copied.to = one_file ? path : path + "/" + folder.shown() + ".mbox";
    std::error_code error;
    const fs::path parent = fs::path(copied.to).parent_path();
    if (!parent.empty()) fs::create_directories(parent, error);
    result.folders.push_back(copied);
    MboxWriter writer(source, copied.to, result.folders.back());
    auto done = co_await writer.run(std::move(folder));
    if (done) continue;
    result.error = std::move(done.error());
    break;
  }
  co_return result;
}

class MailboxExport final : public MailboxCommand {
 public:
  [[nodiscard]] std::string_view name() const override { return "mailbox export"; }
  [[nodiscard]] std::string_view words() const override { return "[USER] TARGET [MAILBOX...]"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "write mailboxes as mbox files or as a Maildir";
  }

 protected:
  Result<int, ToolError> run(const ToolCall& call, Account& account,
                             const std::vector<std::string>& words) override {
    const std::string text = words.empty() ? "" : words.front();
    const bool is_mbox = text.starts_with("mbox:");
    if ((!is_mbox && !text.starts_with("maildir:")) || text.ends_with(':'))
      return fail(ToolError(exit_code::usage, "usage", "one target has to be named",
                            "mbox:PATH or maildir:PATH"));
    const std::string path = fs::absolute(text.substr(text.find(':') + 1));
    const std::vector<std::string> named(words.begin() + 1, words.end());
    auto names = mailboxes(account, named);
    if (!names) return fail(names.error());
    const auto source = make_store_source(*account.store, std::move(*names));
    if (is_mbox) {
      const CopyResult result = async::run(write_mboxes(*source, path, named.size() == 1));
      return report_copy(call, result, false);
    }
    store::StoreSettings settings;
    settings.index = false;
    store::NamespaceSettings space = account.store->settings().namespaces.front();
    space.prefix.clear();
    space.location = store::MailLocation();
    space.location.base = path;
    settings.namespaces.push_back(std::move(space));
    store::Store target(account.host, std::move(settings));
    CopyRules rules;
    rules.progress = !call.json && ::isatty(STDERR_FILENO) != 0;
    const CopyResult result = async::run(copy_mail(*source, target, rules));
    return report_copy(call, result, false);
  }
};

}  // namespace

std::unique_ptr<Tool> make_mailbox_export() {
  return std::make_unique<MailboxExport>();
}

}  // namespace posthorn::operate
