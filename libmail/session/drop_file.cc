#include "libmail/session/drop_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "libmail/base/clock.h"
#include "libmail/base/random.h"
#include "libmail/smtp/client_lines.h"

namespace posthorn::session {

namespace {

constexpr std::size_t buffer_size = 64 * 1024;

// Everything that a batch may carry.
smtp::ServerExtensions all_extensions() {
  smtp::ServerExtensions all;
  all.size_offered = true;
  all.eight_bit_mime = true;
  all.smtputf8 = true;
  all.dsn = true;
  all.requiretls = true;
  return all;
}

// In a system site nobody but queued may read the drop directory, so it can't be opened to be synced: then the file
// system is.
Result<void, IoError> sync_name(const std::string& directory, int file) {
  const Fd opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened && errno == EACCES) {
    if (::syncfs(file) != 0) return fail(io_error("sync the file system of", directory));
    return {};
  }
  if (!opened) return fail(io_error("open", directory));
  if (::fsync(opened.get()) != 0) return fail(io_error("sync", directory));
  return {};
}

}  // namespace

DropFile::DropFile(std::string directory, std::string name, Fd file)
    : directory_(std::move(directory)), name_(std::move(name)), file_(std::move(file)) {}

Result<DropFile, IoError> DropFile::create(const std::string& directory) {
  const auto micros = wall_now().time_since_epoch().count();
  std::string name = fmt::format("{}.{}.{:016x}", micros, ::getpid(), random_u64());
  const std::string path = directory + "/." + name;
  Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!file) return fail(io_error("create", path));
  return DropFile(directory, std::move(name), std::move(file));
}

DropFile::~DropFile() {
  if (file_) ::unlink(hidden_path().c_str());
}

Result<void, IoError> DropFile::envelope(const smtp::Envelope& envelope) {
  const smtp::ServerExtensions all = all_extensions();
  const smtp::Utf8 utf8 = envelope.smtputf8 ? smtp::Utf8::allowed : smtp::Utf8::refused;
  std::string lines = smtp::mail_line(envelope, all, utf8);
  for (const smtp::Recipient& recipient : envelope.recipients)
    lines += smtp::rcpt_line(recipient, all, utf8);
  lines += "DATA\r\n";
  return write(lines);
}

Result<void, IoError> DropFile::body(std::string_view octets) {
  dots_.encode(octets, buffer_);
  if (buffer_.size() < buffer_size) return {};
  return flush();
}

Result<std::string, IoError> DropFile::commit() {
  dots_.finish(buffer_);
  if (auto flushed = flush(); !flushed) return fail(flushed.error());
  if (::fsync(file_.get()) != 0) return fail(io_error("sync", hidden_path()));
  const std::string path = directory_ + "/" + name_;
  if (::rename(hidden_path().c_str(), path.c_str()) != 0) return fail(io_error("rename to", path));
  const Fd file = std::move(file_);
  if (auto synced = sync_name(directory_, file.get()); !synced) return fail(synced.error());
  return name_;
}

Result<void, IoError> DropFile::write(std::string_view octets) {
  buffer_ += octets;
  if (buffer_.size() < buffer_size) return {};
  return flush();
}

Result<void, IoError> DropFile::flush() {
  std::string_view left = buffer_;
  while (!left.empty()) {
    const ssize_t written = ::write(file_.get(), left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(io_error("write to", hidden_path()));
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  buffer_.clear();
  return {};
}

}  // namespace posthorn::session
