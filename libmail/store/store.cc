#include "libmail/store/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "libmail/base/random.h"
#include "libmail/base/text.h"
#include "libmail/imap/mailbox_name.h"
#include "libmail/store/keywords.h"
#include "libmail/store/lmdb_index.h"
#include "libmail/store/maildir_box.h"
#include "libmail/store/mbox_box.h"
#include "libmail/store/retry.h"
#include "libmail/store/store_files.h"
#include "libmail/store/subscriptions.h"

namespace posthorn::store {

using imap::is_inbox;

namespace {

constexpr const char* subscriptions_name = "subscriptions";
constexpr const char* notes_name = "posthorn-mailboxes";
// Where Dovecot puts a mailbox while it removes it; neither of us lists it.
constexpr const char* trash_name = "..DOVECOT-TRASHED";
constexpr int deepest = 8;  // directories in a mailbox's directory, when it is removed
constexpr std::size_t longest_directory = 255;
constexpr auto longest_close = std::chrono::seconds(5);  // that open() waits for

StoreError bad_name(std::string_view name, const char* why) {
  return {StoreError::Kind::bad_name, "\"" + printable(name, 100) + "\" " + why};
}

}  // namespace

Store::Store(StoreHost& host, StoreSettings settings)
    : host_(host), settings_(std::move(settings)) {
  check(!settings_.namespaces.empty(), "an account has a namespace");
  for (const NamespaceSettings& space : settings_.namespaces)
    spaces_.push_back(std::make_shared<const NamespaceSettings>(space));
  personal_ = spaces_.front();
}

Store::~Store() = default;

void Store::remark(std::string text) {
  const std::lock_guard hold(mutex_);
  if (remarks_.size() < 50) remarks_.push_back(std::move(text));
}

std::vector<std::string> Store::take_remarks() {
  const std::lock_guard hold(mutex_);
  return std::exchange(remarks_, {});
}

StoreResult<std::unique_ptr<Directory>> Store::root_of(const NamespaceSettings& space) const {
  if (space.location.format == MailFormat::mbox)
    return fail(StoreError(StoreError::Kind::refused, "an mbox has no folders and no lists"));
  return open_location(host_.files(), space.location);
}

StoreResult<Store::Place> Store::place_of(const std::string& name) const {
  Place place;
  if (is_inbox(name)) {
    place.space = personal_;
    return place;
  }
  if (!is_utf8(name)) return fail(bad_name(name, "is no UTF-8"));
  const std::string as_level = name + personal_->separator;
  for (const Space& space : spaces()) {
    if (space != personal_ && as_level == space->prefix)
      return fail(bad_name(name, "is the name of a namespace"));
    const bool fits = name.size() > space->prefix.size() && name.starts_with(space->prefix);
    if (fits && (place.space == nullptr || space->prefix.size() > place.space->prefix.size()))
      place.space = space;
  }
  if (place.space == nullptr) return fail(bad_name(name, "lies in no namespace"));
  const std::string& others = settings_.others_prefix;
  if (place.space == personal_ && !others.empty() && as_level.starts_with(others))
    return fail(StoreError(StoreError::Kind::not_found, "nobody of that name shares anything"));
  const char separator = place.space->separator;
  const char other = separator == '.' ? '/' : '.';
  const std::string_view rest = std::string_view(name).substr(place.space->prefix.size());
  for (const std::string_view level : split(rest, separator)) {
    if (!is_safe_component(level) || level.front() == '~' ||
        level.find(other) != std::string_view::npos)
      return fail(bad_name(name, "can't be a mailbox"));
    place.directory.append(".").append(imap::encode_utf7(level));
  }
  if (is_inbox(place.directory.substr(1)) &&
      (place.space == personal_ || place.space->kind == NamespaceSettings::Kind::other_users))
    place.directory.clear();
  if (place.space->location.format == MailFormat::mbox && !place.directory.empty())
    return fail(bad_name(name, "can't be: an mbox is one mailbox, INBOX"));
  if (place.directory.size() > longest_directory) return fail(bad_name(name, "is too long"));
  return place;
}

// The name of ".Lists.C++". bad_name: it is none that a client could say.
StoreResult<std::string> Store::name_of(const NamespaceSettings& space,
                                        std::string_view directory) const {
  std::string name = space.prefix;
  bool first = true;
  for (const std::string_view level : split(directory.substr(1), '.')) {
    const auto decoded = imap::decode_utf7(level);
    if (!decoded || !is_safe_component(*decoded) || imap::encode_utf7(*decoded) != level)
      return fail(bad_name(directory, "is no name in modified UTF-7"));
    if (!std::exchange(first, false)) name.push_back(space.separator);
    name += *decoded;
  }
  return name;
}

// The directories below `root` that are mailboxes.
StoreResult<std::vector<std::string>> Store::directories_of(Directory& root) {
  const auto names = root.list();
  if (!names) return fail(StoreError(names.error()));
  std::vector<std::string> found;
  for (const std::string& name : *names) {
    if (name.size() < 2 || name[0] != '.' || name[1] == '.') continue;
    const auto directory = root.open_directory(name);
    if (!directory) continue;
    const auto cur = (*directory)->status("cur");
    if (cur && cur->type == FileStatus::Type::directory) found.push_back(name);
  }
  return found;
}

StoreResult<std::unique_ptr<Directory>> Store::directory_of(const std::string& name) const {
  const auto place = place_of(name.empty() ? "INBOX" : name);
  if (!place) return fail(place.error());
  auto root = root_of(*place->space);
  if (!root || place->directory.empty()) return root;
  auto directory = (*root)->open_directory(place->directory);
  if (!directory) return fail(StoreError(directory.error()));
  return std::move(*directory);
}

StoreResult<void> Store::list_space(const NamespaceSettings& space,
                                    std::map<std::string, MailboxInfo>& all) {
  if (space.location.format == MailFormat::mbox) return {};
  const auto root = root_of(space);
  if (!root) return fail(root.error());
  const auto directories = directories_of(**root);
  if (!directories) return fail(directories.error());
  const bool own = space.kind == NamespaceSettings::Kind::personal;
  std::vector<StoreResult<std::string>> names;
  for (const std::string& directory : *directories) names.push_back(name_of(space, directory));
  if (space.kind == NamespaceSettings::Kind::other_users)
    names.emplace_back(space.prefix + "INBOX");
  for (const StoreResult<std::string>& name : names) {
    if (!name) {
      remark(name.error().text);
      continue;
    }
    if (!own) {
      const auto rights = this->rights(*name);
      if (!rights || !rights->has(Right::lookup)) continue;
    }
    MailboxInfo& info = all[*name];
    info.name = *name;
    info.separator = space.separator;
    info.exists = true;
    // Of a namespace that is not the user's own the levels of the prefix are there too, as names.
    for (std::size_t at = name->rfind(space.separator);
         at != std::string::npos && at > 0 && (!own || at >= space.prefix.size());
         at = name->rfind(space.separator, at - 1)) {
      const auto [parent, fresh] = all.try_emplace(name->substr(0, at));
      parent->second.has_children = true;
      if (!fresh) continue;
      parent->second.name = parent->first;
      parent->second.separator = space.separator;
      parent->second.exists = false;
    }
  }
  return {};
}

StoreResult<std::vector<MailboxInfo>> Store::list(bool subscriptions) {
  std::map<std::string, MailboxInfo> all;
  MailboxInfo inbox;
  inbox.name = "INBOX";
  inbox.separator = personal_->separator;
  all.emplace(inbox.name, inbox);
  for (const Space& space : spaces()) {
    auto done = list_space(*space, all);
    // What others share is nothing that this user's own list may fail by.
    if (!done && space != personal_) remark(done.error().text);
    if (!done && space == personal_) return fail(std::move(done.error()));
  }
  if (auto done = note_subscriptions(all, subscriptions); !done)
    return fail(std::move(done.error()));
  if (auto done = note_special_uses(all); !done) return fail(std::move(done.error()));
  std::vector<MailboxInfo> list;
  list.push_back(all["INBOX"]);
  for (auto& [name, info] : all) {
    if (name != "INBOX") list.push_back(std::move(info));
  }
  return list;
}

StoreResult<void> Store::note_subscriptions(std::map<std::string, MailboxInfo>& all,
                                            bool with_missing) {
  const NamespaceSettings& space = *personal_;
  if (space.location.format == MailFormat::mbox) return {};
  const auto root = root_of(space);
  if (!root) return fail(root.error());
  const auto file = read_small_file(**root, subscriptions_name);
  if (!file && file.error().kind == StoreError::Kind::not_found) return {};
  if (!file) return fail(file.error());
  for (const std::string& stored : parse_subscriptions(file->text)) {
    const auto name = name_of_subscription(stored);
    if (!name) continue;
    auto known = all.find(*name);
    if (known == all.end()) {
      if (!with_missing) continue;
      known = all.try_emplace(*name).first;
      known->second.name = *name;
      known->second.separator = space.separator;
      known->second.exists = false;
    }
    known->second.subscribed = true;
  }
  return {};
}

StoreResult<void> Store::note_special_uses(std::map<std::string, MailboxInfo>& all) {
  if (personal_->location.format == MailFormat::mbox) return {};
  const auto root = root_of(*personal_);
  if (!root) return fail(root.error());
  Notes notes = settings_.special_use;
  const auto file = read_small_file(**root, notes_name);
  if (file) {
    for (auto& [name, uses] : parse_notes(file->text)) notes[name] = uses;
  } else if (file.error().kind != StoreError::Kind::not_found) {
    return fail(file.error());
  }
  for (const auto& [name, uses] : notes) {
    const auto known = all.find(name);
    if (known == all.end()) continue;
    for (const std::string_view use : words(uses)) known->second.special_use.emplace_back(use);
  }
  return {};
}

StoreResult<void> Store::change_notes(const std::function<void(Notes&)>& change) {
  const auto root = root_of(*personal_);
  if (!root) return fail(root.error());
  auto lock = DotLock::try_acquire(host_.files(), **root, notes_name);
  if (!lock) return fail(std::move(lock.error()));
  const auto file = read_small_file(**root, notes_name);
  if (!file && file.error().kind != StoreError::Kind::not_found) return fail(file.error());
  const Notes before = file ? parse_notes(file->text) : Notes();
  Notes notes = before;
  change(notes);
  if (notes == before) return {};
  const auto written = replace_file(**root, notes_name, format_notes(notes), file_mode);
  if (!written) return fail(written.error());
  return {};
}

// A name as the file of subscriptions has it: of the personal namespace without its prefix, else whole; levels parted by dots.
std::string Store::subscription_of(const std::string& name) const {
  const auto place = place_of(name);
  if (place && place->space == personal_)
    return place->directory.empty() ? "INBOX" : place->directory.substr(1);
  std::string stored;
  for (const std::string_view level : split(name, personal_->separator))
    stored.append(stored.empty() ? "" : ".").append(imap::encode_utf7(level));
  return stored;
}

StoreResult<std::string> Store::name_of_subscription(const std::string& stored) const {
  if (is_inbox(stored)) return std::string("INBOX");
  NamespaceSettings whole = *personal_;
  whole.prefix.clear();
  auto name = name_of(whole, "." + stored);
  if (!name) return name;
  const std::string& others = settings_.others_prefix;
  bool elsewhere = !others.empty() && name->starts_with(others);
  for (const Space& space : spaces())
    elsewhere = elsewhere || (space != personal_ && name->starts_with(space->prefix));
  return elsewhere ? *name : personal_->prefix + *name;
}

StoreResult<void> Store::subscribe(const std::string& name, bool on) {
  // A share that is over can still be unsubscribed.
  if (const auto place = place_of(name);
      !place && (on || place.error().kind != StoreError::Kind::not_found))
    return fail(place.error());
  const auto root = root_of(*personal_);
  if (!root) return fail(root.error());
  auto lock = DotLock::try_acquire(host_.files(), **root, subscriptions_name);
  if (!lock) return fail(std::move(lock.error()));
  const auto file = read_small_file(**root, subscriptions_name);
  if (!file && file.error().kind != StoreError::Kind::not_found) return fail(file.error());
  std::set<std::string> names = file ? parse_subscriptions(file->text) : std::set<std::string>();
  const std::string stored = subscription_of(name);
  const bool changed = on ? names.insert(stored).second : names.erase(stored) > 0;
  if (!changed) return {};
  const auto written = replace_file(**root, subscriptions_name, format_subscriptions(names),
                                    file ? file->mode : file_mode);
  if (!written) return fail(written.error());
  return {};
}

StoreResult<void> Store::create(const std::string& name,
                                const std::vector<std::string>& special_use) {
  const auto place = place_of(name);
  if (!place) return fail(place.error());
  const StoreError exists(StoreError::Kind::already_exists,
                          "\"" + printable(name, 100) + "\" is there already");
  if (place->directory.empty()) return fail(exists);
  const auto root = root_of(*place->space);
  if (!root) return fail(root.error());
  if (const auto there = (*root)->open_directory(place->directory)) {
    if ((*there)->status("cur")) return fail(exists);
  }
  const auto maildir = open_maildir(host_.files(), place->space->location, place->directory);
  if (!maildir) return fail(maildir.error());
  // From here on it is there, and a second try would find it.
  auto lock =
      insist([&] { return DotLock::try_acquire(host_.files(), *maildir->root, uidlist_name); });
  if (!lock) return fail(std::move(lock.error()));
  if (!maildir->root->status(uidlist_name)) {
    UidList list;
    list.uid_validity = next_uid_validity(host_.files(), **root);
    list.guid = hex(random_octets(16));
    const auto written = replace_file(*maildir->root, uidlist_name, list.text(), file_mode);
    if (!written) return fail(written.error());
  }
  if (auto inherited = inherit_acl(*place); !inherited) return inherited;
  if (special_use.empty()) return {};
  const auto note = [&](Notes& notes) {
    std::string& uses = notes[name];
    for (const std::string& use : special_use) {
      if (uses.find(use) == std::string::npos) uses.append(uses.empty() ? "" : " ").append(use);
    }
  };
  return insist([&] { return change_notes(note); });
}

StoreResult<void> Store::remove(const std::string& name) {
  const auto place = place_of(name);
  if (!place) return fail(place.error());
  if (place->directory.empty()) return fail(bad_name(name, "can't be deleted"));
  const auto root = root_of(*place->space);
  if (!root) return fail(root.error());
  const auto directory = (*root)->open_directory(place->directory);
  if (!directory) return fail(StoreError(directory.error()));
  {
    auto lock = DotLock::try_acquire(host_.files(), **directory, uidlist_name);
    if (!lock) return fail(std::move(lock.error()));
    // One that a crash left.
    if ((*root)->status(trash_name)) static_cast<void>(remove_tree(**root, trash_name, deepest));
    if (auto moved = (*root)->rename_new(place->directory, **root, trash_name); !moved)
      return fail(StoreError(moved.error()));
    if (auto synced = (*root)->sync(); !synced) return fail(StoreError(synced.error()));
  }
  host_.forget(place->key());
  if (auto gone = remove_tree(**root, trash_name, deepest); !gone) remark(gone.error().text);
  static_cast<void>(Quota(host_.files(), **root, quota_rule(*place->space)).recount());
  const auto note = [&name](Notes& notes) { notes.erase(name); };
  return insist([&] { return change_notes(note); });
}

StoreResult<void> Store::rename_inbox(const std::string& to) {
  auto inbox = open("INBOX");
  if (!inbox) return fail(std::move(inbox.error()));
  if (auto synced = (*inbox)->sync(SyncRules()); !synced) return synced;
  if (auto made = create(to); !made) return made;
  auto target = open(to);
  if (!target) return fail(std::move(target.error()));
  std::vector<std::uint32_t> uids;
  for (const auto& chunk : (*inbox)->snapshot()->chunks())
    uids.insert(uids.end(), chunk->uid.begin(), chunk->uid.begin() + chunk->count);
  auto moved = insist([&] { return (*inbox)->move_to(**target, uids); });
  if (moved) return {};
  // If really nothing was moved, the new mailbox goes again.
  SyncRules look;
  look.full_scan = true;
  const auto looked = insist([&] { return (*target)->sync(look); });
  const bool empty = looked && (*target)->snapshot()->size() == 0;
  target->reset();
  if (empty) static_cast<void>(insist([&] { return remove(to); }));
  return fail(std::move(moved.error()));
}

StoreResult<void> Store::rename(const std::string& from, const std::string& to) {
  const auto source = place_of(from);
  if (!source) return fail(source.error());
  const auto target = place_of(to);
  if (!target) return fail(target.error());
  if (target->directory.empty())
    return fail(StoreError(StoreError::Kind::already_exists, "INBOX is there already"));
  if (source->directory.empty()) return rename_inbox(to);
  if (source->space != target->space) return fail(bad_name(to, "lies in another namespace"));
  if (target->directory.starts_with(source->directory + "."))
    return fail(bad_name(to, "lies below the mailbox itself"));
  const auto root = root_of(*source->space);
  if (!root) return fail(root.error());
  const auto directories = directories_of(**root);
  if (!directories) return fail(directories.error());
  // A mailbox and all below it: each gets its new name under its own lock.
  std::vector<std::pair<std::string, std::string>> moves;
  for (const std::string& directory : *directories) {
    if (directory != source->directory && !directory.starts_with(source->directory + ".")) continue;
    std::string next = target->directory + directory.substr(source->directory.size());
    if (next.size() > longest_directory) return fail(bad_name(to, "is too long"));
    if ((*root)->status(next))
      return fail(StoreError(StoreError::Kind::already_exists,
                             "\"" + printable(next, 100) + "\" is there already"));
    moves.emplace_back(directory, std::move(next));
  }
  if (moves.empty())
    return fail(StoreError(StoreError::Kind::not_found,
                           "there is no mailbox \"" + printable(from, 100) + "\""));
  for (const auto& [old_name, new_name] : moves) {
    const auto directory = (*root)->open_directory(old_name);
    if (!directory) return fail(StoreError(directory.error()));
    const auto take = [&] {
      return DotLock::try_acquire(host_.files(), **directory, uidlist_name);
    };
    // Behind the first, another try would not find it under its old name.
    auto lock = &old_name == &moves.front().first ? take() : insist(take);
    if (!lock) return fail(std::move(lock.error()));
    if (auto moved = (*root)->rename_new(old_name, **root, new_name); !moved)
      return fail(StoreError(moved.error()));
    const std::string path = source->space->location.path() + "/";
    host_.rename(path + old_name, path + new_name);
  }
  if (auto synced = (*root)->sync(); !synced) return fail(StoreError(synced.error()));
  const auto note = [&](Notes& notes) {
    Notes renamed;
    const std::string below = from + source->space->separator;
    for (const auto& [name, uses] : notes) {
      const bool moved = name == from || name.starts_with(below);
      renamed[moved ? to + name.substr(from.size()) : name] = uses;
    }
    notes = std::move(renamed);
  };
  return insist([&] { return change_notes(note); });
}

StoreResult<std::shared_ptr<OpenMailbox>> Store::open(const std::string& name) {
  const auto place = place_of(name);
  if (!place) return fail(place.error());
  const bool mbox = place->space->location.format == MailFormat::mbox;
  const auto slot = host_.slot(place->key());
  const std::lock_guard hold(slot->mutex);
  if (auto opened = slot->mailbox.lock()) return opened;
  auto opened = mbox ? StoreResult<std::shared_ptr<OpenMailbox>>(
                           std::make_shared<MboxBox>(host_, place->space->location))
                     : open_maildir_at(*place);
  if (opened) slot->mailbox = *opened;
  return opened;
}

StoreResult<std::shared_ptr<OpenMailbox>> Store::open_maildir_at(const Place& place) {
  const auto root = root_of(*place.space);
  if (!root) return fail(root.error());
  if (!place.directory.empty()) {
    const auto directory = (*root)->open_directory(place.directory);
    if (!directory) return fail(StoreError(directory.error()));
    if (const auto cur = (*directory)->status("cur"); !cur) return fail(StoreError(cur.error()));
  }
  auto directories = open_maildir(host_.files(), place.space->location, place.directory);
  if (!directories) return fail(std::move(directories.error()));
  std::unique_ptr<MailIndex> index;
  // The last user of this mailbox in this process may just be letting go of it, which may write much.
  const auto started = std::chrono::steady_clock::now();
  for (int attempt = 0; settings_.index && !index; ++attempt) {
    const bool closing = host_.is_closing(directories->path) &&
                         std::chrono::steady_clock::now() - started < longest_close;
    if (attempt >= 5 && !closing) break;
    if (attempt > 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    index = open_lmdb_index(*directories->root);
  }
  BoxSettings box;
  box.usage = [files = &host_.files(), location = place.space->location](std::int64_t octets,
                                                                         std::int64_t messages) {
    if (const auto at = open_location(*files, location)) add_usage(**at, octets, messages);
  };
  return std::make_shared<MaildirBox>(host_, std::move(*directories), std::move(index),
                                      std::move(box));
}

StoreResult<std::size_t> Store::rebuild_index(const std::string& name) {
  const auto place = place_of(name);
  if (!place) return fail(place.error());
  const auto root = root_of(*place->space);
  if (!root) return fail(root.error());
  Directory* directory = root->get();
  std::unique_ptr<Directory> folder;
  if (!place->directory.empty()) {
    auto opened = (*root)->open_directory(place->directory);
    if (!opened) return fail(StoreError(opened.error()));
    folder = std::move(*opened);
    directory = folder.get();
  }
  {
    const auto index = open_lmdb_index(*directory);
    if (!index)
      return fail(StoreError(StoreError::Kind::locked, "the index of \"" + printable(name, 100) +
                                                           "\" is in use by another program"));
    if (auto cleared = index->clear(); !cleared) return fail(std::move(cleared.error()));
  }
  auto box = open(name);
  if (!box) return fail(std::move(box.error()));
  if (auto synced = (*box)->sync(SyncRules()); !synced) return fail(std::move(synced.error()));
  return (*box)->snapshot()->size();
}

StoreResult<MailboxStatus> Store::status(const std::string& name, bool with_size) {
  auto box = open(name);
  if (!box) return fail(std::move(box.error()));
  if (auto synced = (*box)->sync(SyncRules()); !synced) return fail(std::move(synced.error()));
  if (with_size && (*box)->snapshot()->counts().unsized > 0) {
    std::vector<std::uint32_t> unsized;
    for (const auto& chunk : (*box)->snapshot()->chunks()) {
      for (std::size_t i = 0; i < chunk->count; ++i) {
        if ((chunk->flags[i] & flag::has_size) == 0) unsized.push_back(chunk->uid[i]);
      }
    }
    if (auto done = (*box)->measure(unsized, Need::size); !done)
      return fail(std::move(done.error()));
  }
  const auto snapshot = (*box)->snapshot();
  MailboxStatus status;
  status.uid_validity = snapshot->uid_validity();
  status.uid_next = snapshot->uid_next();
  status.highest_modseq = snapshot->highest_modseq();
  status.counts = snapshot->counts();
  status.guid = (*box)->guid();
  const std::size_t old = snapshot->lower_bound((*box)->take_recent(true));
  status.recent = static_cast<std::uint32_t>(snapshot->size() - old);
  for (std::string& text : (*box)->take_remarks()) remark(std::move(text));
  return status;
}

}  // namespace posthorn::store
