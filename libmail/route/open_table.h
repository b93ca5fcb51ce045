// A table by its name in an option.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "libmail/async/endpoint.h"
#include "libmail/base/result.h"

namespace posthorn::route {

// "conf/aliases", "socketmap:unix:PATH:NAME", "socketmap:inet:HOST:PORT:NAME", "tcp:unix:PATH",
// "tcp:inet:HOST:PORT".
struct TableName {
  enum class Kind { none, file, socketmap, tcp };
  Kind kind = Kind::none;
  std::string path;          // file
  async::Endpoint endpoint;  // socketmap, tcp
  std::string map;           // socketmap

  TableName() = default;
};
[[nodiscard]] Result<TableName, std::string> parse_table_name(std::string_view text);

}  // namespace posthorn::route
