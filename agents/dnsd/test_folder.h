// For the tests of this folder: a temporary folder with zone files, and zones made of text.
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "libdns/zone/test_zone.h"

namespace posthorn::dnsd {

class TestFolder {
 public:
  TestFolder() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }
  void write(const std::string& name, std::string_view text) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    std::ofstream(path(name), std::ios::binary) << text;
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream in(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  [[nodiscard]] bool has(const std::string& name) const {
    return std::filesystem::exists(path(name));
  }

 private:
  std::string path_ = "/tmp/posthorn-dnsd-test.XXXXXX";
};

// example.test with this serial and these records besides SOA and NS.
inline std::string zone_text(int serial, std::string_view records = "") {
  return "$TTL 300\n@ SOA ns admin " + std::to_string(serial) +
         " 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\n" + std::string(records);
}

}  // namespace posthorn::dnsd
