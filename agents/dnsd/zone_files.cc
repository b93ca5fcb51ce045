#include "agents/dnsd/zone_files.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "libdns/server/zone_file.h"
#include "libdns/zone/check.h"
#include "libmail/base/text.h"

namespace posthorn::dnsd {

namespace fs = std::filesystem;

namespace {

Result<ZoneFile, std::string> zone_file(std::string_view name, std::string path) {
  auto origin = dns::Name::parse(name);
  if (!origin) return fail(path + ": " + printable(name) + " is no domain name");
  return ZoneFile(std::move(*origin), std::move(path));
}

}  // namespace

Result<std::vector<ZoneFile>, std::string> find_zone_files(const std::string& directory,
                                                           const std::vector<std::string>& named) {
  std::vector<ZoneFile> files;
  const auto add = [&files](std::string_view name, std::string path) -> Result<void, std::string> {
    auto file = zone_file(name, std::move(path));
    if (!file) return fail(file.error());
    for (const ZoneFile& other : files) {
      if (other.origin == file->origin)
        return fail(other.path + " and " + file->path + " are both " + file->origin.text());
    }
    files.push_back(std::move(*file));
    return {};
  };
  std::error_code error;
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(directory, error)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const fs::path& path : paths) {
    const std::string name = path.filename().string();
    if (!name.ends_with(zone_suffix) || name.starts_with('.')) continue;
    const auto origin = std::string_view(name).substr(0, name.size() - zone_suffix.size());
    if (auto added = add(origin, path.string()); !added) return fail(added.error());
  }
  for (const std::string& text : named) {
    const auto equals = text.find('=');
    if (auto added = add(text.substr(0, equals), text.substr(equals + 1)); !added)
      return fail(added.error());
  }
  return files;
}

dns::MasterFile load_zone_file(const ZoneFile& file) {
  dns::MasterFile loaded;
  auto read = dns::read_zone_file(file.path, file.origin);
  if (!read) {
    loaded.problems.emplace_back(dns::Problem::Severity::error, file.path, read.error().text(),
                                 "the zone is served as it was");
    return loaded;
  }
  loaded = std::move(*read);
  if (!loaded.zone) return loaded;
  auto found = dns::check_zone(*loaded.zone);
  std::ranges::move(found, std::back_inserter(loaded.problems));
  if (dns::is_unfit(loaded.problems)) loaded.zone.reset();
  return loaded;
}

}  // namespace posthorn::dnsd
