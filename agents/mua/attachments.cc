// mua attachments list|save.
#include "agents/mua/attachments.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "agents/mua/output.h"
#include "agents/mua/verbs.h"
#include "libmail/base/fd.h"
#include "libmail/base/text.h"
#include "libmail/message/body_reader.h"
#include "libmail/message/filename.h"

namespace posthorn::mua {

namespace {

// A new file of that name, or of NAME-2 and so on: never over another.
Mail<std::pair<Fd, std::string>> make_file(const std::string& directory, const std::string& name) {
  const std::filesystem::path wanted(name);
  for (unsigned i = 1; i < 1000; ++i) {
    const std::string number = i == 1 ? "" : fmt::format("-{}", i);
    const std::string path =
        directory + "/" + wanted.stem().string() + number + wanted.extension().string();
    Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file) return std::pair(std::move(file), path);
    if (errno != EEXIST)
      return fail(MailError(MailError::Kind::bad_data, io_error("open", path).text()));
  }
  return fail(MailError(MailError::Kind::exists,
                        fmt::format("there are too many files called {} in {}", name, directory)));
}

// The part decoded into a descriptor; octets written.
Task<Mail<std::uint64_t>> copy_part(MailStore& store, std::uint32_t uid, const PartInfo& part,
                                    int fd) {
  message::Anomalies ignored;
  message::BodyReader reader(message::parse_encoding(part.encoding, ignored));
  Progress progress(part.filename, part.octets);
  std::string octets;
  std::uint64_t read = 0;
  std::uint64_t written = 0;
  bool fine = true;
  Sink sink = [&](std::string_view raw) {
    read += raw.size();
    progress.step(read);
    reader.feed(raw, octets);
    fine = write_all(fd, octets);
    written += octets.size();
    octets.clear();
    return fine;
  };
  const auto done = co_await store.read_part(uid, part.number, std::move(sink));
  if (!done) co_return fail(done.error());
  reader.finish(octets);
  fine = fine && write_all(fd, octets);
  if (!fine)
    co_return fail(MailError(MailError::Kind::try_again, io_error("write", part.filename).text()));
  co_return written + octets.size();
}

class AttachmentVerb : public Tool {
 public:
  void describe(OptionTable& table) override {
    common_.describe(table);
    table.group("Which");
    table.add("folder", folder_, "where the message is").flag_only();
  }
  Result<int, ToolError> run(const ToolCall& call) final {
    const auto account = common_.one();
    if (!account) return fail(account.error());
    if (call.words.empty())
      return fail(ToolError(exit_code::usage, "usage", "no message is named",
                            "UIDs as mua list shows them"));
    const auto uid = parse_number<std::uint32_t>(call.words.front());
    if (!uid || *uid == 0)
      return fail(ToolError(exit_code::usage, "usage", "one message at a time, by its UID"));
    json_ = call.json;
    return run_on_accounts(
        {*account}, common_.timeout, call.json,
        [this, uid = *uid, words = call.words](const Account& each, MailStore& store, Deadline) {
          return begin(each, store, uid, words);
        });
  }

 protected:
  virtual Task<Mail<int>> work(const Account& account, MailStore& store, std::uint32_t uid,
                               std::string folder, std::vector<PartInfo> chosen) = 0;
  bool json_ = false;

 private:
  Task<Mail<int>> begin(const Account& account, MailStore& store, std::uint32_t uid,
                        std::vector<std::string> words) {
    const auto folder = co_await find_folder(store, account, folder_);
    if (!folder) co_return fail(folder.error());
    const auto opened = co_await store.open(*folder, true);
    if (!opened) co_return fail(opened.error());
    auto parts = co_await store.parts(uid);
    if (!parts) co_return fail(parts.error());
    std::vector<PartInfo> chosen;
    for (const PartInfo& part : *parts) {
      const bool named = std::find(words.begin() + 1, words.end(), part.number) != words.end();
      if (words.size() > 1 ? named && !part.number.empty() : part.attachment)
        chosen.push_back(part);
    }
    if (words.size() > 1 && chosen.size() < words.size() - 1) {
      co_return fail(MailError(MailError::Kind::not_found,
                               fmt::format("message {} has no such part", uid),
                               "mua read --parts shows the numbers"));
    }
    if (chosen.empty()) co_return exit_code::failed;
    auto done = co_await work(account, store, uid, *folder, std::move(chosen));
    co_return done;
  }

