#include "agents/posthorn/dns_zone_file.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "libmail/base/text.h"

namespace posthorn::operate {

namespace {

namespace fs = std::filesystem;

Result<std::string, std::string> read_text(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return fail(path.string() + " is a directory");
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(io_error("open", path.string()).text());
  std::ostringstream text;
  text << in.rdbuf();
  if (in.bad()) return fail(io_error("read", path.string()).text());
  return text.str();
}

// Where an included file lies, if that is in `folder` or below, symbolic links followed.
Result<fs::path, std::string> included(const fs::path& folder, std::string_view path) {
  std::error_code error;
  const fs::path whole = fs::weakly_canonical(folder / fs::path(path), error);
  if (error) return fail(error.message());
  const fs::path inside = whole.lexically_relative(folder);
  if (inside.empty() || *inside.begin() == "..") {
    return fail("it lies outside of " + folder.string());
  }
  return whole;
}

}  // namespace

std::optional<dns::Name> origin_of_file(const std::string& path) {
  std::string stem = fs::path(path).filename().string();
  for (const std::string_view prefix : {"db.", "zone."}) {
    if (stem.starts_with(prefix)) stem.erase(0, prefix.size());
  }
  for (const std::string_view suffix : {".zone", ".db", ".txt", ".signed"}) {
    if (stem.ends_with(suffix)) stem.erase(stem.size() - suffix.size());
  }
  const auto name = dns::Name::parse(stem);
  if (!name || name->label_count() < 2) return std::nullopt;
  return *name;
}

Result<dns::MasterFile, std::string> read_zone_file(const std::string& path,
                                                    const dns::Name& origin) {
  auto text = read_text(path);
  if (!text) return fail(text.error());
  std::error_code error;
  const fs::path folder = fs::canonical(path, error).parent_path();
  dns::MasterFileOptions options;
  options.file = path;
  options.open = [folder](std::string_view wanted,
                          std::string_view) -> Result<std::string, std::string> {
    const auto whole = included(folder, wanted);
    if (!whole) return fail(whole.error());
    return read_text(*whole);
  };
  return dns::parse_master_file(*text, origin, options);
}

}  // namespace posthorn::operate
