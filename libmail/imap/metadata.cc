#include "libmail/imap/metadata.h"

#include "libmail/imap/writer.h"

namespace posthorn::imap {

bool is_within(std::string_view entry, std::string_view asked, GetMetadata::Depth depth) {
  if (entry == asked) return true;
  if (depth == GetMetadata::Depth::zero || !entry.starts_with(asked)) return false;
  const std::string_view below = entry.substr(asked.size());
  if (below.front() != '/') return false;
  return depth == GetMetadata::Depth::infinity || below.find('/', 1) == std::string_view::npos;
}

std::string metadata_text(std::string_view mailbox, const std::vector<MetadataValue>& values,
                          bool utf8) {
  Writer writer(Writer::Literals::server, utf8);
  writer.raw("METADATA ").raw(mailbox).raw(" (");
  bool first = true;
  for (const auto& [entry, value] : values) {
    if (!std::exchange(first, false)) writer.sp();
    writer.astring(entry).sp().nstring(value);
  }
  writer.raw(")");
  return writer.take();
}

std::string metadata_names_text(std::string_view mailbox, const std::vector<std::string>& entries) {
  Writer writer(Writer::Literals::server);
  writer.raw("METADATA ").raw(mailbox);
  for (const std::string& entry : entries) writer.sp().astring(entry);
  return writer.take();
}

}  // namespace posthorn::imap
