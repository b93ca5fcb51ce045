#include "libmail/imap/command.h"

#include <algorithm>
#include <array>

#include "libmail/base/text.h"
#include "libmail/imap/command_parsers.h"

namespace posthorn::imap {

namespace {

enum class Uid : std::uint8_t { never, may, must };

struct Known {
  std::string_view name;
  CommandBody (*scan)(const CommandArguments& args);
  Uid uid = Uid::never;
};

constexpr std::array<Known, 38> commands = {{
    {"APPEND", nullptr},
    {"AUTHENTICATE", scan_authenticate},
    {"CANCELUPDATE", scan_cancel_update},
    {"COMPRESS", scan_compress},
    {"COPY", scan_copy, Uid::may},
    {"CREATE", scan_create},
    {"DELETE", scan_delete},
    {"DELETEACL", scan_acl},
    {"ENABLE", scan_enable},
    {"ESEARCH", scan_search},
    {"EXAMINE", scan_select},
    {"EXPUNGE", scan_uid_expunge, Uid::must},
    {"FETCH", scan_fetch, Uid::may},
    {"GETACL", scan_acl},
    {"GETMETADATA", scan_get_metadata},
    {"GETQUOTA", scan_quota},
    {"GETQUOTAROOT", scan_quota},
    {"ID", scan_id},
    {"LIST", scan_list},
    {"LISTRIGHTS", scan_acl},
    {"LOGIN", scan_login},
    {"LSUB", scan_list},
    {"MOVE", scan_copy, Uid::may},
    {"MYRIGHTS", scan_acl},
    {"NOTIFY", scan_notify},
    {"RENAME", scan_rename},
    {"REPLACE", nullptr, Uid::may},
    {"SEARCH", scan_search, Uid::may},
    {"SELECT", scan_select},
    {"SETACL", scan_acl},
    {"SETMETADATA", scan_set_metadata},
    {"SETQUOTA", scan_set_quota},
    {"SORT", scan_sort, Uid::may},
    {"STATUS", scan_status},
    {"STORE", scan_store, Uid::may},
    {"SUBSCRIBE", scan_subscribe},
    {"THREAD", scan_thread, Uid::may},
    {"UNSUBSCRIBE", scan_subscribe},
}};

constexpr std::array<std::pair<std::string_view, Simple>, 11> simple_commands = {{
    {"CAPABILITY", Simple::capability},
    {"NOOP", Simple::noop},
    {"LOGOUT", Simple::logout},
    {"STARTTLS", Simple::starttls},
    {"CHECK", Simple::check},
    {"CLOSE", Simple::close},
    {"EXPUNGE", Simple::expunge},
    {"UNSELECT", Simple::unselect},
    {"IDLE", Simple::idle},
    {"NAMESPACE", Simple::name_space},
    {"UNAUTHENTICATE", Simple::unauthenticate},
}};

bool is_name_char(char c) {
  return is_alnum(c) || c == '-' || c == '_' || c == '.' || c == '=';
}

const Known* find_command(std::string_view name, bool uid) {
  for (const Known& one : commands)
    if (one.name == name && (uid ? one.uid != Uid::never : one.uid != Uid::must)) return &one;
  return nullptr;
}

CommandError error_of(const CommandHead& head, const Scanner& in) {
  CommandError error;
  error.tag = head.tag;
  error.name = head.name;
  error.error = in.error();
  return error;
}

CommandError unknown(const CommandHead& head) {
  CommandError error;
  error.tag = head.tag;
  error.unknown = true;
  return error;
}

}  // namespace

std::string CommandError::text() const {
  if (unknown) return "unknown command";
  return name.empty() ? error.text() : name + ": " + error.text();
}

Result<CommandHead, CommandError> parse_command_head(std::string_view text) {
  Scanner in(text);
  CommandHead head;
  head.tag = in.tag();
  if (head.tag.empty()) head.tag = "*";
  in.space();
  head.name = upper(in.take_while(is_name_char));
  if (head.name.empty()) in.fail_here("a command");
  if (head.name == "UID") {
    in.space();
    head.name += ' ' + upper(in.take_while(is_name_char));
  }
  if (!in.ok()) {
    head.name.clear();
    return fail(error_of(head, in));
  }
  head.arguments = std::min(in.position() + 1, text.size());
  return head;
}

Result<Command, CommandError> parse_command(const Line& line, const CommandDialect& dialect) {
  Result<CommandHead, CommandError> head = parse_command_head(line.text);
  if (!head) return fail(std::move(head.error()));
  const bool uid = head->name.compare(0, 4, "UID ") == 0;
  const std::string_view name = std::string_view(head->name).substr(uid ? 4 : 0);

  Scanner in(line, dialect.syntax);
  (void)in.tag();
  in.space();
  in.take_word(head->name);
  Command command;
  command.tag = head->tag;
  const auto* const simple = std::find_if(simple_commands.begin(), simple_commands.end(),
                                          [name](const auto& one) { return one.first == name; });
  if (!uid && simple != simple_commands.end()) {
    command.body = simple->second;
  } else if (const Known* known = find_command(name, uid); known == nullptr) {
    return fail(unknown(*head));
  } else if (known->scan == nullptr) {
    // Its message never came as a literal: append_command.h would have had it.
    in.fail_here("a mailbox name and a message in a literal");
  } else {
    command.body = known->scan(CommandArguments{in, dialect.separator, uid, name});
  }
  in.want_end();
  if (!in.ok()) return fail(error_of(*head, in));
  return command;
}

MailboxName scan_mailbox(Scanner& in, char separator) {
  const std::string wire = in.astring();
  MailboxName mailbox;
  if (!in.ok()) return mailbox;
  Result<std::string, NameError> name = name_from_wire(wire, in.dialect().utf8, separator);
  if (name) {
    mailbox.name = std::move(*name);
  } else {
    mailbox.bad_name = name.error();
  }
  return mailbox;
}

}  // namespace posthorn::imap
