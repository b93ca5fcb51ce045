// A Maildir in a temporary directory, and what other programs do to it; for tests.
#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "libmail/async/loop.h"
#include "libmail/store/maildir_box.h"

namespace posthorn::store::test {

namespace fs = std::filesystem;

struct Site {
  SystemFiles files;
  std::string path;
  std::unique_ptr<Watcher> watcher;
  std::unique_ptr<StoreHost> host;
  int delivered = 0;

  explicit Site(bool watch = false) {
    std::string form = (fs::temp_directory_path() / "posthorn-box-XXXXXX").string();
    REQUIRE(mkdtemp(form.data()) != nullptr);
    path = form;
    if (watch) watcher = std::make_unique<Watcher>();
    host = std::make_unique<StoreHost>(files, "test", getpid(), watcher.get());
  }
  ~Site() {
    host.reset();
    watcher.reset();
    async::run([]() -> async::Task<void> { co_return; }());
    fs::remove_all(path);
  }
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  MaildirDirectories directories(const std::string& folder = {}) {
    MailLocation location;
    location.base = path;
    location.components = {"Maildir"};
    auto opened = open_maildir(files, location, folder);
    REQUIRE(opened);
    return std::move(*opened);
  }
  std::unique_ptr<MaildirBox> open(const std::string& folder = {},
                                   std::unique_ptr<MailIndex> index = nullptr) {
    BoxSettings settings;
    return std::make_unique<MaildirBox>(*host, directories(folder), std::move(index), settings);
  }
  [[nodiscard]] std::string maildir(const std::string& rest = {}) const {
    return path + "/Maildir" + (rest.empty() ? "" : "/" + rest);
  }

  // Another program puts a message there.
  std::string deliver(const std::string& into = "new", const std::string& info = {},
                      const std::string& text = "Subject: x\n\nbody\n") {
    ++delivered;
    const std::string base =
        std::to_string(1700000000 + delivered) + ".M" + std::to_string(delivered) + "P1Q1.else";
    std::ofstream(maildir(into) + "/" + base + info, std::ios::binary) << text;
    return base;
  }
  [[nodiscard]] std::vector<std::string> names(const std::string& directory) const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(maildir(directory)))
      names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  [[nodiscard]] std::string content(const std::string& name) const {
    std::ifstream in(maildir(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

inline std::vector<std::uint32_t> uids_of(const Snapshot& snapshot) {
  std::vector<std::uint32_t> uids;
  for (std::size_t i = 0; i < snapshot.size(); ++i) uids.push_back(snapshot.row(i).uid);
  return uids;
}

inline void sync(OpenMailbox& box, bool take_new = false) {
  SyncRules rules;
  rules.take_new = take_new;
  for (int attempt = 0;; ++attempt) {
    const auto done = box.sync(rules);
    if (!done && done.error().kind == StoreError::Kind::locked && attempt < 100) {
      usleep(1000);
      continue;
    }
    INFO((done ? "" : done.error().text));
    REQUIRE(done);
    return;
  }
}

inline AppendMessage message(const std::string& text, std::uint16_t flags = 0) {
  ContentWriter writer;
  writer.append(text);
  AppendMessage message;
  message.body = std::make_shared<const Content>(writer.finish());
  message.flags = flags;
  return message;
}

inline FlagChange add_flags(std::uint16_t flags, std::vector<std::string> keywords = {}) {
  FlagChange change;
  change.flags = flags;
  change.keywords = std::move(keywords);
  return change;
}

}  // namespace posthorn::store::test
