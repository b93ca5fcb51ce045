// Messages of an mbox, a Maildir and a store. Their files are read where it stands: the program has nothing else to do.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "agents/posthorn/mail_source.h"
#include "agents/posthorn/mailbox_command.h"
#include "agents/posthorn/mbox_flags.h"
#include "libmail/base/fd.h"
#include "libmail/base/read_file.h"
#include "libmail/base/text.h"
#include "libmail/imap/mailbox_name.h"
#include "libmail/store/keywords.h"
#include "libmail/store/maildir_name.h"
#include "libmail/store/mbox_format.h"
#include "libmail/store/retry.h"

namespace posthorn::operate {

using async::Task;
using service::ToolError;
namespace exit_code = service::exit_code;
namespace fs = std::filesystem;

namespace {

ToolError no_source(const std::string& path, const char* what) {
  return {exit_code::unknown_user, "no-such-source", path + ": " + what};
}

SourceFolder inbox() {
  SourceFolder folder;
  folder.levels = {"INBOX"};
  return folder;
}

void sort_by_name(std::vector<SourceFolder>& folders) {
  std::sort(folders.begin(), folders.end(),
            [](const SourceFolder& a, const SourceFolder& b) { return a.levels < b.levels; });
}

// ---- mbox ----

class MboxSource final : public MailSource {
 public:
  explicit MboxSource(std::string path) : path_(std::move(path)) {}

  Task<ToolResult<std::vector<SourceFolder>>> folders() override {
    std::vector<SourceFolder> found;
    std::error_code error;
    const auto kind = fs::status(path_, error).type();
    if (kind == fs::file_type::regular) {
      SourceFolder folder = inbox();
      folder.name = path_;
      found.push_back(std::move(folder));
      co_return found;
    }
    if (kind != fs::file_type::directory)
      co_return fail(no_source(path_, "there is no mbox and no directory of them"));
    for (const auto& entry : fs::recursive_directory_iterator(path_, error)) {
      if (!entry.is_regular_file(error) || entry.path().extension() != ".mbox") continue;
      SourceFolder folder;
      folder.name = entry.path();
      for (const fs::path& level : entry.path().lexically_relative(path_))
        folder.levels.push_back(level);
      folder.levels.back() = entry.path().stem();
      found.push_back(std::move(folder));
    }
    sort_by_name(found);
    co_return found;
  }

  Task<ToolResult<std::size_t>> open(SourceFolder folder) override {
    file_.reset(::open(folder.name.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file_) co_return fail(no_source(folder.name, std::strerror(errno)));
    store::MboxScanner scanner;
    std::string buffer(1 << 20, '\0');
    for (;;) {
      const ssize_t count = ::read(file_.get(), buffer.data(), buffer.size());
      if (count < 0) co_return fail(no_source(folder.name, std::strerror(errno)));
      if (count == 0) break;
      scanner.feed(std::string_view(buffer).substr(0, static_cast<std::size_t>(count)));
    }
    scanner.finish();
    if (!scanner.is_mbox())
      co_return fail(ToolError(exit_code::data, "no-mbox",
                               folder.name + " does not begin with a From line: no mbox"));
    messages_ = scanner.messages();
    // What Dovecot and UW imapd keep of the mailbox itself.
    if (!messages_.empty() && octets_of(0).find("\nX-IMAPbase: ") != std::string::npos &&
        octets_of(0).find("Subject: DON'T DELETE THIS MESSAGE") != std::string::npos)
      messages_.erase(messages_.begin());
    co_return messages_.size();
  }

  Task<ToolResult<std::vector<SourceMessage>>> look(std::size_t first, std::size_t count) override {
    std::vector<SourceMessage> found;
    for (std::size_t i = first; i < std::min(first + count, messages_.size()); ++i) {
      SourceMessage message;
      const std::string text = message_of(i, &message);
      message.identity = identity_of(text);
      found.push_back(std::move(message));
    }
    co_return found;
  }

  Task<ToolResult<void>> read(std::vector<std::size_t> numbers, Take take) override {
    for (const std::size_t number : numbers) take(number, message_of(number, nullptr));
    co_return ToolResult<void>();
  }

 private:
  std::string piece(std::uint64_t from, std::uint64_t to) const {
    std::string octets(to - from, '\0');
    std::size_t have = 0;
    while (have < octets.size()) {
      const ssize_t count = ::pread(file_.get(), octets.data() + have, octets.size() - have,
                                    static_cast<off_t>(from + have));
      if (count <= 0) break;
      have += static_cast<std::size_t>(count);
    }
    octets.resize(have);
    return octets;
  }
  std::string octets_of(std::size_t number) const {
    const auto& place = messages_[number];
    store::MboxUnquoter unquoter;
    std::string text;
    unquoter.append(piece(place.start, place.end), text);
    unquoter.finish(text);
    return text;
  }
  std::string message_of(std::size_t number, SourceMessage* facts) const {
    std::string text = octets_of(number);
    MboxFlags flags = take_mbox_flags(text);
    if (facts == nullptr) return text;
    facts->flags = flags.flags;
    facts->keywords = std::move(flags.keywords);
    facts->date = date_of_from_line(piece(messages_[number].from, messages_[number].start));
    return text;
  }

  std::string path_;
  Fd file_;
  std::vector<store::MboxScanner::Message> messages_;
};

// ---- Maildir ----

class MaildirSource final : public MailSource {
 public:
  explicit MaildirSource(std::string path) : path_(std::move(path)) {}

