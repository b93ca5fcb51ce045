#include "agents/posthorn/mail_copy.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "agents/posthorn/mailbox_command.h"
#include "libmail/base/text.h"

namespace posthorn::operate {

using async::Task;

namespace {

constexpr std::size_t window = 200;         // messages looked at together
constexpr std::size_t batch_messages = 64;  // appended together: synced together
constexpr std::size_t batch_octets = std::size_t{8} << 20;

// "INBOX 1200/4000 [=====>    ]" on a terminal.
class Progress {
 public:
  explicit Progress(bool shown) : shown_(shown) {}
  ~Progress() {
    if (drawn_) fmt::print(stderr, "\r\x1b[K");
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(const std::string& name, std::size_t done, std::size_t all) {
    const auto now = std::chrono::steady_clock::now();
    if (!shown_ || (drawn_ && now - last_ < std::chrono::milliseconds(100))) return;
    last_ = now;
    drawn_ = true;
    constexpr std::size_t width = 30;
    const std::size_t filled = all == 0 ? width : done * width / all;
    fmt::print(stderr, "\r\x1b[K{} {}/{} [{:<{}}]", printable(name, 40), done, all,
               std::string(filled, '='), width);
    (void)std::fflush(stderr);
  }

 private:
  bool shown_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_;
};

// What a mailbox has, by identity; messages are read when one of their size is asked for.
class Present {
 public:
  explicit Present(std::shared_ptr<store::OpenMailbox> box) : box_(std::move(box)) {}

  store::StoreResult<void> begin() {
    if (auto synced = patiently([this] { return box_->sync(store::SyncRules()); }); !synced)
      return synced;
    std::vector<std::uint32_t> uids;
    for (const auto& chunk : box_->snapshot()->chunks())
      uids.insert(uids.end(), chunk->uid.begin(), chunk->uid.begin() + chunk->count);
    const auto sized = patiently([&] { return box_->measure(uids, store::Need::size); });
    if (!sized) return sized;
    const auto snapshot = box_->snapshot();
    for (std::size_t i = 0; i < snapshot->size(); ++i) {
      const store::MessageRow row = snapshot->row(i);
      by_size_[row.size].push_back(row.uid);
    }
    return {};
  }
  // True, and one less: it is there.
  bool take(const MailIdentity& identity) {
    if (const auto found = by_size_.find(identity.size); found != by_size_.end()) {
      for (const std::uint32_t uid : found->second) {
        const auto text = patiently([&] { return box_->text(uid); });
        if (text) ++there_[identity_of(*text).digest];
      }
      by_size_.erase(found);
    }
    const auto known = there_.find(identity.digest);
    if (known == there_.end() || known->second == 0) return false;
    --known->second;
    return true;
  }

 private:
  std::shared_ptr<store::OpenMailbox> box_;
  std::map<std::uint64_t, std::vector<std::uint32_t>> by_size_;
  std::map<std::string, std::size_t> there_;
};

// The target of one folder.
class Target {
 public:
  Target(store::Store& store, std::string name, const CopyRules& rules)
      : store_(store), name_(std::move(name)), rules_(rules) {}

  store::StoreResult<void> begin() {
    if (rules_.is_fresh) return {};
    auto opened = store_.open(name_);
    const bool missing = !opened && opened.error().kind == store::StoreError::Kind::not_found;
    if (missing && rules_.dry_run) return {};
    if (missing) {
      if (auto made = patiently([this] { return store_.create(name_); }); !made) return made;
      static_cast<void>(patiently([this] { return store_.subscribe(name_, true); }));
      opened = store_.open(name_);
    }
    if (!opened) return fail(std::move(opened.error()));
    box_ = std::move(*opened);
    present_.emplace(box_);
    return present_->begin();
  }
  bool has(const MailIdentity& identity) { return present_ && present_->take(identity); }
  // Appended with others; flush() at the end. The error counts for all that wait.
  store::StoreResult<void> add(SourceMessage facts, std::string_view octets) {
    store::ContentWriter writer;
    writer.append(octets);
    static_cast<void>(writer.end_text());
    store::AppendMessage message;
    message.body = std::make_shared<const store::Content>(writer.finish());
    message.flags = facts.flags;
    message.keywords = std::move(facts.keywords);
    message.date = facts.date;
    octets_ += octets.size();
    waiting_.push_back(std::move(message));
    if (waiting_.size() < batch_messages && octets_ < batch_octets) return {};
    return flush();
  }
  store::StoreResult<void> flush() {
    const std::vector<store::AppendMessage> batch = std::move(waiting_);
    waiting_.clear();
    octets_ = 0;
    if (batch.empty()) return {};
    auto appended = patiently([&] { return box_->append(batch); });
    if (!appended) return fail(std::move(appended.error()));
    added_ += batch.size();
    return {};
  }
  [[nodiscard]] std::size_t added() const { return added_; }

