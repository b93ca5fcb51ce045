// The argument parsers behind parse_command(), by subject. Each begins right behind the command's name.
#pragma once

#include "libmail/imap/command.h"

namespace posthorn::imap {

struct CommandArguments {
  Scanner& in;
  char separator;
  bool uid;               // UID was said
  std::string_view name;  // upper case, without "UID "

  // A space and a mailbox name.
  [[nodiscard]] MailboxName mailbox() const {
    in.space();
    return scan_mailbox(in, separator);
  }
};

// command_session.cc
CommandBody scan_id(const CommandArguments& args);
CommandBody scan_authenticate(const CommandArguments& args);
CommandBody scan_login(const CommandArguments& args);
CommandBody scan_enable(const CommandArguments& args);
CommandBody scan_compress(const CommandArguments& args);
CommandBody scan_notify(const CommandArguments& args);
CommandBody scan_cancel_update(const CommandArguments& args);

// command_mailbox.cc
CommandBody scan_select(const CommandArguments& args);
CommandBody scan_create(const CommandArguments& args);
CommandBody scan_delete(const CommandArguments& args);
CommandBody scan_rename(const CommandArguments& args);
CommandBody scan_subscribe(const CommandArguments& args);
CommandBody scan_list(const CommandArguments& args);
CommandBody scan_status(const CommandArguments& args);
CommandBody scan_quota(const CommandArguments& args);
CommandBody scan_set_quota(const CommandArguments& args);
CommandBody scan_acl(const CommandArguments& args);
CommandBody scan_get_metadata(const CommandArguments& args);
CommandBody scan_set_metadata(const CommandArguments& args);

// command_message.cc
CommandBody scan_fetch(const CommandArguments& args);
CommandBody scan_store(const CommandArguments& args);
CommandBody scan_copy(const CommandArguments& args);
CommandBody scan_uid_expunge(const CommandArguments& args);
CommandBody scan_search(const CommandArguments& args);
CommandBody scan_sort(const CommandArguments& args);
CommandBody scan_thread(const CommandArguments& args);

// Of NOTIFY and ESEARCH: which mailboxes. SELECTED is said in two ways, the rest in one.
struct MailboxFilter {
  SearchSource::Kind kind = SearchSource::Kind::selected;
  std::vector<MailboxName> mailboxes;
};
[[nodiscard]] MailboxFilter scan_mailbox_filter(Scanner& in, char separator);

}  // namespace posthorn::imap