  Task<ToolResult<std::vector<SourceFolder>>> folders() override {
    std::error_code error;
    if (!fs::is_directory(path_ + "/cur", error))
      co_return fail(no_source(path_, "there is no Maildir: it has no cur/"));
    std::vector<SourceFolder> found;
    for (const auto& entry : fs::directory_iterator(path_, error)) {
      const std::string name = entry.path().filename();
      if (name.size() < 2 || name[0] != '.' || name[1] == '.') continue;
      if (!fs::is_directory(entry.path() / "cur", error)) continue;
      SourceFolder folder;
      folder.name = entry.path();
      for (const std::string_view level : split(std::string_view(name).substr(1), '.')) {
        auto decoded = imap::decode_utf7(level);
        folder.levels.push_back(decoded ? std::move(*decoded) : std::string(level));
      }
      found.push_back(std::move(folder));
    }
    sort_by_name(found);
    SourceFolder first = inbox();
    first.name = path_;
    found.insert(found.begin(), std::move(first));
    co_return found;
  }

  Task<ToolResult<std::size_t>> open(SourceFolder folder) override {
    files_.clear();
    const auto names = read_file(folder.name + "/dovecot-keywords");
    keywords_ = store::parse_dovecot_keywords(names ? *names : std::string());
    for (const char* sub : {"/cur/", "/new/"}) {
      std::error_code error;
      for (const auto& entry : fs::directory_iterator(folder.name + sub, error)) {
        if (store::parse_maildir_name(entry.path().filename().native()))
          files_.push_back(entry.path());
      }
      if (error) co_return fail(no_source(folder.name + sub, error.message().c_str()));
    }
    std::sort(files_.begin(), files_.end(), [](const fs::path& a, const fs::path& b) {
      const std::string left = a.filename();
      const std::string right = b.filename();
      return store::arrived_before(*store::parse_maildir_name(left),
                                   *store::parse_maildir_name(right));
    });
    co_return files_.size();
  }

  Task<ToolResult<std::vector<SourceMessage>>> look(std::size_t first, std::size_t count) override {
    std::vector<SourceMessage> found;
    for (std::size_t i = first; i < std::min(first + count, files_.size()); ++i)
      found.push_back(look_at(files_[i]));
    co_return found;
  }

  Task<ToolResult<void>> read(std::vector<std::size_t> numbers, Take take) override {
    for (const std::size_t number : numbers) {
      auto octets = read_file(files_[number]);
      if (octets) take(number, std::move(*octets));
    }
    co_return ToolResult<void>();
  }

