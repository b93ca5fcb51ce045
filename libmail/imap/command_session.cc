// Commands about the session: ID, AUTHENTICATE, LOGIN, ENABLE, COMPRESS, NOTIFY, CANCELUPDATE.
#include <algorithm>
#include <array>

#include "libmail/base/base64.h"
#include "libmail/base/text.h"
#include "libmail/imap/command_parsers.h"

namespace posthorn::imap {

namespace {

constexpr std::size_t most_id_fields = 30;  // RFC 2971 section 3.3
constexpr std::size_t most_words = 100;

constexpr std::array<std::string_view, 10> notify_events = {"MessageNew",
                                                            "MessageExpunge",
                                                            "FlagChange",
                                                            "AnnotationChange",
                                                            "MailboxName",
                                                            "SubscriptionChange",
                                                            "MailboxMetadataChange",
                                                            "ServerMetadataChange",
                                                            "QuotaChange",
                                                            "ACLChange"};

struct Where {
  std::string_view name;
  SearchSource::Kind kind;
  bool names;  // one mailbox, or several in parentheses, follow
};
// A name that begins another stands behind it.
constexpr std::array<Where, 8> wheres = {{
    {"SELECTED-DELAYED", SearchSource::Kind::selected_delayed, false},
    {"SELECTED", SearchSource::Kind::selected, false},
    {"INBOXES", SearchSource::Kind::inboxes, false},
    {"PERSONAL", SearchSource::Kind::personal, false},
    {"SUBSCRIBED", SearchSource::Kind::subscribed, false},
    {"SUBTREE-ONE", SearchSource::Kind::subtree_one, true},
    {"SUBTREE", SearchSource::Kind::subtree, true},
    {"MAILBOXES", SearchSource::Kind::mailboxes, true},
}};

bool is_base64_char(char c) {
  return is_alnum(c) || c == '+' || c == '/' || c == '=';
}

bool is_word_char(char c) {
  return is_alnum(c) || c == '-';
}

// "(MessageNew (UID FLAGS) MessageExpunge)" or NONE.
void scan_events(Scanner& in, NotifyEvents& into) {
  if (in.take_word("NONE")) {
    into.none = true;
    return;
  }
  in.enter();
  do {
    const std::size_t begin = in.position();
    const std::string_view word = in.take_while(is_word_char);
    if (word.empty()) return in.fail_at(begin, "an event of NOTIFY");
    const auto* const known =
        std::find_if(notify_events.begin(), notify_events.end(),
                     [word](std::string_view one) { return iequals(one, word); });
    into.events.emplace_back(known == notify_events.end() ? word : *known);
    if (into.events.size() > most_words) return in.fail_at(begin, "fewer events");
    if (into.events.back() == "MessageNew" && in.next_is(" (")) {
      in.space();
      into.new_message = scan_fetch_items(in);
    }
  } while (in.ok() && in.take(' '));
  in.leave();
}

NotifyEvents scan_event_group(Scanner& in, char separator) {
  NotifyEvents group;
  in.enter();
  MailboxFilter filter = scan_mailbox_filter(in, separator);
  // The two enumerations name the same things in the same order.
  group.where = static_cast<NotifyEvents::Where>(filter.kind);
  group.mailboxes = std::move(filter.mailboxes);
  in.space();
  scan_events(in, group);
  in.leave();
  return group;
}

}  // namespace

MailboxFilter scan_mailbox_filter(Scanner& in, char separator) {
  MailboxFilter filter;
  const std::size_t begin = in.position();
  const std::string_view word = in.take_while(is_word_char);
  const auto* const where = std::find_if(
      wheres.begin(), wheres.end(), [word](const Where& one) { return iequals(one.name, word); });
  if (where == wheres.end()) {
    in.fail_at(begin, "SELECTED, INBOXES, PERSONAL, SUBSCRIBED, SUBTREE or MAILBOXES");
    return filter;
  }
  filter.kind = where->kind;
  if (!where->names) return filter;
  in.space();
  if (in.peek() != '(') {
    filter.mailboxes.push_back(scan_mailbox(in, separator));
    return filter;
  }
  in.enter();
  do {
    filter.mailboxes.push_back(scan_mailbox(in, separator));
    if (filter.mailboxes.size() > in.dialect().items) in.fail_at(begin, "fewer mailboxes");
  } while (in.ok() && in.take(' '));
  in.leave();
  return filter;
}

CommandBody scan_id(const CommandArguments& args) {
  Scanner& in = args.in;
  Id id;
  in.space();
  if (in.take_word("NIL")) return id;
  in.enter();
  while (in.ok() && in.peek() != ')') {
    std::string field = in.string();
    in.space();
    id.fields.emplace_back(std::move(field), in.nstring());
    if (id.fields.size() > most_id_fields) in.fail_here("no more than 30 fields");
    if (in.peek() != ')') in.space();
  }
  in.leave();
  return id;
}

CommandBody scan_authenticate(const CommandArguments& args) {
  Scanner& in = args.in;
  Authenticate authenticate;
  in.space();
  authenticate.mechanism = upper(in.atom());
  if (!in.take(' ')) return authenticate;
  if (in.take('=')) {
    authenticate.initial = "";
    return authenticate;
  }
  const std::size_t begin = in.position();
  authenticate.initial = decode_base64(in.take_while(is_base64_char));
  if (!authenticate.initial) in.fail_at(begin, "base64");
  return authenticate;
}

CommandBody scan_login(const CommandArguments& args) {
  Login login;
  args.in.space();
  login.user = args.in.astring();
  args.in.space();
  login.password = args.in.astring();
  return login;
}

CommandBody scan_enable(const CommandArguments& args) {
  Enable enable;
  args.in.space();
  do {
    enable.capabilities.push_back(upper(args.in.atom()));
    if (enable.capabilities.size() > most_words) args.in.fail_here("fewer capabilities");
  } while (args.in.ok() && args.in.take(' '));
  return enable;
}

CommandBody scan_compress(const CommandArguments& args) {
  args.in.space();
  args.in.want_word("DEFLATE");
  return Simple::compress;
}

CommandBody scan_cancel_update(const CommandArguments& args) {
  CancelUpdate cancel;
  do {
    args.in.space();
    cancel.tags.push_back(args.in.string());
    if (cancel.tags.size() > most_words) args.in.fail_here("fewer tags");
  } while (args.in.ok() && args.in.peek() == ' ');
  return cancel;
}

CommandBody scan_notify(const CommandArguments& args) {
  Scanner& in = args.in;
  Notify notify;
  in.space();
  if (in.take_word("NONE")) {
    notify.none = true;
    return notify;
  }
  in.want_word("SET");
  notify.status = in.take_word(" STATUS");
  do {
    in.space();
    notify.sets.push_back(scan_event_group(in, args.separator));
    if (notify.sets.size() > most_words) in.fail_here("fewer event groups");
  } while (in.ok() && in.peek() == ' ');
  return notify;
}

}  // namespace posthorn::imap
