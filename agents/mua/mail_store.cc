#include "agents/mua/mail_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "agents/mua/imap_store.h"
#include "agents/mua/local_store.h"
#include "libmail/base/text.h"

namespace posthorn::mua {

using Kind = MailError::Kind;

namespace {

struct Role {
  std::string_view name;
  std::vector<std::string_view> folders;  // names in use where nothing is marked as special
};

const std::vector<Role>& roles() {
  static const std::vector<Role> all = {
      {"inbox", {"INBOX"}},
      {"sent", {"Sent", "Sent Items", "Sent Messages", "Sent Mail", "INBOX.Sent", "Gesendet"}},
      {"drafts", {"Drafts", "Draft", "INBOX.Drafts", "Entw\u00fcrfe"}},
      {"trash", {"Trash", "Deleted Items", "Deleted Messages", "INBOX.Trash", "Papierkorb"}},
      {"junk", {"Junk", "Spam", "Junk E-mail", "INBOX.Junk", "INBOX.Spam"}},
      {"archive", {"Archive", "Archives", "INBOX.Archive", "Archiv"}}};
  return all;
}

const Role* find_role(const std::string& word) {
  const std::string name = lower(word);
  const auto found = std::ranges::find(roles(), name, &Role::name);
  return found == roles().end() ? nullptr : &*found;
}

std::optional<std::string> folder_with(const Role& role, const std::vector<Folder>& folders) {
  for (const Folder& folder : folders) {
    if (folder.role == role.name && folder.selectable) return folder.name;
  }
  for (const std::string_view name : role.folders) {
    for (const Folder& folder : folders) {
      if (folder.selectable && iequals(folder.name, name)) return folder.name;
    }
  }
  return std::nullopt;
}

}  // namespace

Task<Mail<std::unique_ptr<MailStore>>> open_store(const Account& account, Deadline deadline) {
  switch (account.store) {
    case StoreKind::imap: {
      auto store = co_await open_imap_store(account, deadline);
      co_return store;
    }
    case StoreKind::mbox:
    case StoreKind::maildir: {
      auto store = co_await open_local_store(account, deadline);
      co_return store;
    }
    case StoreKind::pop3:
      co_return fail(MailError(Kind::unsupported, "POP3 has no folders to work with",
                               "mua get fetches its mail into a Maildir or an mbox"));
    case StoreKind::none:
      break;
  }
  co_return fail(MailError(Kind::config, "the account says no store",
                           "store = \"imap\" or \"maildir\" in its table"));
}

Mail<std::string> choose_folder(const std::vector<Folder>& folders, const Account& account,
                                std::string word) {
  const Role* role = find_role(word);
  if (role == nullptr) return word;
  const auto named = account.folders.find(std::string(role->name));
  if (named != account.folders.end()) return named->second;
  if (role->name == "inbox") return std::string("INBOX");
  auto found = folder_with(*role, folders);
  if (found) return std::move(*found);
  return fail(
      MailError(Kind::not_found, fmt::format("there is no folder for {}", role->name),
                fmt::format("{} = \"...\" in [accounts.{}.folders]", role->name, account.name)));
}

Task<Mail<std::string>> find_folder(MailStore& store, const Account& account, std::string word) {
  std::vector<Folder> none;
  auto chosen = choose_folder(none, account, word);
  if (chosen) co_return chosen;
  const auto folders = co_await store.folders(false);
  if (!folders) co_return fail(folders.error());
  chosen = choose_folder(*folders, account, std::move(word));
  co_return chosen;
}

Task<Mail<Octets>> read_octets(MailStore& store, std::uint32_t uid) {
  OctetsWriter writer;
  Mail<void> kept;
  Sink sink = [&](std::string_view octets) {
    kept = writer.append(octets);
    return kept.has_value();
  };
  const auto done = co_await store.read(uid, std::move(sink));
  if (!done) co_return fail(done.error());
  if (!kept) co_return fail(kept.error());
  co_return writer.finish();
}

Task<Mail<std::string>> read_whole(MailStore& store, std::uint32_t uid, std::size_t limit) {
  std::string whole;
  Sink sink = [&whole, limit](std::string_view octets) {
    whole += octets;
    return whole.size() <= limit;
  };
  const auto done = co_await store.read(uid, std::move(sink));
  if (!done) co_return fail(done.error());
  if (whole.size() > limit) {
    const std::string text = fmt::format("message {} is larger than {} MiB", uid, limit >> 20);
    co_return fail(MailError(Kind::bad_data, text, "mua read --raw streams it"));
  }
  co_return whole;
}

}  // namespace posthorn::mua
