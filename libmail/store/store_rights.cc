// Who may do what, who shares what, and how much there may be: `dovecot-acl`, the list of shares, quotas.
#include "libmail/base/text.h"
#include "libmail/store/dotlock.h"
#include "libmail/store/keywords.h"
#include "libmail/store/maildir.h"
#include "libmail/store/retry.h"
#include "libmail/store/share_list.h"
#include "libmail/store/store.h"

namespace posthorn::store {

namespace {

constexpr const char* acl_name = "dovecot-acl";
// Dovecot's list of mailboxes that others see, which it makes anew when it is gone.
constexpr const char* acl_list_name = "dovecot-acl-list";
constexpr std::uint64_t longest_acl = 256 * 1024;
constexpr std::uint64_t longest_share_list = 16 << 20;

using Kind = NamespaceSettings::Kind;

// The owner has everything unless the file says otherwise; what can't be taken away is always added.
// False: it does.
bool give_owner(Acl& acl, const std::string& owner) {
  const std::string by_name = "user=" + owner;
  for (const AclEntry& entry : acl.entries()) {
    if (!entry.negative && (entry.identifier == "owner" || entry.identifier == by_name))
      return false;
  }
  AclEntry entry;
  entry.identifier = by_name;
  entry.rights = Rights::all();
  acl.set(std::move(entry));
  return true;
}

// What stands in no file is put into none.
void take_owner(Acl& acl, const std::string& owner) {
  AclEntry entry;
  entry.identifier = "user=" + owner;
  for (const AclEntry& known : acl.entries()) {
    if (known.identifier == entry.identifier && !known.negative && known.rights != Rights::all())
      return;
  }
  acl.set(std::move(entry));
}

// The level above in a directory's name: ".Lists" of ".Lists.C++", "" of ".Lists".
std::string above(const std::string& directory) {
  return directory.substr(0, directory.rfind('.'));
}

struct SplitPath {
  std::string directory;
  std::string name;
};

SplitPath split_path(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  SplitPath parts;
  parts.directory = path.substr(0, slash == 0 ? 1 : slash);
  parts.name = path.substr(slash + 1);
  return parts;
}

StoreResult<std::optional<std::string>> small_text(Directory& directory, const std::string& name,
                                                   std::uint64_t limit) {
  auto file = read_small_file(directory, name, limit);
  if (file) return std::optional(std::move(file->text));
  if (file.error().kind == StoreError::Kind::not_found) return std::optional<std::string>();
  return fail(std::move(file.error()));
}

}  // namespace

Rights Rights::of_owner() {
  return parse("la");
}

std::vector<Store::Space> Store::spaces() const {
  const std::lock_guard hold(mutex_);
  return spaces_;
}

void Store::add_namespace(NamespaceSettings space) {
  const std::lock_guard hold(mutex_);
  for (const Space& known : spaces_) {
    if (known->prefix == space.prefix) return;
  }
  spaces_.push_back(std::make_shared<const NamespaceSettings>(std::move(space)));
}

bool Store::has_namespace(const std::string& prefix) const {
  const auto all = spaces();
  return std::any_of(all.begin(), all.end(),
                     [&prefix](const Space& space) { return space->prefix == prefix; });
}

// Nothing: it has no file. not_found: there is no such mailbox.
StoreResult<std::optional<std::string>> Store::acl_text(const Place& place) const {
  const auto root = root_of(*place.space);
  if (!root) return fail(root.error());
  if (place.directory.empty()) return small_text(**root, acl_name, longest_acl);
  const auto directory = (*root)->open_directory(place.directory);
  if (!directory) return fail(StoreError(directory.error()));
  return small_text(**directory, acl_name, longest_acl);
}

StoreResult<Rights> Store::rights_at(const Place& place) const {
  const bool own = place.space->kind == Kind::personal;
  if (place.space->location.format == MailFormat::mbox) return own ? Rights::all() : Rights();
  const auto text = acl_text(place);
  if (!text && text.error().kind == StoreError::Kind::not_found)
    return own ? Rights::all() : Rights();
  if (!text) return fail(text.error());
  if (!*text) return own ? Rights::all() : Rights();
  Acl acl = Acl::parse(**text);
  if (own) give_owner(acl, settings_.user);
  Rights rights = acl.rights_of(settings_.user, settings_.groups, own);
  if (own) rights.add(Rights::of_owner());
  return rights;
}

StoreResult<Rights> Store::rights(const std::string& name) {
  const auto place = place_of(name);
  if (!place) return fail(place.error());
  return rights_at(*place);
}

StoreResult<bool> Store::authorise(const std::string& name, Right right) {
  const auto has = rights(name);
  if (!has) return fail(has.error());
  if (has->has(right)) return true;
  if (has->has(Right::lookup)) return false;
  return fail(StoreError(StoreError::Kind::not_found,
                         "\"" + printable(name, 100) + "\" is not there, or hidden"));
}

StoreResult<bool> Store::may_create(const std::string& name) {
  auto place = place_of(name);
  if (!place) return fail(place.error());
  const auto root = root_of(*place->space);
  if (!root) return fail(root.error());
  while (!place->directory.empty()) {
    place->directory = above(place->directory);
    const bool there = place->directory.empty() || (*root)->status(place->directory);
    if (!there) continue;
    if (place->directory.empty() && place->space->kind == Kind::personal) return true;
    const auto has = rights_at(*place);
    if (!has) return fail(has.error());
    return has->has(Right::create);
  }
  return false;
}

std::string Store::owner_of(const NamespaceSettings& space) const {
  return space.kind == Kind::personal ? settings_.user : space.owner;
}

std::string Store::owner_of(const std::string& mailbox) const {
  const auto place = place_of(mailbox);
  return place ? owner_of(*place->space) : std::string();
}

StoreResult<Acl> Store::acl(const std::string& name) {
  const auto place = place_of(name);
  if (!place) return fail(place.error());
  const auto text = acl_text(*place);
  if (!text) return fail(text.error());
  Acl acl = *text ? Acl::parse(**text) : Acl();
  if (const std::string owner = owner_of(*place->space); !owner.empty()) give_owner(acl, owner);
  return acl;
}

StoreResult<void> Store::change_acl(const std::string& name,
                                    const std::function<void(Acl&)>& change) {
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
    auto lock = DotLock::try_acquire(host_.files(), *directory, acl_name);
    if (!lock) return fail(std::move(lock.error()));
    const auto text = small_text(*directory, acl_name, longest_acl);
    if (!text) return fail(text.error());
    Acl acl = *text ? Acl::parse(**text) : Acl();
    const std::string owner = owner_of(*place->space);
    const bool given = !owner.empty() && give_owner(acl, owner);
    change(acl);
    if (given) take_owner(acl, owner);
    const std::string next = acl.text();
    if (next.size() > longest_acl)
      return fail(StoreError(StoreError::Kind::refused, "an ACL of more than 256 KiB"));
    if (next.empty()) {
      if (*text) static_cast<void>(directory->unlink(acl_name));
    } else if (const auto written = replace_file(*directory, acl_name, next, file_mode); !written) {
      return fail(written.error());
    }
  }
  static_cast<void>((*root)->unlink(acl_list_name));
  return insist([&] { return note_shares(*place->space); });
}

