#include "agents/dnsd/journal_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "agents/dnsd/zone_files.h"
#include "libmail/base/read_file.h"
#include "libmail/service/site.h"

namespace posthorn::dnsd {

namespace {

Result<void, IoError> sync_directory(const std::string& path) {
  const std::string directory = service::directory_of(path);
  const Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return fail(io_error("sync", directory));
  return {};
}

}  // namespace

std::string beside(const std::string& zone_path, std::string_view suffix) {
  std::string path = zone_path;
  if (path.ends_with(zone_suffix)) path.resize(path.size() - zone_suffix.size());
  return path.append(suffix);
}

std::string journal_path(const std::string& zone_path) {
  return beside(zone_path, ".journal");
}

Result<ReadJournal, std::string> read_journal(const std::string& path) {
  ReadJournal read;
  const auto octets = read_file(path, SIZE_MAX);
  if (!octets && octets.error().code == ENOENT) return read;
  if (!octets) return fail(octets.error().text());
  dns::JournalReader reader(*octets);
  while (auto entry = reader.next()) read.entries.push_back(std::move(*entry));
  read.whole_octets = reader.offset();
  read.is_torn = reader.end() == dns::JournalEnd::torn;
  if (reader.end() == dns::JournalEnd::corrupt) {
    return fail(
        fmt::format("{}: the entry at octet {} is damaged, and updates behind it are lost; "
                    "put a copy of the file back, or remove it to go on with the zone file",
                    path, reader.offset()));
  }
  return read;
}

Result<void, IoError> append_journal(const std::string& path, std::size_t at,
                                     const std::string& octets) {
  const bool is_new = ::access(path.c_str(), F_OK) != 0;
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!fd) return fail(io_error("open", path));
  if (::ftruncate(fd.get(), static_cast<off_t>(at)) != 0 || ::lseek(fd.get(), 0, SEEK_END) < 0 ||
      !write_all(fd.get(), octets) || ::fdatasync(fd.get()) != 0) {
    const IoError error = io_error("write", path);
    (void)!::ftruncate(fd.get(), static_cast<off_t>(at));
    return fail(error);
  }
  return is_new ? sync_directory(path) : Result<void, IoError>();
}

Result<void, IoError> replace_file(const std::string& path, const std::string& text) {
  const std::string fresh =
      service::directory_of(path) + "/." + path.substr(path.rfind('/') + 1) + ".new";
  {
    const Fd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
    if (!fd) return fail(io_error("open", fresh));
    if (!write_all(fd.get(), text) || ::fsync(fd.get()) != 0) return fail(io_error("write", fresh));
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) return fail(io_error("rename", fresh));
  return sync_directory(path);
}

Result<void, IoError> replace_zone_file(const std::string& path, const std::string& text) {
  if (auto replaced = replace_file(path, text); !replaced) return replaced;
  if (::unlink(journal_path(path).c_str()) != 0 && errno != ENOENT)
    return fail(io_error("remove", journal_path(path)));
  return {};
}

Result<std::vector<dns::ZoneVersion>, std::string> replay(
    std::shared_ptr<const dns::Zone> zone, const std::vector<dns::ZoneDifference>& entries,
    const std::string& path) {
  std::vector<dns::ZoneVersion> versions;
  const bool has_all = !entries.empty() && entries.back().to() == zone->serial();
  std::size_t at = has_all ? entries.size() : 0;
  while (at < entries.size() && entries[at].from() != zone->serial()) ++at;
  if (!has_all && !entries.empty() && at == entries.size()) {
    return fail(fmt::format(
        "the zone file has serial {}, but {} leads from {} to {}: the file of a zone that takes "
        "updates is edited while dnsd is stopped; to drop the {} updates, remove the journal",
        zone->serial(), path, entries.front().from(), entries.back().to(), entries.size()));
  }
  for (; at < entries.size(); ++at) {
    dns::ZoneEditor editor(zone);
    const auto applied = editor.apply(entries[at]);
    auto version = applied ? editor.commit() : fail(applied.error());
    if (!version) {
      return fail(fmt::format("{}: the update to serial {} does not fit the zone: {}", path,
                              entries[at].to(), dns::to_string(version.error())));
    }
    zone = version->zone;
    versions.push_back(std::move(*version));
  }
  return versions;
}

}  // namespace posthorn::dnsd
