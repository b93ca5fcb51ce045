// A scenario is a text: a fake Internet, then steps. README.md has the language.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace posthorn::dns::test {

// Runs it; what went otherwise than the text says, each with its line. Empty: all as expected.
[[nodiscard]] std::vector<std::string> run_scenario(std::string_view text);

}  // namespace posthorn::dns::test