// What is made has the ACL of the mailbox above it (RFC 4314 4), or of the namespace that is not the user's own.
StoreResult<void> Store::inherit_acl(const Place& place) {
  const auto root = root_of(*place.space);
  if (!root) return fail(root.error());
  Place from = place;
  while (!from.directory.empty()) {
    from.directory = above(from.directory);
    if (from.directory.empty() && place.space->kind == Kind::personal) return {};
    const auto text = acl_text(from);
    if (!text && text.error().kind == StoreError::Kind::not_found) continue;
    if (!text) return fail(text.error());
    if (!*text) return {};
    const auto directory = (*root)->open_directory(place.directory);
    if (!directory) return fail(StoreError(directory.error()));
    const auto written = replace_file(**directory, acl_name, **text, file_mode);
    if (!written) return fail(written.error());
    return {};
  }
  return {};
}

// With whom the owner of the namespace shares anything, put into the list of shares.
StoreResult<void> Store::note_shares(const NamespaceSettings& space) {
  if (settings_.share_list.empty() || space.kind == Kind::shared) return {};
  const std::string owner = owner_of(space);
  const auto root = root_of(space);
  if (!root) return fail(root.error());
  auto directories = directories_of(**root);
  if (!directories) return fail(std::move(directories.error()));
  directories->emplace_back();  // INBOX
  std::set<std::string> identifiers;
  for (const std::string& directory : *directories) {
    Place place;
    place.space = std::make_shared<const NamespaceSettings>(space);
    place.directory = directory;
    const auto text = acl_text(place);
    if (!text || !*text) continue;
    const Acl acl = Acl::parse(**text);
    for (const AclEntry& entry : acl.entries()) {
      if (!entry.negative && entry.rights.has(Right::lookup)) identifiers.insert(entry.identifier);
    }
  }
  const SplitPath path = split_path(settings_.share_list);
  const auto directory = host_.files().open_directory(path.directory);
  if (!directory) return fail(StoreError(directory.error()));
  auto lock = DotLock::try_acquire(host_.files(), **directory, path.name);
  if (!lock) return fail(std::move(lock.error()));
  const auto text = small_text(**directory, path.name, longest_share_list);
  if (!text) return fail(text.error());
  const std::string before = text->value_or("");
  const std::string next = with_shares_of(before, owner, identifiers);
  if (next == before) return {};
  const auto written = replace_file(**directory, path.name, next, file_mode);
  if (!written) return fail(written.error());
  return {};
}

StoreResult<std::set<std::string>> Store::sharers() {
  if (settings_.share_list.empty()) return std::set<std::string>();
  const SplitPath path = split_path(settings_.share_list);
  const auto directory = host_.files().open_directory(path.directory);
  if (!directory) return fail(StoreError(directory.error()));
  const auto text = small_text(**directory, path.name, longest_share_list);
  if (!text) return fail(text.error());
  return sharers_with(text->value_or(""), settings_.user, settings_.groups);
}

// ---- quota ----

const QuotaLimits& Store::quota_rule(const NamespaceSettings& space) const {
  return space.kind == Kind::personal ? settings_.quota : space.quota;
}

std::optional<std::string> Store::quota_root(const std::string& mailbox) const {
  const auto place = place_of(mailbox);
  if (!place || place->space->kind == Kind::shared) return std::nullopt;
  if (place->space->kind == Kind::personal) return std::string();
  return place->space->prefix.substr(0, place->space->prefix.size() - 1);
}

StoreResult<QuotaUsage> Store::quota(const std::string& mailbox) {
  const auto place = place_of(mailbox);
  if (!place) return fail(place.error());
  if (place->space->location.format == MailFormat::mbox) return QuotaUsage();
  const auto root = root_of(*place->space);
  if (!root) return fail(root.error());
  return Quota(host_.files(), **root, quota_rule(*place->space)).usage();
}

StoreResult<QuotaUsage> Store::set_quota(const std::string& mailbox, const QuotaLimits& limits) {
  const auto place = place_of(mailbox);
  if (!place) return fail(place.error());
  const auto root = root_of(*place->space);
  if (!root) return fail(root.error());
  return Quota(host_.files(), **root, quota_rule(*place->space)).set_limits(limits);
}

}  // namespace posthorn::store
