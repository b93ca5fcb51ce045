// Commands about mailboxes, their quota, rights and metadata.
#include "libmail/base/text.h"
#include "libmail/imap/command_parsers.h"

namespace posthorn::imap {

namespace {

constexpr std::size_t most_patterns = 100;
constexpr std::size_t most_entries = 100;

// RFC 7162 3.2.5: (uidvalidity modseq [known-uids] [(seqs uids)])
QResync scan_qresync(Scanner& in) {
  QResync sync;
  in.enter();
  sync.uid_validity = in.nz_number();
  in.space();
  sync.modseq = in.number64();
  if (in.take(' ') && in.peek() != '(') {
    sync.known_uids = scan_number_set(in);
    if (!in.take(' ')) {
      in.leave();
      return sync;
    }
  }
  if (in.peek() == '(') {
    in.enter();
    NumberSet numbers = scan_number_set(in);
    in.space();
    NumberSet uids = scan_number_set(in);
    if (numbers.count() != uids.count()) in.fail_here("as many UIDs as message numbers");
    sync.sequence_match.emplace(std::move(numbers), std::move(uids));
    in.leave();
  }
  in.leave();
  return sync;
}

void scan_select_parameters(Scanner& in, Select& select) {
  in.enter();
  do {
    if (in.take_word("CONDSTORE")) {
      select.condstore = true;
    } else if (in.take_word("QRESYNC")) {
      in.space();
      select.qresync = scan_qresync(in);
    } else {
      in.fail_here("CONDSTORE or QRESYNC");
    }
  } while (in.ok() && in.take(' '));
  in.leave();
}

std::optional<std::string> scan_pattern(Scanner& in, char separator) {
  const std::string wire = in.list_mailbox();
  Result<std::string, NameError> name = name_from_wire(wire, in.dialect().utf8, separator);
  if (!name) return std::nullopt;
  return std::move(*name);
}

void scan_patterns(const CommandArguments& args, List& list) {
  Scanner& in = args.in;
  const auto add = [&] {
    if (auto pattern = scan_pattern(in, args.separator))
      list.patterns.push_back(std::move(*pattern));
  };
  if (in.peek() != '(') return add();
  list.extended = true;
  std::size_t count = 0;
  in.enter();
  do {
    add();
    if (++count > most_patterns) in.fail_here("fewer patterns");
  } while (in.ok() && in.take(' '));
  in.leave();
}

std::string scan_entry(Scanner& in) {
  const std::size_t begin = in.position();
  std::string entry = lower(in.astring());
  const bool known = istarts_with(entry, "/private/") || istarts_with(entry, "/shared/") ||
                     entry == "/private" || entry == "/shared";
  const bool plain = entry.find("//") == std::string::npos &&
                     entry.find_first_of("*%") == std::string::npos &&
                     (entry.empty() || entry.back() != '/') && is_ascii(entry);
  if (in.ok() && (!known || !plain)) in.fail_at(begin, "an entry such as /private/comment");
  return entry;
}

void scan_metadata_options(Scanner& in, GetMetadata& get) {
  in.enter();
  do {
    if (in.take_word("MAXSIZE ")) {
      get.max_size = in.number64();
    } else if (in.take_word("DEPTH ")) {
      if (in.take('0')) {
        get.depth = GetMetadata::Depth::zero;
      } else if (in.take('1')) {
        get.depth = GetMetadata::Depth::one;
      } else {
        in.want_word("infinity");
        get.depth = GetMetadata::Depth::infinity;
      }
    } else {
      in.fail_here("MAXSIZE or DEPTH");
    }
  } while (in.ok() && in.take(' '));
  in.leave();
}

}  // namespace

CommandBody scan_select(const CommandArguments& args) {
  Select select;
  select.read_only = args.name == "EXAMINE";
  select.mailbox = args.mailbox();
  if (args.in.take(' ')) scan_select_parameters(args.in, select);
  return select;
}

CommandBody scan_create(const CommandArguments& args) {
  Scanner& in = args.in;
  Create create;
  create.mailbox = args.mailbox();
  if (!in.take(' ')) return create;
  in.enter();
  in.want_word("USE ");
  in.enter();
  while (in.ok() && in.peek() != ')') {
    const std::size_t begin = in.position();
    create.special_use.emplace_back(in.flag_word());
    if (create.special_use.back().substr(0, 1) != "\\")
      in.fail_at(begin, "a special use such as \\Sent");
    if (create.special_use.size() > most_entries) in.fail_at(begin, "fewer special uses");
    if (in.peek() != ')') in.space();
  }
  in.leave();
  in.leave();
  return create;
}

CommandBody scan_delete(const CommandArguments& args) {
  Delete remove;
  remove.mailbox = args.mailbox();
  return remove;
}

CommandBody scan_rename(const CommandArguments& args) {
  Rename rename;
  rename.from = args.mailbox();
  rename.to = args.mailbox();
  return rename;
}

CommandBody scan_subscribe(const CommandArguments& args) {
  Subscribe subscribe;
  subscribe.on = args.name == "SUBSCRIBE";
  subscribe.mailbox = args.mailbox();
  return subscribe;
}

CommandBody scan_list(const CommandArguments& args) {
  Scanner& in = args.in;
  List list;
  list.lsub = args.name == "LSUB";
  in.space();
  if (in.peek() == '(' && !list.lsub) {
    list.extended = true;
    list.selection = scan_list_selection(in);
    in.space();
  }
  const std::string reference = in.astring();
  if (auto name = name_from_wire(reference, in.dialect().utf8, args.separator)) {
    list.reference = std::move(*name);
    in.space();
    scan_patterns(args, list);
  } else {
    // Nothing is below what is no name.
    in.space();
    scan_patterns(args, list);
    list.patterns.clear();
  }
  if (list.lsub || !in.take(' ')) return list;
  list.extended = true;
  in.want_word("RETURN ");
  list.returns = scan_list_return(in);
  return list;
}

CommandBody scan_status(const CommandArguments& args) {
  Status status;
  status.mailbox = args.mailbox();
  args.in.space();
  status.items = scan_status_items(args.in);
  return status;
}

CommandBody scan_quota(const CommandArguments& args) {
  if (args.name == "GETQUOTAROOT") {
    GetQuotaRoot get;
    get.mailbox = args.mailbox();
    return get;
  }
  GetQuota get;
  args.in.space();
  get.root = args.in.astring();
  return get;
}

CommandBody scan_set_quota(const CommandArguments& args) {
  Scanner& in = args.in;
  SetQuota set;
  in.space();
  set.root = in.astring();
  in.space();
  in.enter();
  while (in.ok() && in.peek() != ')') {
    std::string resource = upper(in.atom());
    in.space();
    set.limits.emplace_back(std::move(resource), in.number64());
    if (set.limits.size() > most_entries) in.fail_here("fewer resources");
    if (in.peek() != ')') in.space();
  }
  in.leave();
  return set;
}

CommandBody scan_acl(const CommandArguments& args) {
  Scanner& in = args.in;
  MailboxName mailbox = args.mailbox();
  if (args.name == "GETACL" || args.name == "MYRIGHTS") {
    if (args.name == "GETACL") return GetAcl{std::move(mailbox)};
    return MyRights{std::move(mailbox)};
  }
  in.space();
  std::string identifier = in.astring();
  if (args.name == "DELETEACL") return DeleteAcl{std::move(mailbox), std::move(identifier)};
  if (args.name == "LISTRIGHTS") return ListRights{std::move(mailbox), std::move(identifier)};
  SetAcl set;
  set.mailbox = std::move(mailbox);
  set.identifier = std::move(identifier);
  in.space();
  const std::size_t begin = in.position();
  set.rights = in.astring();
  const char sign = set.rights.empty() ? '\0' : set.rights.front();
  if (sign == '+' || sign == '-') {
    set.how = sign == '+' ? SetAcl::How::add : SetAcl::How::remove;
    set.rights.erase(0, 1);
  }
  for (const char c : set.rights)
    if (!(c >= 'a' && c <= 'z') && !is_digit(c))
      in.fail_at(begin, "rights in lower-case letters and digits");
  return set;
}

CommandBody scan_get_metadata(const CommandArguments& args) {
  Scanner& in = args.in;
  GetMetadata get;
  in.space();
  // RFC 5464 4.2 has the options in front; many clients say them behind the mailbox.
  if (in.peek() == '(') {
    scan_metadata_options(in, get);
    in.space();
  }
  get.mailbox = scan_mailbox(in, args.separator);
  in.space();
  if (in.next_is("(MAXSIZE") || in.next_is("(DEPTH")) {
    scan_metadata_options(in, get);
    in.space();
  }
  if (in.peek() != '(') {
    get.entries.push_back(scan_entry(in));
    return get;
  }
  in.enter();
  do {
    get.entries.push_back(scan_entry(in));
    if (get.entries.size() > most_entries) in.fail_here("fewer entries");
  } while (in.ok() && in.take(' '));
  in.leave();
  return get;
}

CommandBody scan_set_metadata(const CommandArguments& args) {
  Scanner& in = args.in;
  SetMetadata set;
  set.mailbox = args.mailbox();
  in.space();
  in.enter();
  do {
    std::string entry = scan_entry(in);
    in.space();
    set.entries.emplace_back(std::move(entry), in.nstring());
    if (set.entries.size() > most_entries) in.fail_here("fewer entries");
  } while (in.ok() && in.take(' '));
  in.leave();
  return set;
}

}  // namespace posthorn::imap