 private:
  SourceMessage look_at(const fs::path& path) const {
    namespace flag = store::flag;
    SourceMessage message;
    const std::string file = path.filename();
    const auto name = store::parse_maildir_name(file);
    const auto set = [&](bool on, std::uint16_t bit) { message.flags |= on ? bit : 0; };
    set(name->flags.draft, flag::draft);
    set(name->flags.flagged, flag::flagged);
    set(name->flags.replied, flag::answered);
    set(name->flags.seen, flag::seen);
    set(name->flags.trashed, flag::deleted);
    for (const char letter : name->keywords) {
      const auto at = static_cast<std::size_t>(letter - 'a');
      if (at < keywords_.size() && !keywords_[at].empty())
        message.keywords.push_back(keywords_[at]);
    }
    struct stat facts{};
    if (::stat(path.c_str(), &facts) == 0)
      message.date = WallTime(std::chrono::seconds(facts.st_mtim.tv_sec));
    if (const auto octets = read_file(path)) message.identity = identity_of(*octets);
    return message;
  }

  std::string path_;
  std::vector<fs::path> files_;
  std::vector<std::string> keywords_;
};

// ---- a store ----

class StoreSource final : public MailSource {
 public:
  StoreSource(store::Store& store, std::vector<std::string> names)
      : store_(store), names_(std::move(names)) {}

  Task<ToolResult<std::vector<SourceFolder>>> folders() override {
    const auto& space = store_.settings().namespaces.front();
    std::vector<SourceFolder> found;
    for (const std::string& name : names_) {
      SourceFolder folder;
      folder.name = name;
      std::string_view rest = name;
      if (rest.starts_with(space.prefix)) rest.remove_prefix(space.prefix.size());
      for (const std::string_view level : split(rest, space.separator))
        folder.levels.emplace_back(level);
      found.push_back(std::move(folder));
    }
    co_return found;
  }

  Task<ToolResult<std::size_t>> open(SourceFolder folder) override {
    auto opened = store_.open(folder.name);
    if (!opened) co_return fail(tool_error(opened.error()));
    box_ = std::move(*opened);
    const auto synced = store::insist([this] { return box_->sync(store::SyncRules()); });
    if (!synced) co_return fail(tool_error(synced.error()));
    std::vector<std::uint32_t> uids;
    for (const auto& chunk : box_->snapshot()->chunks())
      uids.insert(uids.end(), chunk->uid.begin(), chunk->uid.begin() + chunk->count);
    const auto dated = store::insist([&] { return box_->measure(uids, store::Need::date); });
    if (!dated) co_return fail(tool_error(dated.error()));
    snapshot_ = box_->snapshot();
    co_return snapshot_->size();
  }

  Task<ToolResult<std::vector<SourceMessage>>> look(std::size_t first, std::size_t count) override {
    std::vector<SourceMessage> found;
    for (std::size_t i = first; i < std::min(first + count, snapshot_->size()); ++i) {
      const store::MessageRow row = snapshot_->row(i);
      SourceMessage message;
      message.flags = row.flags & store::flag::system_flags;
      for (std::size_t bit = 0; bit < snapshot_->keywords().size(); ++bit)
        if ((row.keywords >> bit & 1) != 0) message.keywords.push_back(snapshot_->keywords()[bit]);
      if ((row.flags & store::flag::has_date) != 0)
        message.date = WallTime(std::chrono::seconds(row.date));
      const auto text = box_->text(row.uid);
      if (text) message.identity = identity_of(*text);
      found.push_back(std::move(message));
    }
    co_return found;
  }

  Task<ToolResult<void>> read(std::vector<std::size_t> numbers, Take take) override {
    for (const std::size_t number : numbers) {
      auto text = store::insist([&] { return box_->text(snapshot_->row(number).uid); });
      if (text) take(number, std::move(*text));
    }
    co_return ToolResult<void>();
  }

 private:
  store::Store& store_;
  std::vector<std::string> names_;
  std::shared_ptr<store::OpenMailbox> box_;
  std::shared_ptr<const store::Snapshot> snapshot_;
};

}  // namespace

std::unique_ptr<MailSource> make_mbox_source(std::string path) {
  return std::make_unique<MboxSource>(std::move(path));
}

std::unique_ptr<MailSource> make_maildir_source(std::string path) {
  return std::make_unique<MaildirSource>(std::move(path));
}

std::unique_ptr<MailSource> make_store_source(store::Store& store, std::vector<std::string> names) {
  return std::make_unique<StoreSource>(store, std::move(names));
}

}  // namespace posthorn::operate
