#include "agents/posthorn/dns_zone_file.h"

#include <filesystem>

namespace posthorn::operate {

namespace fs = std::filesystem;

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

}  // namespace posthorn::operate
