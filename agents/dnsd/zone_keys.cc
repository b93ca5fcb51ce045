#include "agents/dnsd/zone_keys.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "libdns/wire/presentation.h"
#include "libmail/base/fd.h"
#include "libmail/base/read_file.h"

namespace posthorn::dnsd {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view private_suffix = ".private";

std::string file_prefix(const dns::Name& zone) {
  const std::string name = zone.folded().text();
  return "K" + name + (zone.is_root() ? "+" : ".+");
}

// The flags of the DNSKEY record in a .key file, whose comments begin with ';'.
Result<std::uint16_t, std::string> read_flags(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return fail(text.error().text());
  const auto records = dns::parse_records(*text);
  if (!records) return fail(path + ": " + records.error().text());
  for (const dns::PlacedRecord& placed : *records) {
    if (const auto* key = placed.record.as<dns::Dnskey>()) return key->flags;
  }
  return fail(path + ": there is no DNSKEY record in it");
}

Result<dns::SigningKey, std::string> read_key(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return fail(text.error().text());
  const std::string stem = path.substr(0, path.size() - private_suffix.size());
  const auto flags = read_flags(stem + ".key");
  if (!flags) return fail(flags.error());
  auto key = dns::SigningKey::parse(*text, *flags);
  if (!key) return fail(path + ": " + key.error());
  return std::move(*key);
}

Result<void, std::string> write_new(const std::string& path, std::string_view text, mode_t mode) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd || !write_all(fd.get(), text) || ::fsync(fd.get()) != 0)
    return fail(io_error("write", path).text());
  return {};
}

Result<dns::SigningKey, std::string> make_key(const std::string& directory, const dns::Name& zone) {
  auto key = dns::SigningKey::generate();
  if (!key) return fail(key.error());
  const std::string stem =
      fmt::format("{}/{}{:03}+{:05}", directory, file_prefix(zone), key->algorithm(), key->tag());
  const dns::Record record(zone, 3600, key->dnskey());
  // The public half first: a private one without it is of no use to anybody.
  auto written = write_new(stem + ".key", record.text() + "\n", 0644);
  if (written) written = write_new(stem + ".private", key->text().view(), 0600);
  if (!written) return fail(written.error());
  return std::move(*key);
}

}  // namespace

Result<dns::ZoneSigningKeys, std::string> find_or_make_keys(const std::string& directory,
                                                            const dns::Name& zone) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(io_error("make the directory", directory).text());
  const std::string prefix = file_prefix(zone);
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix) && name.ends_with(private_suffix))
      paths.push_back(entry.path().string());
  }
  if (error) return fail(directory + ": " + error.message());
  std::sort(paths.begin(), paths.end());
  dns::ZoneSigningKeys keys;
  for (const std::string& path : paths) {
    auto key = read_key(path);
    if (!key) return fail(key.error());
    keys.active.push_back(std::move(*key));
  }
  if (keys.active.empty()) {
    auto key = make_key(directory, zone);
    if (!key) return fail(key.error());
    keys.active.push_back(std::move(*key));
  }
  return keys;
}

}  // namespace posthorn::dnsd
