#include "libmail/session/drop_file.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace posthorn;
using posthorn::session::DropFile;

namespace {

struct Directory {
  std::string path = (std::filesystem::temp_directory_path() / "posthorn-drop-XXXXXX").string();
  Directory() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~Directory() { std::filesystem::remove_all(path); }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> list;
    for (const auto& entry : std::filesystem::directory_iterator(path))
      list.push_back(entry.path().filename());
    return list;
  }
};

smtp::Envelope envelope() {
  smtp::Envelope one;
  one.ret = smtp::Ret::headers;
  one.envid = "a b";
  one.recipients.emplace_back(smtp::Mailbox("bob", "there.example"));
  one.recipients[0].notify = smtp::Notify(smtp::Notify::never);
  one.recipients.emplace_back(smtp::Mailbox("two words", "there.example"));
  return one;
}

}  // namespace

TEST_CASE("DropFile: batch SMTP, dots doubled, visible only when it is whole") {
  const Directory directory;
  auto file = DropFile::create(directory.path);
  REQUIRE(file);
  REQUIRE(file->envelope(envelope()));
  REQUIRE(file->body("Subject: x\r\n\r\n."));
  REQUIRE(file->body("dot\r\nend"));
  REQUIRE(directory.names().size() == 1);
  CHECK(directory.names()[0].front() == '.');
  const auto name = file->commit();
  REQUIRE(name);
  CHECK(directory.names() == std::vector<std::string>{*name});
  std::ifstream in(directory.path + "/" + *name, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  CHECK(text ==
        "MAIL FROM:<> RET=HDRS ENVID=a+20b\r\nRCPT TO:<bob@there.example> NOTIFY=NEVER\r\n"
        "RCPT TO:<\"two words\"@there.example>\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\nend\r\n.\r\n");
}

TEST_CASE("DropFile: one that is not committed leaves nothing") {
  const Directory directory;
  {
    auto file = DropFile::create(directory.path);
    REQUIRE(file);
    REQUIRE(file->envelope(envelope()));
    REQUIRE(file->body(std::string(200000, 'x')));
  }
  CHECK(directory.names().empty());
}

TEST_CASE("DropFile: no directory is an error that names it") {
  const auto file = DropFile::create("/nowhere/drop");
  REQUIRE_FALSE(file);
  CHECK(file.error().text().find("/nowhere/drop") != std::string::npos);
}
