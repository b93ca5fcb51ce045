// The header of a draft, checked and written: the first half of builder.cc.
#pragma once

#include <string>

#include "libmail/base/result.h"
#include "libmail/message/builder.h"

namespace posthorn::message {

// All fields but those of MIME, each with its line end, no empty line.
[[nodiscard]] Result<std::string, BuildError> write_fields(const Draft& draft,
                                                           const BuildOptions& options);

// One field from a body that is checked here.
[[nodiscard]] Result<std::string, BuildError> write_field(std::string_view name,
                                                          std::string_view body);

}  // namespace posthorn::message
