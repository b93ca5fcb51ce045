// What the store costs, in microseconds of CPU a message.
#pragma once

#include <string>

namespace posthorn::store::test {

// In `directory`, which must not exist, with `count` messages. Prints a table.
int bench(const std::string& directory, std::size_t count);

}  // namespace posthorn::store::test
