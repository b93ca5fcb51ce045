// nslook as a program.
#pragma once

#include <string>
#include <vector>

namespace posthorn::nslook {

// `arguments` without the program's name. Gives the exit code.
int run(const std::vector<std::string>& arguments);

}  // namespace posthorn::nslook