  Common common_;
  std::string folder_ = "inbox";
};

class AttachmentsList final : public AttachmentVerb {
 public:
  [[nodiscard]] std::string_view name() const override { return "attachments list"; }
  [[nodiscard]] std::string_view words() const override { return "UID"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "list the files a message brings";
  }

 protected:
  Task<Mail<int>> work(const Account& account, MailStore&, std::uint32_t uid, std::string folder,
                       std::vector<PartInfo> chosen) override {
    std::vector<std::vector<std::string>> rows = {{"PART", "TYPE", "SIZE", "NAME"}};
    for (const PartInfo& part : chosen) {
      nlohmann::json row = part_json(part);
      row["account"] = account.name;
      row["folder"] = folder;
      row["uid"] = uid;
      row["saved_as"] = message::filename_for_disk(part.filename);
      row["danger"] = message::filename_danger(part.filename);
      row["hidden_extension"] = message::has_hidden_extension(part.filename);
      if (json_) print_json(row);
      rows.push_back({part.number, part.type, shown_size(part.octets), shown(part.filename)});
    }
    if (json_) co_return exit_code::ok;
    for (const auto& row : rows) {
      if (terminal().is_terminal || &row != &rows.front())
        fmt::print("{}{}{}{}\n", terminal().is_terminal ? fit(row[0], 8) : row[0] + "\t",
                   terminal().is_terminal ? fit(row[1], 30) : row[1] + "\t",
                   terminal().is_terminal ? fit(row[2], 8) : row[2] + "\t", row[3]);
    }
    co_return exit_code::ok;
  }
};

class AttachmentsSave final : public AttachmentVerb {
 public:
  [[nodiscard]] std::string_view name() const override { return "attachments save"; }
  [[nodiscard]] std::string_view words() const override { return "UID [PART...]"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "save attachments, or the parts named, as files";
  }
  void describe(OptionTable& table) override {
    AttachmentVerb::describe(table);
    table.group("Where");
    table.add("dir", directory_, "the directory").flag_only();
    table.add("stdout", to_stdout_, "print the octets instead").flag_only();
  }

 protected:
  Task<Mail<int>> work(const Account& account, MailStore& store, std::uint32_t uid,
                       std::string folder, std::vector<PartInfo> chosen) override {
    for (const PartInfo& part : chosen) {
      SavedPart saved;
      if (to_stdout_) {
        const auto written = co_await copy_part(store, uid, part, STDOUT_FILENO);
        if (!written) co_return fail(written.error());
      } else {
        auto done = co_await save_part(store, uid, part, directory_);
        if (!done) co_return fail(done.error());
        saved = std::move(*done);
      }
      nlohmann::json row = {
          {"account", account.name}, {"folder", folder},   {"uid", uid},
          {"part", part.number},     {"path", saved.path}, {"octets", saved.octets},
          {"type", part.type}};
      if (json_ && !to_stdout_)
        print_json(row);
      else if (!to_stdout_)
        fmt::print("{}\n", shown(saved.path));
    }
    co_return exit_code::ok;
  }

 private:
  std::string directory_ = ".";
  bool to_stdout_ = false;
};

}  // namespace

Task<Mail<SavedPart>> save_part(MailStore& store, std::uint32_t uid, const PartInfo& part,
                                std::string directory) {
  auto made =
      make_file(directory, message::filename_for_disk(part.filename, "part-" + part.number));
  if (!made) co_return fail(made.error());
  const auto written = co_await copy_part(store, uid, part, made->first.get());
  if (!written) ::unlink(made->second.c_str());
  if (!written) co_return fail(written.error());
  SavedPart saved;
  saved.path = std::move(made->second);
  saved.octets = *written;
  co_return saved;
}

void add_attachment_verbs(Tools& tools) {
  tools.push_back(std::make_unique<AttachmentsList>());
  tools.push_back(std::make_unique<AttachmentsSave>());
}

}  // namespace posthorn::mua
