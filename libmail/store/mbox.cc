#include "libmail/store/mbox.h"

#include "libmail/store/maildir.h"
#include "libmail/store/mbox_format.h"

namespace posthorn::store {

namespace {

constexpr std::size_t chunk = 64 * 1024;
// What liblockfile and Postfix allow a lock to stand untouched.
constexpr DotLockRules mbox_lock_rules{.stale_after = std::chrono::seconds(500),
                                       .touch_every = std::chrono::seconds(10)};

// What must stand between the file's last octet and a From line.
StoreResult<std::string_view> separator(File& file, std::uint64_t size) {
  if (size == 0) return std::string_view();
  const std::uint64_t at = size < 2 ? 0 : size - 2;
  const auto tail = file.read(at, 2);
  if (!tail) return fail(StoreError(tail.error()));
  if (*tail == "\n\n" || *tail == "\n") return std::string_view();
  return std::string_view(tail->ends_with('\n') ? "\n" : "\n\n");
}

// Writes at the end of the file, wherever that is.
class Writer {
 public:
  Writer(File& file, std::uint64_t at) : file_(file), at_(at) {}
  IoResult<void> write(std::string_view octets) {
    auto done = file_.write_at(at_, octets);
    at_ += octets.size();
    return done;
  }

 private:
  File& file_;
  std::uint64_t at_;
};

IoResult<void> write_message(Writer& writer, std::string_view from_line,
                             const MboxLetter& message) {
  const Content& body = *message.body;
  std::string out(from_line);
  MboxQuoter quoter;
  quoter.append(message.head, out);
  quoter.append(body.in_memory(), out);
  for (std::uint64_t at = 0; body.in_file() != nullptr && at < body.size();) {
    const auto part = body.in_file()->read(at, chunk);
    if (!part) return fail(part.error());
    if (part->empty()) break;
    at += part->size();
    quoter.append(*part, out);
    if (auto written = writer.write(out); !written) return written;
    out.clear();
  }
  quoter.finish(out);
  return writer.write(out);
}

}  // namespace

StoreResult<std::unique_ptr<LockedMbox>> LockedMbox::open(Files& files,
                                                          const MailLocation& location) {
  MailLocation parent = location;
  std::string name;
  if (!parent.components.empty()) {
    name = parent.components.back();
    parent.components.pop_back();
  } else {
    const std::size_t slash = parent.base.rfind('/');
    name = parent.base.substr(slash + 1);
    parent.base.resize(std::max<std::size_t>(slash, 1));
  }
  auto directory = open_location(files, parent);
  if (!directory) return fail(std::move(directory.error()));

  auto mbox = std::make_unique<LockedMbox>();
  mbox->directory_ = std::move(*directory);
  auto file = mbox->directory_->open_file(name, OpenMode::update, file_mode);
  if (!file) return fail(StoreError(file.error()));
  mbox->file_ = std::move(*file);
  const auto locked = mbox->file_->try_lock();
  if (!locked) return fail(StoreError(locked.error()));
  if (!*locked) return fail(StoreError(StoreError::Kind::locked, location.path() + " is locked"));
  auto lock = DotLock::try_acquire(files, *mbox->directory_, name, mbox_lock_rules);
  if (!lock) return fail(std::move(lock.error()));
  mbox->lock_ = std::make_unique<DotLock>(std::move(*lock));

  const auto status = mbox->file_->status();
  if (!status) return fail(StoreError(status.error()));
  if (status->type != FileStatus::Type::file || status->links > 1) {
    return fail(StoreError(StoreError::Kind::refused,
                           location.path() + " is no plain file with a single name"));
  }
  // Whoever held the lock before us may have put another file in its place.
  const auto named = mbox->directory_->status(name);
  if (!named || !named->same_file(*status)) {
    return fail(StoreError(StoreError::Kind::locked, location.path() + " was replaced meanwhile"));
  }
  mbox->status_ = *status;
  return mbox;
}

StoreResult<std::uint64_t> append_to_mbox(Files& files, const MailLocation& location,
                                          std::string_view sender, std::string_view head,
                                          const Content& body) {
  MboxLetter message;
  message.head = head;
  message.body = &body;
  return append_to_mbox(files, location, sender, std::span(&message, 1));
}

StoreResult<std::uint64_t> append_to_mbox(Files& files, const MailLocation& location,
                                          std::string_view sender,
                                          std::span<const MboxLetter> messages) {
  auto opened = LockedMbox::open(files, location);
  if (!opened) return fail(std::move(opened.error()));
  LockedMbox& mbox = **opened;
  const auto gap = separator(mbox.file(), mbox.size());
  if (!gap) return fail(gap.error());

  Writer writer(mbox.file(), mbox.size());
  std::string from_line = std::string(*gap) + mbox_from_line(sender, files.now());
  IoResult<void> done;
  for (const MboxLetter& message : messages) {
    done = write_message(writer, from_line, message);
    if (!done) break;
    from_line = mbox_from_line(sender, files.now());
  }
  if (done) done = mbox.file().sync();
  if (!done) {
    // Half a message would be glued to the next one.
    static_cast<void>(mbox.file().truncate(mbox.size()));
    return fail(StoreError(done.error()));
  }
  return mbox.size() + gap->size();
}

}  // namespace posthorn::store
