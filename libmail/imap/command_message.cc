// Commands about the messages of the selected mailbox, and searching in others.
#include "libmail/base/text.h"
#include "libmail/imap/command_parsers.h"

namespace posthorn::imap {

namespace {

SequenceSet scan_messages(const CommandArguments& args) {
  args.in.space();
  return scan_sequence_set(args.in);
}

void scan_fetch_modifiers(Scanner& in, Fetch& fetch) {
  const std::size_t begin = in.position();
  in.enter();
  do {
    if (in.take_word("CHANGEDSINCE ")) {
      fetch.changed_since = in.number64();
    } else if (in.take_word("VANISHED")) {
      fetch.vanished = true;
    } else if (in.take_word("PARTIAL ")) {
      fetch.partial = scan_partial_range(in);
    } else {
      in.fail_here("CHANGEDSINCE, VANISHED or PARTIAL");
    }
  } while (in.ok() && in.take(' '));
  in.leave();
  if (fetch.vanished && (!fetch.changed_since || !fetch.uid))
    in.fail_at(begin, "VANISHED with CHANGEDSINCE, of UID FETCH");
  if (fetch.partial && !fetch.uid) in.fail_at(begin, "PARTIAL of UID FETCH");
}

// " RETURN (...)" if it is there.
std::optional<ReturnOptions> scan_return(Scanner& in) {
  if (!in.take_word(" RETURN ")) return std::nullopt;
  return scan_return_options(in);
}

std::string scan_charset(Scanner& in) {
  return upper(in.astring());
}

// IN (MAILBOXES (a b) SUBTREE c), RFC 7377 section 2.1.
std::vector<SearchSource> scan_sources(Scanner& in, char separator) {
  std::vector<SearchSource> sources;
  in.enter();
  do {
    MailboxFilter filter = scan_mailbox_filter(in, separator);
    SearchSource source;
    source.kind = filter.kind;
    source.mailboxes = std::move(filter.mailboxes);
    sources.push_back(std::move(source));
    if (sources.size() > in.dialect().items) in.fail_here("fewer sources");
  } while (in.ok() && in.take(' '));
  if (in.take_word(" (")) in.fail_here("no scope options");
  in.leave();
  return sources;
}

}  // namespace

CommandBody scan_fetch(const CommandArguments& args) {
  Fetch fetch;
  fetch.uid = args.uid;
  fetch.messages = scan_messages(args);
  args.in.space();
  fetch.items = scan_fetch_items(args.in);
  if (args.in.take(' ')) scan_fetch_modifiers(args.in, fetch);
  return fetch;
}

CommandBody scan_store(const CommandArguments& args) {
  Scanner& in = args.in;
  Store store;
  store.uid = args.uid;
  store.messages = scan_messages(args);
  in.space();
  if (in.peek() == '(') {
    in.enter();
    in.want_word("UNCHANGEDSINCE ");
    store.unchanged_since = in.number64();
    in.leave();
    in.space();
  }
  if (in.take('+'))
    store.how = Store::How::add;
  else if (in.take('-')) {
    store.how = Store::How::remove;
  }
  in.want_word("FLAGS");
  store.silent = in.take_word(".SILENT");
  in.space();
  store.flags = scan_flags_to_end(in);
  return store;
}

CommandBody scan_copy(const CommandArguments& args) {
  Copy copy;
  copy.uid = args.uid;
  copy.move = args.name == "MOVE";
  copy.messages = scan_messages(args);
  copy.to = args.mailbox();
  return copy;
}

CommandBody scan_uid_expunge(const CommandArguments& args) {
  UidExpunge expunge;
  expunge.messages = scan_messages(args);
  return expunge;
}

CommandBody scan_search(const CommandArguments& args) {
  Scanner& in = args.in;
  Search search;
  search.uid = args.uid;
  if (args.name == "ESEARCH") {
    search.uid = true;  // RFC 7377 2.1: always UIDs
    search.sources.emplace();
    if (in.take_word(" IN ")) *search.sources = scan_sources(in, args.separator);
  }
  search.returns = scan_return(in);
  if (search.sources && !search.returns) search.returns.emplace().all = true;
  if (in.take_word(" CHARSET ")) search.charset = scan_charset(in);
  in.space();
  search.key = scan_search_keys(in);
  return search;
}

CommandBody scan_sort(const CommandArguments& args) {
  Scanner& in = args.in;
  Sort sort;
  sort.uid = args.uid;
  sort.returns = scan_return(in);
  in.space();
  sort.criteria = scan_sort_criteria(in);
  in.space();
  sort.charset = scan_charset(in);
  in.space();
  sort.key = scan_search_keys(in);
  return sort;
}

CommandBody scan_thread(const CommandArguments& args) {
  Scanner& in = args.in;
  Thread thread;
  thread.uid = args.uid;
  in.space();
  const std::size_t begin = in.position();
  const auto algorithm = thread_algorithm(in.atom());
  if (algorithm) {
    thread.algorithm = *algorithm;
  } else {
    in.fail_at(begin, "ORDEREDSUBJECT, REFERENCES or REFS");
  }
  in.space();
  thread.charset = scan_charset(in);
  in.space();
  thread.key = scan_search_keys(in);
  return thread;
}

}  // namespace posthorn::imap