 private:
  store::Store& store_;
  std::string name_;
  const CopyRules& rules_;
  std::shared_ptr<store::OpenMailbox> box_;
  std::optional<Present> present_;
  std::vector<store::AppendMessage> waiting_;
  std::size_t octets_ = 0;
  std::size_t added_ = 0;
};

// One folder on its way.
class FolderCopy {
 public:
  FolderCopy(MailSource& source, store::Store& store, const CopyRules& rules, CopiedFolder& result)
      : source_(source), target_(store, result.to, rules), rules_(rules), result_(result) {}

  Task<ToolResult<void>> run(SourceFolder folder) {
    Progress progress(rules_.progress);
    auto opened = co_await source_.open(std::move(folder));
    if (!opened) co_return fail(std::move(opened.error()));
    result_.messages = *opened;
    if (auto begun = target_.begin(); !begun) co_return fail(tool_error(begun.error()));
    for (std::size_t first = 0; first < result_.messages; first += window) {
      auto heads = co_await source_.look(first, window);
      if (!heads) co_return fail(std::move(heads.error()));
      auto done = co_await take(first, std::move(*heads));
      if (!done) co_return fail(std::move(done.error()));
      progress.show(result_.from, std::min(first + window, result_.messages), result_.messages);
    }
    co_return ToolResult<void>();
  }

 private:
  // Reads and appends those of a window that are not there.
  Task<ToolResult<void>> take(std::size_t first, std::vector<SourceMessage> heads) {
    std::vector<std::size_t> wanted;
    for (std::size_t i = 0; i < heads.size(); ++i) {
      if (heads[i].identity && target_.has(*heads[i].identity))
        ++result_.there;
      else if (heads[i].identity && rules_.dry_run)
        ++result_.copied;
      else
        wanted.push_back(first + i);
    }
    const std::size_t expected = wanted.size();
    std::size_t came = 0;
    store::StoreResult<void> stored;
    const MailSource::Take take_one = [&](std::size_t number, std::string octets) {
      ++came;
      if (stored) stored = take_message(std::move(heads[number - first]), octets);
    };
    auto read = co_await source_.read(std::move(wanted), take_one);
    if (stored) stored = target_.flush();
    if (!rules_.dry_run) result_.copied = target_.added();
    if (!stored) co_return fail(tool_error(stored.error()));
    if (!read) co_return fail(std::move(read.error()));
    result_.failed += expected - came;
    co_return ToolResult<void>();
  }

  store::StoreResult<void> take_message(SourceMessage head, std::string_view octets) {
    // Now it is known for sure: some servers give sizes that are wrong.
    const MailIdentity identity = identity_of(octets);
    if (!(head.identity && *head.identity == identity) && target_.has(identity)) {
      ++result_.there;
      return {};
    }
    if (!rules_.dry_run) return target_.add(std::move(head), octets);
    ++result_.copied;
    return {};
  }

  MailSource& source_;
  Target target_;
  const CopyRules& rules_;
  CopiedFolder& result_;
};

// The mailbox that a folder goes to. "": nowhere.
std::string target_of(const SourceFolder& folder, const store::Store& store,
                      const CopyRules& rules) {
  if (const auto named = rules.folders.find(folder.shown()); named != rules.folders.end())
    return named->second;
  const auto& space = store.settings().namespaces.front();
  const bool is_inbox = folder.levels.size() == 1 && iequals(folder.levels.front(), "INBOX");
  if (is_inbox) return rules.into.empty() ? "INBOX" : rules.into;
  std::string name = rules.into.empty() ? space.prefix : rules.into + space.separator;
  for (std::size_t i = 0; i < folder.levels.size(); ++i) {
    if (i != 0) name += space.separator;
    if (folder.levels[i].empty()) name += '_';
    // What can't stand in a name of ours.
    for (const char octet : folder.levels[i]) {
      const auto value = static_cast<unsigned char>(octet);
      name += octet == '.' || octet == '/' || octet == '~' || value < 0x20 || value == 0x7F ? '_'
                                                                                            : octet;
    }
  }
  return name;
}

}  // namespace

Task<CopyResult> copy_mail(MailSource& source, store::Store& target, CopyRules rules) {
  CopyResult result;
  auto folders = co_await source.folders();
  if (!folders) {
    result.error = std::move(folders.error());
    co_return result;
  }
  for (SourceFolder& folder : *folders) {
    CopiedFolder copied;
    copied.from = folder.shown();
    copied.to = target_of(folder, target, rules);
    if (copied.to.empty()) continue;
    result.folders.push_back(std::move(copied));
    FolderCopy copy(source, target, rules, result.folders.back());
    auto done = co_await copy.run(std::move(folder));
    if (!done) {
      result.error = std::move(done.error());
      break;
    }
  }
  co_await source.close();
  co_return result;
}

}  // namespace posthorn::operate
