#include "libdns/server/zone_file.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "libmail/base/read_file.h"

namespace posthorn::dns {

namespace fs = std::filesystem;

namespace {

bool lies_in(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first ==
         folder.end();
}

}  // namespace

Result<MasterFile, IoError> read_zone_file(const std::string& path, const Name& origin) {
  const auto text = read_file(path);
  if (!text) return fail(text.error());
  std::error_code error;
  const fs::path folder = fs::canonical(fs::absolute(path).parent_path(), error);
  MasterFileOptions options;
  options.file = path;
  options.open = [&folder](std::string_view wanted,
                           std::string_view from) -> Result<std::string, std::string> {
    std::error_code trouble;
    const fs::path at = fs::absolute(fs::path(from)).parent_path() / fs::path(wanted);
    const fs::path found = fs::weakly_canonical(at, trouble);
    if (trouble || !lies_in(found, folder)) return fail("leads out of " + folder.string());
    auto included = read_file(found.string());
    if (!included) return fail(included.error().text());
    return std::move(*included);
  };
  return parse_master_file(*text, origin, options);
}

}  // namespace posthorn::dns
