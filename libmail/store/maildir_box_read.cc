// Messages of a Maildir on their way out.
#include <algorithm>
#include <array>
#include <cerrno>

#include "libmail/base/crlf.h"
#include "libmail/base/text.h"
#include "libmail/store/file_message.h"
#include "libmail/store/maildir_box.h"

namespace posthorn::store {

namespace {

constexpr std::size_t chunk = 256 * 1024;

}  // namespace

// Where the file of a message is now. not_found: it is gone.
StoreResult<MaildirBox::Place> MaildirBox::find_place(std::uint32_t uid) {
  const StoreError none(StoreError::Kind::not_found,
                        dirs_.path + ": no message with UID " + std::to_string(uid));
  const auto row = snapshot()->find(uid);
  if (!row) return fail(none);
  const auto stored = name_of(uid);
  if (!stored) return fail(stored.error());
  if (stored->name.empty()) return fail(none);
  return place_of(*row, *stored);
}

const StoredName* MaildirBox::name_ahead(std::uint32_t uid) const {
  for (const auto* names : {&names_ahead_, &names_before_}) {
    const auto found =
        std::lower_bound(names->begin(), names->end(), uid,
                         [](const auto& one, std::uint32_t wanted) { return one.first < wanted; });
    if (found != names->end() && found->first == uid) return &found->second;
  }
  return nullptr;
}

// The name of one message. Who reads one message after the other finds the names of the next ones read already: one look into the
// index for many. Two threads may do so side by side.
StoreResult<StoredName> MaildirBox::name_of(std::uint32_t uid) {
  constexpr std::size_t ahead = 64;
  if (const StoredName* known = name_ahead(uid)) return *known;
  const auto now = snapshot();
  const std::size_t index = now->lower_bound(uid);
  const auto goes_on = [&](const auto& names) {
    const std::size_t last = names.empty() ? index : now->lower_bound(names.back().first);
    return last < index && index - last <= ahead;
  };
  const bool follows_before = goes_on(names_before_);
  const bool follows = follows_before || goes_on(names_ahead_);
  std::vector<std::uint32_t> uids = {uid};
  while (follows && uids.size() < ahead && index + uids.size() < now->size())
    uids.push_back(now->row(index + uids.size()).uid);
  auto names = names_of(uids);
  if (!names) return fail(std::move(names.error()));
  // Whoever reads elsewhere goes on there.
  if (follows_before || !follows) std::swap(names_before_, names_ahead_);
  names_ahead_.clear();
  names_ahead_.reserve(uids.size());
  for (std::size_t i = 0; i < uids.size(); ++i)
    names_ahead_.emplace_back(uids[i], std::move((*names)[i]));
  return names_ahead_.front().second;
}

void MaildirBox::forget_names_ahead() {
  names_ahead_ = {};
  names_before_ = {};
}

// Its name is resolved in a moment; the file is opened and read without anybody waiting.
StoreResult<MaildirBox::OpenFile> MaildirBox::open_file(std::uint32_t uid) {
  for (int attempt = 0;; ++attempt) {
    auto guard = begin_soon(std::chrono::microseconds(100));
    if (!guard) return fail(std::move(guard.error()));
    if (attempt > 0) {
      // Somebody renamed it.
      SyncRules rules;
      rules.full_scan = attempt > 1;
      if (auto done = sync_now(rules); !done) return fail(std::move(done.error()));
    }
    auto place = find_place(uid);
    if (!place) return fail(std::move(place.error()));
    guard->unlock();
    auto file = directory_of(place->fresh).open_file(place->name, OpenMode::read, 0);
    if (file) {
      const auto status = (*file)->status();
      if (!status || status->type != FileStatus::Type::file) {
        return fail(StoreError(StoreError::Kind::refused,
                               dirs_.path + ": " + printable(place->name) + " is no plain file"));
      }
      return OpenFile{std::move(*file), *status};
    }
    if (file.error().code != ENOENT || attempt == 3) return fail(StoreError(file.error()));
  }
}

StoreResult<std::unique_ptr<MessageSource>> MaildirBox::open(std::uint32_t uid) {
  auto opened = open_file(uid);
  if (!opened) return fail(std::move(opened.error()));
  return std::make_unique<FileMessage>(std::move(opened->file));
}

StoreResult<std::string> MaildirBox::text(std::uint32_t uid) {
  auto opened = open_file(uid);
  if (!opened) return fail(std::move(opened.error()));
  // In pieces that stay in the processor's cache.
  std::array<char, 32 * 1024> piece;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled next
  std::string text;
  text.reserve(opened->status.size + opened->status.size / 32 + piece.size() / 16);
  bool after_cr = false;
  for (std::uint64_t at = 0; at < opened->status.size;) {
    const auto wanted = std::min<std::uint64_t>(piece.size(), opened->status.size - at);
    const auto got = opened->file->read_into(at, std::span(piece).first(wanted));
    if (!got) return fail(StoreError(got.error()));
    if (*got == 0) break;
    at += *got;
    append_crlf(std::string_view(piece.data(), *got), after_cr, text);
  }
  return text;
}

StoreResult<void> MaildirBox::measure(std::span<const std::uint32_t> uids, Need need) {
  const auto before = snapshot();
  std::vector<MessageRow> measured;
  const std::uint16_t has = need == Need::date ? flag::has_date : flag::has_size;
  for (const std::uint32_t uid : uids) {
    auto row = before->find(uid);
    if (!row || (row->flags & has) != 0) continue;
    auto opened = open_file(uid);
    if (!opened && opened.error().kind == StoreError::Kind::not_found) continue;
    if (!opened) return fail(std::move(opened.error()));
    const FileStatus& status = opened->status;
    set_date(*row, status.modified);
    if (need == Need::size && (row->flags & flag::has_size) == 0) {
      row->size = 0;
      bool after_cr = false;
      for (std::uint64_t at = 0; at < status.size;) {
        const auto octets = opened->file->read(at, chunk);
        if (!octets) return fail(StoreError(octets.error()));
        if (octets->empty()) break;
        at += octets->size();
        row->size += octets->size() + count_bare_lf(*octets, after_cr);
      }
      row->flags |= flag::has_size;
    }
    measured.push_back(*row);
  }
  if (measured.empty()) return {};
  // To come again would be to read them again.
  auto guard = begin_soon(std::chrono::milliseconds(50));
  if (!guard) return fail(std::move(guard.error()));
  Work work(*snapshot());
  for (const MessageRow& found : measured) {
    auto now = work.editor.find(found.uid);
    if (!now) continue;
    now->date = found.date;
    now->size = found.size;
    now->flags |= found.flags & (flag::has_date | flag::has_size);
    work.editor.replace(*now);
    work.batch.rows.push_back(*now);
    work.changed = true;
  }
  return commit(work);
}

}  // namespace posthorn::store
