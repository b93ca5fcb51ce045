// Zone files on disk: which there are, and what is in them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libdns/zone/master_file.h"
#include "libmail/base/result.h"

namespace posthorn::dnsd {

// Every DIRECTORY/NAME.zone is the zone NAME.
inline constexpr std::string_view zone_suffix = ".zone";

struct ZoneFile {
  dns::Name origin;
  std::string path;
  ZoneFile() = default;
  ZoneFile(dns::Name name, std::string at) : origin(std::move(name)), path(std::move(at)) {}
};

// The files of a directory and those named besides ("NAME=FILE"), by path. A directory that isn't
// there has none. The error says which name is none, or which zone has two files.
[[nodiscard]] Result<std::vector<ZoneFile>, std::string> find_zone_files(
    const std::string& directory, const std::vector<std::string>& named);

// Reads, parses and checks it; sleeps as long as the disk takes. There is a zone if the text can be
// read and is not unfit; other errors are told.
[[nodiscard]] dns::MasterFile load_zone_file(const ZoneFile& file);

}  // namespace posthorn::dnsd
