#include "agents/mua/octets.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace posthorn::mua {

using Kind = MailError::Kind;

namespace {

MailError trouble(const char* operation, const std::string& path) {
  return {Kind::try_again, io_error(operation, path).text()};
}

std::string temporary_directory() {
  std::error_code error;
  const auto path = std::filesystem::temp_directory_path(error);
  return error ? "/tmp" : path.string();
}

// Gone when it is closed.
Mail<Fd> unnamed_file() {
  const std::string directory = temporary_directory();
  Fd file(::open(directory.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
  if (file) return file;
  std::string path = directory + "/mua-XXXXXX";  // a file system without O_TMPFILE
  file.reset(::mkostemp(path.data(), O_CLOEXEC));
  if (!file) return fail(trouble("make a file in", directory));
  ::unlink(path.c_str());
  return file;
}

}  // namespace

Octets::Octets(std::string text)
    : memory_(std::make_shared<const std::string>(std::move(text))), size_(memory_->size()) {}

Mail<std::string> Octets::read(std::uint64_t at, std::size_t most) const {
  if (at >= size_) return std::string();
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(most, size_ - at));
  if (memory_ != nullptr) return memory_->substr(static_cast<std::size_t>(at), count);
  std::string text(count, '\0');
  std::size_t have = 0;
  while (have < count) {
    const auto from = static_cast<off_t>(offset_ + at + have);
    const ssize_t got = ::pread(file_->get(), text.data() + have, count - have, from);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail(trouble("read", "the message's file"));
    have += static_cast<std::size_t>(got);
  }
  return text;
}

Mail<void> Octets::each(const Sink& sink) const {
  for (std::uint64_t at = 0; at < size_; at += piece) {
    const auto text = read(at);
    if (!text) return fail(text.error());
    if (!sink(*text)) break;
  }
  return {};
}

Mail<std::string> Octets::header() const {
  constexpr std::size_t most = 1 << 20;
  std::string text;
  while (text.size() < most && text.size() < size_) {
    const std::size_t before = text.size() < 3 ? 0 : text.size() - 3;
    auto next = read(text.size());
    if (!next) return next;
    text += *next;
    const std::size_t crlf = text.find("\r\n\r\n", before);
    const std::size_t lf = text.find("\n\n", before);
    const std::size_t end = std::min(crlf == std::string::npos ? crlf : crlf + 4,
                                     lf == std::string::npos ? lf : lf + 2);
    if (end == std::string::npos) continue;
    text.resize(end);
    break;
  }
  return text;
}

Mail<std::string> Octets::whole(std::uint64_t limit) const {
  if (size_ <= limit) return read(0, static_cast<std::size_t>(size_));
  return fail(
      MailError(Kind::bad_data, fmt::format("the message is larger than {} MiB", limit >> 20)));
}

Mail<void> OctetsWriter::flush() {
  if (!file_) {
    auto file = unnamed_file();
    if (!file) return fail(file.error());
    file_ = std::move(*file);
  }
  if (!write_all(file_.get(), memory_)) return fail(trouble("write to", temporary_directory()));
  memory_.clear();
  return {};
}

Mail<void> OctetsWriter::append(std::string_view text) {
  memory_ += text;
  size_ += text.size();
  if (memory_.size() <= memory_limit) return {};
  return flush();
}

Mail<Octets> OctetsWriter::finish() {
  if (!file_) return Octets(std::move(memory_));
  if (auto done = flush(); !done) return fail(done.error());
  return Octets(std::make_shared<const Fd>(std::move(file_)), 0, size_);
}

Mail<Fd> file_of(const Octets& octets) {
  auto file = unnamed_file();
  if (!file) return file;
  bool fine = true;
  const auto done = octets.each([&](std::string_view text) {
    fine = write_all(file->get(), text);
    return fine;
  });
  if (!done) return fail(done.error());
  if (!fine || ::lseek(file->get(), 0, SEEK_SET) != 0)
    return fail(trouble("write to", temporary_directory()));
  return file;
}

}  // namespace posthorn::mua
