#include "libmail/imap/list.h"

#include <algorithm>
#include <array>

#include "libmail/base/text.h"
#include "libmail/imap/mailbox_name.h"
#include "libmail/imap/writer.h"

namespace posthorn::imap {

namespace {

struct Item {
  StatusItem item;
  std::string_view name;
  std::optional<std::uint64_t> StatusData::* value;  // nullptr: MAILBOXID
};
constexpr std::array<Item, 11> status_items = {{
    {StatusItem::messages, "MESSAGES", &StatusData::messages},
    {StatusItem::recent, "RECENT", &StatusData::recent},
    {StatusItem::uid_next, "UIDNEXT", &StatusData::uid_next},
    {StatusItem::uid_validity, "UIDVALIDITY", &StatusData::uid_validity},
    {StatusItem::unseen, "UNSEEN", &StatusData::unseen},
    {StatusItem::deleted, "DELETED", &StatusData::deleted},
    {StatusItem::size, "SIZE", &StatusData::size},
    {StatusItem::highest_modseq, "HIGHESTMODSEQ", &StatusData::highest_modseq},
    {StatusItem::append_limit, "APPENDLIMIT", &StatusData::append_limit},
    {StatusItem::mailbox_id, "MAILBOXID", nullptr},
    {StatusItem::deleted_storage, "DELETED-STORAGE", &StatusData::deleted_storage},
}};

bool is_option_char(char c) {
  return is_alnum(c) || c == '-' || c == '.';
}

const Item* find_item(std::string_view word) {
  for (const Item& one : status_items)
    if (iequals(one.name, word)) return &one;
  return nullptr;
}

// "(/shared/comment /private/comment)", or with options in front (RFC 9590 takes none but the entries).
std::vector<std::string> scan_entries(Scanner& in) {
  std::vector<std::string> entries;
  in.enter();
  do {
    entries.push_back(lower(in.astring()));
    if (entries.size() > in.dialect().items) in.fail_here("fewer entries");
  } while (in.ok() && in.take(' '));
  in.leave();
  return entries;
}

void append_word(std::string& text, bool wanted, std::string_view word) {
  if (!wanted) return;
  if (!text.empty()) text += ' ';
  text += word;
}

}  // namespace

StatusItems scan_status_items(Scanner& in) {
  unsigned items = 0;
  in.enter();
  do {
    const std::size_t begin = in.position();
    const Item* item = find_item(in.take_while(is_option_char));
    if (item == nullptr) {
      in.fail_at(begin, "a STATUS item");
      break;
    }
    items |= static_cast<unsigned>(item->item);
  } while (in.take(' '));
  in.leave();
  return static_cast<StatusItems>(items);
}

std::string status_items_text(StatusItems items) {
  std::string text;
  for (const Item& one : status_items)
    append_word(text, (items & static_cast<unsigned>(one.item)) != 0, one.name);
  return text;
}

StatusData scan_status_data(Scanner& in) {
  StatusData data;
  in.enter();
  while (in.ok() && in.peek() != ')') {
    const std::string_view word = in.atom();
    const Item* item = find_item(word);
    in.space();
    if (item == nullptr) {
      (void)in.skip_value();
    } else if (item->value == nullptr) {
      in.enter();
      data.mailbox_id = in.atom();
      in.leave();
    } else if (!in.take_word("NIL")) {
      data.*(item->value) = in.number64();
    }
    if (in.peek() != ')') in.space();
  }
  in.leave();
  return data;
}

std::string status_data_text(const StatusData& data) {
  std::string text;
  for (const Item& one : status_items) {
    if (one.value == nullptr) {
      append_word(text, !data.mailbox_id.empty(), "MAILBOXID (" + data.mailbox_id + ")");
    } else if (data.*(one.value)) {
      append_word(text, true, std::string(one.name) + ' ' + std::to_string(*(data.*(one.value))));
    }
  }
  return '(' + text + ')';
}

ListSelection scan_list_selection(Scanner& in) {
  ListSelection options;
  const std::size_t begin = in.position();
  in.enter();
  while (in.ok() && in.peek() != ')') {
    const std::size_t at = in.position();
    const std::string word = upper(in.take_while(is_option_char));
    if (word == "SUBSCRIBED") {
      options.subscribed = true;
    } else if (word == "REMOTE") {
      options.remote = true;
    } else if (word == "RECURSIVEMATCH") {
      options.recursive_match = true;
    } else if (word == "SPECIAL-USE") {
      options.special_use = true;
    } else {
      in.fail_at(at, "SUBSCRIBED, REMOTE, RECURSIVEMATCH or SPECIAL-USE");
    }
    if (in.peek() != ')') in.space();
  }
  in.leave();
  // RFC 5258 section 3: it says nothing on its own.
  if (options.recursive_match && !options.subscribed && !options.special_use)
    in.fail_at(begin, "RECURSIVEMATCH beside another selection option");
  return options;
}

ListReturn scan_list_return(Scanner& in) {
  ListReturn options;
  in.enter();
  while (in.ok() && in.peek() != ')') {
    const std::size_t at = in.position();
    const std::string word = upper(in.take_while(is_option_char));
    if (word == "SUBSCRIBED") {
      options.subscribed = true;
    } else if (word == "CHILDREN") {
      options.children = true;
    } else if (word == "SPECIAL-USE") {
      options.special_use = true;
    } else if (word == "MYRIGHTS") {
      options.my_rights = true;
    } else if (word == "STATUS") {
      in.space();
      options.status = scan_status_items(in);
    } else if (word == "METADATA") {
      in.space();
      options.metadata = scan_entries(in);
    } else {
      in.fail_at(at, "SUBSCRIBED, CHILDREN, SPECIAL-USE, MYRIGHTS, STATUS or METADATA");
    }
    if (in.peek() != ')') in.space();
  }
  in.leave();
  return options;
}

std::string list_selection_text(const ListSelection& options) {
  std::string text;
  append_word(text, options.subscribed, "SUBSCRIBED");
  append_word(text, options.remote, "REMOTE");
  append_word(text, options.recursive_match, "RECURSIVEMATCH");
  append_word(text, options.special_use, "SPECIAL-USE");
  return '(' + text + ')';
}

std::string list_return_text(const ListReturn& options) {
  std::string text;
  append_word(text, options.subscribed, "SUBSCRIBED");
  append_word(text, options.children, "CHILDREN");
  append_word(text, options.special_use, "SPECIAL-USE");
  append_word(text, options.my_rights, "MYRIGHTS");
  append_word(text, options.status != 0, "STATUS (" + status_items_text(options.status) + ")");
  Writer entries;
  for (const std::string& entry : options.metadata) {
    if (!entries.text().empty()) entries.sp();
    entries.astring(entry);
  }
  append_word(text, !options.metadata.empty(), "METADATA (" + entries.text() + ")");
  return '(' + text + ')';
}

bool ListEntry::has(std::string_view attribute) const {
  return std::any_of(attributes.begin(), attributes.end(),
                     [attribute](const std::string& one) { return iequals(one, attribute); });
}

ListEntry scan_list_entry(Scanner& in) {
  ListEntry entry;
  const bool utf8 = in.dialect().utf8;
  in.enter();
  while (in.ok() && in.peek() != ')') {
    entry.attributes.emplace_back(in.flag_word());
    if (entry.attributes.size() > in.dialect().items) in.fail_here("fewer attributes");
    if (in.peek() != ')') in.space();
  }
  in.leave();
  in.space();
  const std::optional<std::string> separator = in.nstring();
  if (separator && separator->size() == 1) entry.separator = separator->front();
  in.space();
  entry.name = name_from_server(in.astring(), utf8);
  if (is_inbox(entry.name)) entry.name = "INBOX";
  if (!in.take(' ') || in.at_end()) return entry;
  // mbox-list-extended: ("CHILDINFO" ("SUBSCRIBED") "OLDNAME" ("x"))
  in.enter();
  while (in.ok() && in.peek() != ')') {
    const std::string tag = upper(in.astring());
    in.space();
    if (tag == "CHILDINFO" && in.enter()) {
      do {
        entry.child_info.push_back(upper(in.astring()));
      } while (in.ok() && in.take(' ') && entry.child_info.size() < in.dialect().items);
      in.leave();
    } else if (tag == "OLDNAME" && in.enter()) {
      entry.old_name = name_from_server(in.astring(), utf8);
      in.leave();
    } else {
      (void)in.skip_value();
    }
    if (in.peek() != ')') in.space();
  }
  in.leave();
  return entry;
}

std::string list_entry_text(const ListEntry& entry, bool utf8, std::string_view word) {
  Writer out(Writer::Literals::server, utf8);
  out.raw(word).sp().list(entry.attributes).sp();
  if (entry.separator == '\0') {
    out.raw("NIL");
  } else {
    out.raw(imap::quoted(std::string(1, entry.separator)));
  }
  out.sp().astring(name_to_wire(entry.name, utf8));
  if (entry.child_info.empty() && !entry.old_name) return out.take();
  out.raw(" (");
  if (!entry.child_info.empty()) {
    out.raw("\"CHILDINFO\" (");
    for (std::size_t i = 0; i < entry.child_info.size(); ++i) {
      if (i > 0) out.sp();
      out.raw(imap::quoted(entry.child_info[i]));
    }
    out.raw(entry.old_name ? ") " : ")");
  }
  if (entry.old_name)
    out.raw("\"OLDNAME\" (").astring(name_to_wire(*entry.old_name, utf8)).raw(")");
  out.raw(")");
  return out.take();
}

}  // namespace posthorn::imap
