// A folder of a test's own, which goes with it.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "libmail/base/result.h"

namespace posthorn {

class TestFolder {
 public:
  TestFolder() { check(::mkdtemp(path_.data()) != nullptr, "a temporary folder can be made"); }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  // `name` may have folders in it.
  [[nodiscard]] std::string path(std::string_view name) const {
    return path_ + "/" + std::string(name);
  }
  // Makes the folders of `name`, too.
  void write(std::string_view name, std::string_view text) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    std::ofstream(path(name), std::ios::binary) << text;
  }
  // As an editor does it: all of it at once, by renaming.
  void replace(std::string_view name, std::string_view text) const {
    write(std::string(name) + ".new", text);
    std::filesystem::rename(path(std::string(name) + ".new"), path(name));
  }
  // "" if there is none.
  [[nodiscard]] std::string read(std::string_view name) const {
    std::ifstream in(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  [[nodiscard]] bool has(std::string_view name) const {
    return std::filesystem::exists(path(name));
  }

 private:
  std::string path_ = (std::filesystem::temp_directory_path() / "posthorn-test-XXXXXX").string();
};

}  // namespace posthorn
