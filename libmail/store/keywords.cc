#include "libmail/store/keywords.h"

#include <algorithm>
#include <bit>

#include "libmail/base/text.h"
#include "libmail/store/dotlock.h"
#include "libmail/store/maildir.h"

namespace posthorn::store {

namespace {

constexpr const char* letters_name = "dovecot-keywords";
constexpr const char* extra_name = "posthorn-keywords";

std::size_t index_of(const std::vector<std::string>& names, std::string_view name) {
  const auto found = std::find_if(names.begin(), names.end(),
                                  [&](const std::string& known) { return iequals(known, name); });
  return static_cast<std::size_t>(found - names.begin());
}

template <class Take>
void for_each_line(std::string_view text, Take take) {
  // A last line without its end is one that a crash cut short.
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    take(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
}

}  // namespace

bool is_keyword(std::string_view name) {
  if (name.empty() || name.size() > keyword_length) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return is_graph(c) && std::string_view("(){%*\"\\]").find(c) == std::string_view::npos;
  });
}

std::vector<std::string> parse_dovecot_keywords(std::string_view text) {
  std::vector<std::string> names;
  for_each_line(text, [&names](std::string_view line) {
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) return;
    const auto letter = parse_number<std::size_t>(line.substr(0, space));
    const std::string_view name = line.substr(space + 1);
    if (!letter || *letter >= letter_keywords || !is_keyword(name)) return;
    if (index_of(names, name) < names.size()) return;
    if (names.size() <= *letter) names.resize(*letter + 1);
    if (names[*letter].empty()) names[*letter] = name;
  });
  return names;
}

std::string format_dovecot_keywords(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < letter_keywords; ++i) {
    if (!names[i].empty()) text += std::to_string(i) + " " + names[i] + "\n";
  }
  return text;
}

ExtraKeywords ExtraKeywords::parse(std::string_view text) {
  ExtraKeywords extra;
  bool first = true;
  for_each_line(text, [&](std::string_view line) {
    const std::vector<std::string_view> parts = words(line);
    if (std::exchange(first, false)) {
      if (parts.size() < 2 || parts[0] != "1" || !parts[1].starts_with('V')) return;
      extra.uid_validity = parse_number<std::uint32_t>(parts[1].substr(1)).value_or(0);
      for (std::size_t i = 2; i < parts.size(); ++i) {
        if (extra.names.size() + letter_keywords >= keyword_limit || !is_keyword(parts[i])) break;
        extra.names.emplace_back(parts[i]);
      }
      return;
    }
    if (extra.uid_validity == 0 || parts.empty()) return;
    const auto uid = parse_number<std::uint32_t>(parts[0]);
    if (!uid || *uid == 0) return;
    std::uint64_t bits = 0;
    for (std::size_t i = 1; i < parts.size(); ++i) {
      const std::size_t at = index_of(extra.names, parts[i]);
      if (at < extra.names.size()) bits |= 1ULL << (letter_keywords + at);
    }
    if (bits != 0)
      extra.messages[*uid] = bits;
    else
      extra.messages.erase(*uid);
  });
  return extra;
}

std::string ExtraKeywords::line(std::uint32_t uid, std::uint64_t bits) const {
  std::string out = std::to_string(uid);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if ((bits >> (letter_keywords + i) & 1) != 0) out.append(" ").append(names[i]);
  }
  return out + "\n";
}

std::string ExtraKeywords::text() const {
  std::string out = "1 V" + std::to_string(uid_validity);
  for (const std::string& name : names) out.append(" ").append(name);
  out += "\n";
  for (const auto& [uid, bits] : messages) out += line(uid, bits);
  return out;
}

FileStamp stamp_of(const FileStatus& status) {
  FileStamp stamp;
  stamp.inode = status.inode;
  stamp.size = status.type == FileStatus::Type::file ? status.size : 0;
  stamp.modified = status.modified.time_since_epoch().count();
  stamp.changed = status.changed.time_since_epoch().count();
  return stamp;
}

StoreResult<SmallFile> read_small_file(Directory& directory, const std::string& name,
                                       std::uint64_t limit) {
  const auto file = directory.open_file(name, OpenMode::read, 0);
  if (!file) return fail(StoreError(file.error()));
  const auto status = (*file)->status();
  if (!status) return fail(StoreError(status.error()));
  if (status->type != FileStatus::Type::file || status->size > limit) {
    return fail(StoreError(StoreError::Kind::refused, name + " is no plain file of at most " +
                                                          std::to_string(limit >> 20) + " MiB"));
  }
  auto text = (*file)->read(0, status->size);
  if (!text) return fail(StoreError(text.error()));
  SmallFile small;
  small.text = std::move(*text);
  small.stamp = stamp_of(*status);
  small.mode = status->mode & 0666;
  return small;
}

StoreResult<FileStamp> replace_file(Directory& directory, const std::string& name,
                                    std::string_view text, mode_t mode) {
  const std::string temporary = name + ".tmp";
  const auto file = directory.open_file(temporary, OpenMode::truncate, mode);
  if (!file) return fail(StoreError(file.error()));
  auto done = (*file)->write(text);
  if (done) done = (*file)->sync();
  if (done) done = directory.rename(temporary, directory, name);
  if (done) done = directory.sync();
  if (!done) {
    static_cast<void>(directory.unlink(temporary));
    return fail(StoreError(done.error()));
  }
  const auto status = (*file)->status();
  if (!status) return fail(StoreError(status.error()));
  return stamp_of(*status);
}

