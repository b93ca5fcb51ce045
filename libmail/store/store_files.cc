#include "libmail/store/store_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "libmail/base/text.h"
#include "libmail/store/maildir.h"

namespace posthorn::store {

namespace {

constexpr const char* validity_name = "dovecot-uidvalidity";

}  // namespace

StoreResult<void> remove_tree(Directory& parent, const std::string& name, int depth) {
  const auto directory = parent.open_directory(name);
  if (!directory) return fail(StoreError(directory.error()));
  const auto names = (*directory)->list();
  if (!names) return fail(StoreError(names.error()));
  for (const std::string& entry : *names) {
    auto gone = (*directory)->unlink(entry);
    if (gone || gone.error().code == ENOENT) continue;
    const auto status = (*directory)->status(entry);
    if (!status || status->type != FileStatus::Type::directory || depth == 0)
      return fail(StoreError(gone.error()));
    if (auto done = remove_tree(**directory, entry, depth - 1); !done) return done;
  }
  if (auto done = parent.remove_directory(name); !done) return fail(StoreError(done.error()));
  return {};
}

std::uint32_t next_uid_validity(Files& files, Directory& root) {
  const auto now = static_cast<std::uint32_t>(
      std::chrono::floor<std::chrono::seconds>(files.now()).time_since_epoch().count());
  const std::string prefix = std::string(validity_name) + ".";
  for (int attempt = 0; attempt < 10; ++attempt) {
    const auto names = root.list();
    if (!names) break;
    std::uint32_t last = 0;
    std::string holder;
    for (const std::string& name : *names) {
      if (!name.starts_with(prefix)) continue;
      const auto value =
          parse_number<std::uint32_t>(std::string_view(name).substr(prefix.size()), 16);
      if (!value || (*value <= last && !holder.empty())) continue;
      last = *value;
      holder = name;
    }
    const std::uint32_t next = std::max(now, last + 1);
    const std::string hex_text = fmt::format("{:08x}", next);
    if (holder.empty()) {
      static_cast<void>(root.open_file(prefix + hex_text, OpenMode::create_new, file_mode));
    } else if (!root.rename(holder, root, prefix + hex_text)) {
      continue;  // Dovecot was quicker
    }
    const auto file = root.open_file(validity_name, OpenMode::truncate, file_mode);
    if (file) static_cast<void>((*file)->write(hex_text));
    return next;
  }
  return now;
}

Notes parse_notes(std::string_view text) {
  Notes notes;
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string_view::npos || tab == 0 || !is_utf8(line)) continue;
    notes[std::string(line.substr(tab + 1))] = line.substr(0, tab);
  }
  return notes;
}

std::string format_notes(const Notes& notes) {
  std::string out;
  for (const auto& [name, uses] : notes) {
    if (!uses.empty()) out.append(uses).append("\t").append(name).append("\n");
  }
  return out;
}

}  // namespace posthorn::store
