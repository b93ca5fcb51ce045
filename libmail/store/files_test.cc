// The kernel's file system behind the interface, in a temporary directory.
#include "libmail/store/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "libmail/store/maildir.h"

using namespace posthorn::store;
namespace fs = std::filesystem;

namespace {

struct TemporaryDirectory {
  std::string path;
  SystemFiles files;
  std::unique_ptr<Directory> directory;
  TemporaryDirectory() {
    std::string form = (fs::temp_directory_path() / "posthorn-store-XXXXXX").string();
    REQUIRE(mkdtemp(form.data()) != nullptr);
    path = form;
    directory = std::move(*files.open_directory(path));
  }
  ~TemporaryDirectory() { fs::remove_all(path); }
};

std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("SystemFiles: writes many parts, reads at an offset, cuts") {
  TemporaryDirectory t;
  auto file = t.directory->open_file("a", OpenMode::create_new, 0600);
  REQUIRE(file);
  std::vector<std::string_view> parts(40, "part ");
  REQUIRE((*file)->write(parts));
  REQUIRE((*file)->sync());
  CHECK(content(t.path + "/a").size() == 200);
  CHECK_FALSE(t.directory->open_file("a", OpenMode::create_new, 0600));
  auto again = t.directory->open_file("a", OpenMode::update, 0600);
  REQUIRE((*again)->write_at(5, "PART"));
  REQUIRE((*again)->truncate(12));
  CHECK((*again)->read(3, 100).value() == "t PART pa");
  CHECK((*again)->read(12, 5).value().empty());
}

TEST_CASE("SystemFiles: copies a file without a name to the end of another") {
  TemporaryDirectory t;
  auto spool = t.directory->open_unnamed();
  REQUIRE(spool);
  const std::string body(300000, 'x');
  REQUIRE((*spool)->write(body));
  auto file = t.directory->open_file("a", OpenMode::create_new, 0600);
  REQUIRE((*file)->write("head "));
  REQUIRE((*file)->append_from(**spool, 0, body.size()));
  CHECK(content(t.path + "/a") == "head " + body);
  CHECK(t.directory->list().value() == std::vector<std::string>{"a"});
  CHECK((*file)->append_from(**spool, body.size(), 1).error().code == EIO);
}

TEST_CASE("SystemFiles: no symbolic link is followed, no FIFO waited for") {
  TemporaryDirectory t;
  std::ofstream(t.path + "/secret") << "x";
  REQUIRE(symlink("secret", (t.path + "/link").c_str()) == 0);
  REQUIRE(symlink(".", (t.path + "/directory").c_str()) == 0);
  REQUIRE(mkfifo((t.path + "/fifo").c_str(), 0600) == 0);
  for (const OpenMode mode : {OpenMode::read, OpenMode::append, OpenMode::append_or_create,
                              OpenMode::truncate, OpenMode::update}) {
    CHECK(t.directory->open_file("link", mode, 0600).error().code == ELOOP);
  }
  CHECK_FALSE(t.directory->open_directory("directory"));
  CHECK(t.directory->status("link")->type == FileStatus::Type::other);
  auto fifo = t.directory->open_file("fifo", OpenMode::read, 0);
  if (fifo) CHECK_FALSE((*fifo)->read(0, 10));
  CHECK(content(t.path + "/secret") == "x");
}

TEST_CASE("SystemFiles: a lock keeps out another opening and fcntl's locks") {
  TemporaryDirectory t;
  auto first = t.directory->open_file("a", OpenMode::update, 0600);
  auto second = t.directory->open_file("a", OpenMode::update, 0600);
  CHECK((*first)->try_lock().value());
  CHECK_FALSE((*second)->try_lock().value());
  const int raw = open((t.path + "/a").c_str(), O_RDWR);
  struct flock lock{};
  lock.l_type = F_WRLCK;
  CHECK(fcntl(raw, F_SETLK, &lock) < 0);
  close(raw);
  first->reset();
  CHECK((*second)->try_lock().value());
}

TEST_CASE(
    "open_maildir: makes what is missing for its owner alone, and follows no link below the base") {
  TemporaryDirectory t;
  MailLocation location;
  location.base = t.path + "/home/bob";
  location.components = {"Maildir"};
  auto maildir = open_maildir(t.files, location, ".Sent");
  REQUIRE(maildir);
  for (const char* name : {"/home/bob", "/home/bob/Maildir", "/home/bob/Maildir/.Sent/new"}) {
    struct stat st{};
    REQUIRE(stat((t.path + name).c_str(), &st) == 0);
    CHECK((st.st_mode & 0777) == 0700);
  }
  CHECK(fs::exists(t.path + "/home/bob/Maildir/.Sent/maildirfolder"));
  // Another program's link where the Maildir should be.
  REQUIRE(symlink("/etc", (t.path + "/home/eve").c_str()) == 0);
  location.base = t.path + "/home";
  location.components = {"eve"};
  auto link = open_maildir(t.files, location);
  REQUIRE_FALSE(link);
  CHECK(link.error().kind == StoreError::Kind::refused);
}