StoreResult<bool> KeywordFiles::load(std::uint32_t uid_validity) {
  const auto changed = [this](const char* name, FileStamp& stamp) -> StoreResult<bool> {
    const auto status = root_.status(name);
    const FileStamp now = status ? stamp_of(*status) : FileStamp();
    if (!status && StoreError(status.error()).kind != StoreError::Kind::not_found)
      return fail(StoreError(status.error()));
    return now != std::exchange(stamp, now);
  };
  const auto letters = changed(letters_name, letters_stamp_);
  if (!letters) return fail(letters.error());
  const auto extra = changed(extra_name, extra_stamp_);
  if (!extra) return fail(extra.error());
  const bool other = extra_.uid_validity != uid_validity;
  if (!*letters && !*extra && !other) return false;

  std::vector<std::string> names;
  if (letters_stamp_ != FileStamp()) {
    const auto file = read_small_file(root_, letters_name);
    if (!file) return fail(file.error());
    names = parse_dovecot_keywords(file->text);
  }
  extra_ = ExtraKeywords();
  extra_lines_ = 0;
  if (extra_stamp_ != FileStamp()) {
    const auto file = read_small_file(root_, extra_name);
    if (!file) return fail(file.error());
    extra_ = ExtraKeywords::parse(file->text);
    extra_lines_ = static_cast<std::size_t>(std::count(file->text.begin(), file->text.end(), '\n'));
  }
  if (extra_.uid_validity != uid_validity) extra_.messages.clear();  // of another life
  extra_.uid_validity = uid_validity;
  if (!extra_.names.empty()) {
    names.resize(letter_keywords);
    names.insert(names.end(), extra_.names.begin(), extra_.names.end());
  }
  return std::exchange(names_, names) != names;
}

StoreResult<KeywordFiles::Bits> KeywordFiles::bits_of(const std::vector<std::string>& names,
                                                      bool add) {
  Bits result;
  std::vector<std::string> letters;
  std::vector<std::string> extra;
  std::vector<std::string> known = names_;
  for (const std::string& name : names) {
    std::size_t at = index_of(known, name);
    if (at < known.size()) {
      result.bits |= 1ULL << at;
      continue;
    }
    if (!add) continue;
    at = index_of(known, "");
    if (!is_keyword(name) || (at >= known.size() && known.size() >= keyword_limit)) {
      result.refused = true;
      continue;
    }
    if (at >= known.size()) known.emplace_back();
    known[at] = name;
    result.bits |= 1ULL << at;
    (at < letter_keywords ? letters : extra).push_back(name);
  }
  if (letters.empty() && extra.empty()) return result;
  if (!letters.empty()) {
    if (auto done = add_letters(letters); !done) return fail(done.error());
    // Dovecot may have taken letters meanwhile: look again.
    if (auto done = load(extra_.uid_validity); !done) return fail(done.error());
    if (std::any_of(letters.begin(), letters.end(), [this](const std::string& name) {
          return index_of(names_, name) >= names_.size();
        })) {
      return bits_of(names, add);
    }
  }
  if (!extra.empty()) {
    extra_.names.insert(extra_.names.end(), extra.begin(), extra.end());
    if (auto done = write_extra(); !done) return fail(done.error());
    names_.resize(letter_keywords);
    names_.insert(names_.end(), extra_.names.begin(), extra_.names.end());
  }
  auto now = bits_of(names, false);
  if (now) now->refused = result.refused;
  return now;
}

// Under the file's own lock, too, as Dovecot does it.
StoreResult<void> KeywordFiles::add_letters(const std::vector<std::string>& fresh) {
  auto lock = DotLock::try_acquire(files_, root_, letters_name);
  if (!lock) return fail(lock.error());
  std::vector<std::string> names;
  mode_t mode = file_mode;
  const auto file = read_small_file(root_, letters_name);
  if (!file && file.error().kind != StoreError::Kind::not_found) return fail(file.error());
  if (file) {
    names = parse_dovecot_keywords(file->text);
    mode = file->mode;
  }
  for (const std::string& name : fresh) {
    if (index_of(names, name) < names.size()) continue;
    const std::size_t at = index_of(names, "");
    if (at >= letter_keywords) continue;
    if (at >= names.size()) names.emplace_back();
    names[at] = name;
  }
  const auto written = replace_file(root_, letters_name, format_dovecot_keywords(names), mode);
  if (!written) return fail(written.error());
  return {};
}

StoreResult<void> KeywordFiles::write_extra() {
  const auto written = replace_file(root_, extra_name, extra_.text(), file_mode);
  if (!written) return fail(written.error());
  extra_stamp_ = *written;
  extra_lines_ = extra_.messages.size() + 1;
  return {};
}

StoreResult<void> KeywordFiles::note_extra(
    const std::vector<std::pair<std::uint32_t, std::uint64_t>>& messages) {
  std::string text;
  constexpr std::uint64_t letters = (1ULL << letter_keywords) - 1;
  for (const auto& [uid, bits] : messages) {
    const std::uint64_t extra = bits & ~letters;
    const auto known = extra_.messages.find(uid);
    if (known == extra_.messages.end() ? extra == 0 : known->second == extra) continue;
    if (extra == 0)
      extra_.messages.erase(uid);
    else
      extra_.messages[uid] = extra;
    text += extra_.line(uid, extra);
    ++extra_lines_;
  }
  if (text.empty()) return {};
  if (extra_stamp_ == FileStamp() || extra_lines_ > 2 * extra_.messages.size() + 64)
    return write_extra();
  const auto file = root_.open_file(extra_name, OpenMode::append, 0);
  if (!file) return fail(StoreError(file.error()));
  if (auto done = (*file)->write(text); !done) return fail(StoreError(done.error()));
  const auto status = (*file)->status();
  if (status) extra_stamp_ = stamp_of(*status);
  return {};
}

}  // namespace posthorn::store
