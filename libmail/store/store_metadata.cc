// Annotations: `posthorn-metadata` in a mailbox's directory, `posthorn-metadata-server` in the account's root.
#include "libmail/store/dotlock.h"
#include "libmail/store/keywords.h"
#include "libmail/store/maildir.h"
#include "libmail/store/store.h"

namespace posthorn::store {

namespace {

constexpr const char* of_mailbox = "posthorn-metadata";
constexpr const char* of_account = "posthorn-metadata-server";
constexpr std::uint64_t longest_metadata = 4 * metadata_limits.all;

const char* file_of(const std::string& mailbox) {
  return mailbox.empty() ? of_account : of_mailbox;
}

StoreResult<std::string> read_text(Directory& directory, const char* name) {
  auto file = read_small_file(directory, name, longest_metadata);
  if (file) return std::move(file->text);
  if (file.error().kind == StoreError::Kind::not_found) return std::string();
  return fail(std::move(file.error()));
}

}  // namespace

StoreResult<Annotations> Store::metadata(const std::string& mailbox) {
  const auto directory = directory_of(mailbox);
  if (!directory) return fail(directory.error());
  const auto text = read_text(**directory, file_of(mailbox));
  if (!text) return fail(text.error());
  return Metadata::parse(*text).seen_by(settings_.user);
}

StoreResult<MetadataRefusal> Store::set_metadata(const std::string& mailbox,
                                                 const AnnotationChanges& changes) {
  const auto directory = directory_of(mailbox);
  if (!directory) return fail(directory.error());
  const char* name = file_of(mailbox);
  auto lock = DotLock::try_acquire(host_.files(), **directory, name);
  if (!lock) return fail(std::move(lock.error()));
  const auto text = read_text(**directory, name);
  if (!text) return fail(text.error());
  Metadata metadata = Metadata::parse(*text);
  const MetadataRefusal refusal = metadata.change(settings_.user, changes);
  if (refusal != MetadataRefusal::none) return refusal;
  const std::string next = metadata.text();
  if (next == *text) return refusal;
  const auto written = replace_file(**directory, name, next, file_mode);
  if (!written) return fail(written.error());
  return refusal;
}

}  // namespace posthorn::store
