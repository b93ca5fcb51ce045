#include "libmail/imap/client/response.h"

#include <algorithm>
#include <array>

#include "libmail/base/text.h"
#include "libmail/imap/mailbox_name.h"

namespace posthorn::imap::client {

namespace {

// Words behind which only words for people and a code come.
std::optional<Condition> condition_of(std::string_view word) {
  for (const Condition one :
       {Condition::ok, Condition::no, Condition::bad, Condition::bye, Condition::preauth})
    if (iequals(word, name_of(one))) return one;
  return std::nullopt;
}

bool is_word_char(char c) {
  return is_atom_char(c);
}

std::string scan_name(Scanner& in) {
  std::string name = name_from_server(in.astring(), in.dialect().utf8);
  return is_inbox(name) ? "INBOX" : name;
}

SearchNumbers scan_numbers(Scanner& in, bool sorted) {
  SearchNumbers found;
  found.sorted = sorted;
  while (in.ok() && in.take(' ')) {
    if (in.at_end()) break;
    if (in.take('(')) {
      in.want_word("MODSEQ ");
      found.modseq = in.number64();
      in.want(')');
      break;
    }
    found.numbers.push_back(in.nz_number());
    if (found.numbers.size() > in.dialect().items) in.fail_here("fewer numbers");
  }
  return found;
}

std::vector<NumberRange> scan_ranges(Scanner& in) {
  std::vector<NumberRange> ranges;
  (void)scan_number_set(in, &ranges);
  return ranges;
}

// ADDTO (0 32768:32769 1 5)
void scan_update(Scanner& in,
                 std::vector<std::pair<std::uint32_t, std::vector<NumberRange>>>& into) {
  in.enter();
  do {
    const std::uint32_t position = in.number();
    in.space();
    into.emplace_back(position, scan_ranges(in));
    if (into.size() > in.dialect().items) in.fail_here("fewer updates");
  } while (in.ok() && in.take(' '));
  in.leave();
}

void scan_correlator(Scanner& in, ESearch& found) {
  if (!in.next_is(" (")) return;
  in.space();
  in.enter();
  do {
    const std::string word = upper(in.atom());
    in.space();
    if (word == "TAG") {
      found.tag = in.astring();
    } else if (word == "MAILBOX") {
      found.mailbox = scan_name(in);
    } else if (word == "UIDVALIDITY") {
      found.uid_validity = in.nz_number();
    } else {
      (void)in.skip_value();
    }
  } while (in.ok() && in.take(' '));
  in.leave();
}

void scan_esearch_item(Scanner& in, const std::string& word, ESearch& found) {
  if (word == "MIN") {
    found.min = in.nz_number();
  } else if (word == "MAX") {
    found.max = in.nz_number();
  } else if (word == "COUNT") {
    found.count = in.number();
  } else if (word == "ALL") {
    found.all = scan_number_set(in, &found.all_order);
  } else if (word == "MODSEQ") {
    found.modseq = in.number64();
  } else if (word == "PARTIAL") {
    in.enter();
    found.partial_range = scan_partial_range(in);
    in.space();
    if (!in.take_word("NIL")) found.partial = scan_ranges(in);
    in.leave();
  } else if (word == "ADDTO") {
    scan_update(in, found.added);
  } else if (word == "REMOVEFROM") {
    scan_update(in, found.removed);
  } else {
    (void)in.skip_value();
  }
}

Response scan_esearch(Scanner& in) {
  ESearch found;
  scan_correlator(in, found);
  if (in.take_word(" UID")) found.uid = true;
  while (in.ok() && in.take(' ')) {
    if (in.at_end()) break;
    const std::string word = upper(in.atom());
    in.space();
    scan_esearch_item(in, word, found);
  }
  return found;
}

Response scan_vanished(Scanner& in) {
  Vanished gone;
  in.space();
  gone.earlier = in.take_word("(EARLIER) ");
  gone.uids = scan_number_set(in);
  return gone;
}

std::vector<NamespaceEntry> scan_namespaces(Scanner& in) {
  std::vector<NamespaceEntry> list;
  if (in.take_word("NIL")) return list;
  in.enter();
  while (in.ok() && in.peek() != ')') {
    NamespaceEntry entry;
    in.enter();
    entry.prefix = name_from_server(in.string(), in.dialect().utf8);
    in.space();
    const std::optional<std::string> separator = in.nstring();
    if (separator && separator->size() == 1) entry.separator = separator->front();
    while (in.ok() && in.take(' ')) (void)in.skip_value();
    in.leave();
    list.push_back(std::move(entry));
    if (list.size() > in.dialect().items) in.fail_here("fewer namespaces");
    (void)in.take(' ');
  }
  in.leave();
  return list;
}

Response scan_namespace(Scanner& in) {
  NamespaceData data;
  in.space();
  data.personal = scan_namespaces(in);
  in.space();
  data.others = scan_namespaces(in);
  in.space();
  data.shared = scan_namespaces(in);
  return data;
}

Response scan_id(Scanner& in) {
  IdData data;
  in.space();
  if (in.take_word("NIL")) return data;
  in.enter();
  while (in.ok() && in.peek() != ')') {
    std::string field = in.string();
    in.space();
    data.fields.emplace_back(std::move(field), in.nstring().value_or(""));
    if (data.fields.size() > 1000) in.fail_here("fewer fields");
    if (in.peek() != ')') in.space();
  }
  in.leave();
  return data;
}

Response scan_quota(Scanner& in) {
  QuotaData data;
  in.space();
  data.root = in.astring();
  in.space();
  in.enter();
  while (in.ok() && in.peek() != ')') {
    QuotaResource resource;
    resource.name = upper(in.atom());
    in.space();
    resource.usage = in.number64();
    in.space();
    resource.limit = in.number64();
    data.resources.push_back(std::move(resource));
    if (data.resources.size() > in.dialect().items) in.fail_here("fewer resources");
    if (in.peek() != ')') in.space();
  }
  in.leave();
  return data;
}

// A mailbox, then strings to the end.
std::vector<std::string> scan_strings(Scanner& in) {
  std::vector<std::string> list;
  while (in.ok() && in.take(' ')) {
    if (in.at_end()) break;
    list.push_back(in.astring());
    if (list.size() > in.dialect().items) in.fail_here("fewer strings");
  }
  return list;
}

Response scan_quota_root(Scanner& in) {
  QuotaRoots data;
  in.space();
  data.mailbox = scan_name(in);
  data.roots = scan_strings(in);
  return data;
}

Response scan_acl(Scanner& in) {
  AclData data;
  in.space();
  data.mailbox = scan_name(in);
  const std::vector<std::string> words = scan_strings(in);
  for (std::size_t i = 0; i + 1 < words.size(); i += 2)
    data.rights.emplace_back(words[i], words[i + 1]);
  return data;
}

Response scan_my_rights(Scanner& in) {
  MyRightsData data;
  in.space();
  data.mailbox = scan_name(in);
  in.space();
  data.rights = in.astring();
  return data;
}

Response scan_list_rights(Scanner& in) {
  ListRightsData data;
  in.space();
  data.mailbox = scan_name(in);
  in.space();
  data.identifier = in.astring();
  data.rights = scan_strings(in);
  return data;
}

Response scan_metadata(Scanner& in) {
  MetadataData data;
  in.space();
  data.mailbox = scan_name(in);
  in.space();
  if (in.peek() != '(') {  // only told that they changed
    do {
      data.entries.emplace_back(in.astring(), std::nullopt);
    } while (in.ok() && in.take(' ') && data.entries.size() < in.dialect().items);
    return data;
  }
  in.enter();
  while (in.ok() && in.peek() != ')') {
    std::string entry = in.astring();
    in.space();
    data.entries.emplace_back(std::move(entry), in.nstring());
    if (data.entries.size() > in.dialect().items) in.fail_here("fewer entries");
    if (in.peek() != ')') in.space();
  }
  in.leave();
  return data;
}

Response scan_list(Scanner& in, bool lsub) {
  ListData data;
  data.lsub = lsub;
  in.space();
  data.entry = scan_list_entry(in);
  return data;
}

Response scan_status(Scanner& in) {
  StatusAnswer answer;
  in.space();
  answer.mailbox = scan_name(in);
  in.space();
  answer.data = scan_status_data(in);
  return answer;
}

Response scan_capability(Scanner& in) {
  CapabilityData data;
  data.capabilities = Capabilities::parse(in.rest());
  in.skip_to(std::string_view::npos);
  return data;
}

Response scan_enabled(Scanner& in) {
  Enabled data;
  for (const std::string_view word : words(in.rest())) data.capabilities.push_back(upper(word));
  in.skip_to(std::string_view::npos);
  return data;
}

Response scan_flags(Scanner& in) {
  FlagsList data;
  in.space();
  data.flags = scan_flag_list(in, FlagUse::reading);
  return data;
}

Response scan_uid_fetch(Scanner& in) {
  Fetched data;
  in.space();
  data.uid = in.nz_number();
  in.space();
  scan_fetched(in, data);
  return data;
}

Response scan_thread(Scanner& in) {
  ThreadData data;
  if (in.take(' ')) data.threads = scan_threads(in);
  return data;
}

using Scan = Response (*)(Scanner& in);
constexpr std::array<std::pair<std::string_view, Scan>, 21> responses = {{
    {"ACL", scan_acl},
    {"CAPABILITY", scan_capability},
    {"ENABLED", scan_enabled},
    {"ESEARCH", scan_esearch},
    {"FLAGS", scan_flags},
    {"ID", scan_id},
    {"LIST", [](Scanner& in) { return scan_list(in, false); }},
    {"LISTRIGHTS", scan_list_rights},
    {"LSUB", [](Scanner& in) { return scan_list(in, true); }},
    {"METADATA", scan_metadata},
    {"MYRIGHTS", scan_my_rights},
    {"NAMESPACE", scan_namespace},
    {"QUOTA", scan_quota},
    {"QUOTAROOT", scan_quota_root},
    {"SEARCH", [](Scanner& in) { return Response(scan_numbers(in, false)); }},
    {"SORT", [](Scanner& in) { return Response(scan_numbers(in, true)); }},
    {"STATUS", scan_status},
    {"THREAD", scan_thread},
    {"UIDFETCH", scan_uid_fetch},
    {"VANISHED", scan_vanished},
    {"XLIST", [](Scanner& in) { return scan_list(in, false); }},
}};

// "12 EXISTS"
Response scan_numbered(Scanner& in) {
  const std::uint32_t number = in.number();
  in.space();
  const std::size_t begin = in.position();
  const std::string word = upper(in.atom());
  if (word == "EXISTS") return Exists{number};
  if (word == "RECENT") return Recent{number};
  if (word == "EXPUNGE") return Expunged{number};
  if (word == "FETCH") {
    Fetched data;
    if (number == 0) in.fail_at(begin, "a message number that isn't 0");
    data.number = number;
    in.space();
    scan_fetched(in, data);
    return data;
  }
  in.skip_to(std::string_view::npos);
  return UnknownData{word};
}

Response scan_untagged(Scanner& in) {
  if (is_digit(in.peek())) return scan_numbered(in);
  const std::string word = upper(in.take_while(is_word_char));
  if (const auto condition = condition_of(word)) {
    (void)in.take(' ');
    StatusText status = parse_status_text(*condition, in.rest());
    in.skip_to(std::string_view::npos);
    return status;
  }
  const auto* const known = std::find_if(responses.begin(), responses.end(),
                                         [&word](const auto& one) { return one.first == word; });
  if (known != responses.end()) return known->second(in);
  in.skip_to(std::string_view::npos);
  return UnknownData{word};
}

}  // namespace

Result<ResponseLine, SyntaxError> parse_response(const Line& line, bool utf8) {
  Dialect dialect;
  dialect.utf8 = utf8;
  dialect.lenient = true;
  const Limits limits = Limits::of_client();
  dialect.nesting = limits.nesting;
  dialect.items = limits.items;
  Scanner in(line, dialect);
  ResponseLine response;
  if (in.take('+')) {
    (void)in.take(' ');
    response.tag = "+";
    response.body = parse_status_text(Condition::ok, in.rest());
    return response;
  }
  if (in.take('*')) {
    response.tag = "*";
    in.space();
    response.body = scan_untagged(in);
    in.want_end();
  } else {
    response.tag = in.tag();
    in.space();
    const std::size_t begin = in.position();
    const auto condition = condition_of(in.take_while(is_word_char));
    if (!condition || *condition == Condition::bye || *condition == Condition::preauth) {
      in.fail_at(begin, "OK, NO or BAD");
    } else {
      (void)in.take(' ');
      response.body = parse_status_text(*condition, in.rest());
    }
  }
  if (!in.ok()) return fail(in.error());
  return response;
}

}  // namespace posthorn::imap::client
