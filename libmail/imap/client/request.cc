#include "libmail/imap/client/request.h"

#include <utility>

#include "libmail/base/base64.h"
#include "libmail/base/text.h"

namespace posthorn::imap::client {

namespace {

class Builder {
 public:
  Builder(const Manner& manner, std::string_view name)
      : out(manner.literals, manner.utf8), utf8_(manner.utf8) {
    request.name = name;
    out.raw(name);
  }
  Builder& mailbox(std::string_view name) {
    out.sp().astring(name_to_wire(name, utf8_));
    return *this;
  }
  Builder& word(std::string_view text) {
    out.sp().raw(text);
    return *this;
  }
  Request done() {
    request.breaks = out.breaks();
    request.text = out.take();
    return std::move(request);
  }

  Writer out;
  Request request;

 private:
  bool utf8_;
};

std::string name_for(bool uid, std::string_view name) {
  return (uid ? "UID " : "") + std::string(name);
}

void write_keys(Builder& to, const std::string& charset, const SearchKey& key, bool charset_first) {
  if (charset_first) {
    to.word(charset.empty() ? "UTF-8" : charset);
  } else if (!charset.empty()) {
    to.word("CHARSET " + charset);
  }
  to.out.sp();
  // The outermost keys need no parentheses.
  if (key.kind == SearchKey::Kind::both) {
    for (std::size_t i = 0; i < key.children.size(); ++i) {
      if (i > 0) to.out.sp();
      write_search_key(to.out, key.children[i]);
    }
  } else {
    write_search_key(to.out, key);
  }
}

}  // namespace

Manner::Manner(const Capabilities& server, bool utf8_enabled) : utf8(utf8_enabled) {
  if (server.has("LITERAL+")) {
    literals = Writer::Literals::plus;
  } else if (server.has("LITERAL-") || server.rev2()) {
    literals = Writer::Literals::small_plus;
  }
}

Request simple(std::string_view name, Answers answers) {
  Request request;
  request.name = name;
  request.text = name;
  request.answers = answers;
  request.continues = name == "IDLE";
  return request;
}

Request login(const Manner& manner, std::string_view user, std::string_view password) {
  Builder to(manner, "LOGIN");
  to.out.sp().astring(user).sp().astring(password);
  to.request.answers = Answers::alone;
  return to.done();
}

Request authenticate(std::string_view mechanism, const std::optional<std::string>& initial) {
  Builder to(Manner(), "AUTHENTICATE");
  to.word(mechanism);
  if (initial) to.word(initial->empty() ? "=" : encode_base64(*initial));
  to.request.answers = Answers::alone;
  to.request.continues = true;
  return to.done();
}

Request id(const Manner& manner, const std::vector<std::pair<std::string, std::string>>& fields) {
  Builder to(manner, "ID");
  if (fields.empty()) {
    to.word("NIL");
    return to.done();
  }
  to.out.raw(" (");
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) to.out.sp();
    to.out.string(fields[i].first).sp().string(fields[i].second);
  }
  to.out.raw(")");
  return to.done();
}

Request enable(const std::vector<std::string>& capabilities) {
  Builder to(Manner(), "ENABLE");
  for (const std::string& one : capabilities) to.word(one);
  to.request.answers = Answers::alone;
  return to.done();
}

Request select(const Manner& manner, const Select& what) {
  Builder to(manner, what.read_only ? "EXAMINE" : "SELECT");
  to.request.mailbox = what.mailbox.name;
  to.mailbox(what.mailbox.name);
  if (what.qresync) {
    const QResync& sync = *what.qresync;
    std::string words =
        "(QRESYNC (" + std::to_string(sync.uid_validity) + ' ' + std::to_string(sync.modseq);
    if (sync.known_uids && !sync.known_uids->empty()) words += ' ' + sync.known_uids->text();
    if (sync.sequence_match)
      words +=
          " (" + sync.sequence_match->first.text() + ' ' + sync.sequence_match->second.text() + ')';
    to.word(words + "))");
  } else if (what.condstore) {
    to.word("(CONDSTORE)");
  }
  to.request.answers = Answers::alone;
  return to.done();
}

Request on_mailbox(const Manner& manner, std::string_view name, std::string_view mailbox) {
  Builder to(manner, name);
  to.mailbox(mailbox);
  return to.done();
}

Request create(const Manner& manner, const Create& what) {
  Builder to(manner, "CREATE");
  to.mailbox(what.mailbox.name);
  if (!what.special_use.empty()) {
    to.out.raw(" (USE ").list(what.special_use).raw(")");
  }
  return to.done();
}

Request rename(const Manner& manner, std::string_view from, std::string_view into) {
  Builder to(manner, "RENAME");
  to.mailbox(from).mailbox(into);
  return to.done();
}

Request list(const Manner& manner, const List& what) {
  Builder to(manner, what.lsub ? "LSUB" : "LIST");
  if (what.selection != ListSelection()) to.word(list_selection_text(what.selection));
  to.mailbox(what.reference);
  to.out.sp();
  const auto pattern = [&](const std::string& one) {
    to.out.string(name_to_wire(one, manner.utf8));
  };
  if (what.patterns.size() == 1) {
    pattern(what.patterns[0]);
  } else {
    to.out.raw("(");
    for (std::size_t i = 0; i < what.patterns.size(); ++i) {
      if (i > 0) to.out.sp();
      pattern(what.patterns[i]);
    }
    to.out.raw(")");
  }
  if (what.returns != ListReturn()) to.word("RETURN " + list_return_text(what.returns));
  to.request.answers = Answers::list;
  return to.done();
}

Request status(const Manner& manner, std::string_view mailbox, StatusItems items) {
  Builder to(manner, "STATUS");
  to.mailbox(mailbox).word("(" + status_items_text(items) + ")");
  return to.done();
}

Request fetch(const Fetch& what) {
  Builder to(Manner(), name_for(what.uid, "FETCH"));
  to.word(what.messages.text()).word(fetch_items_text(what.items));
  std::string modifiers;
  if (what.changed_since) modifiers += "CHANGEDSINCE " + std::to_string(*what.changed_since);
  if (what.vanished) modifiers += " VANISHED";
  if (what.partial)
    modifiers += (modifiers.empty() ? "PARTIAL " : " PARTIAL ") + partial_range_text(*what.partial);
  if (!modifiers.empty()) to.word("(" + modifiers + ")");
  to.request.by_number = !what.uid;
  return to.done();
}

Request store(const Store& what) {
  Builder to(Manner(), name_for(what.uid, "STORE"));
  to.word(what.messages.text());
  if (what.unchanged_since)
    to.word("(UNCHANGEDSINCE " + std::to_string(*what.unchanged_since) + ")");
  const char* how = what.how == Store::How::add      ? "+FLAGS"
                    : what.how == Store::How::remove ? "-FLAGS"
                                                     : "FLAGS";
  to.word(how + std::string(what.silent ? ".SILENT" : ""));
  to.word("(" + what.flags.text() + ")");
  to.request.by_number = !what.uid;
  return to.done();
}

Request copy(const Manner& manner, const Copy& what) {
  Builder to(manner, name_for(what.uid, what.move ? "MOVE" : "COPY"));
  to.word(what.messages.text()).mailbox(what.to.name);
  to.request.by_number = !what.uid;
  return to.done();
}

Request uid_expunge(const SequenceSet& uids) {
  Builder to(Manner(), "UID EXPUNGE");
  to.word(uids.text());
  return to.done();
}

Request search(const Manner& manner, const Search& what) {
  const bool many = what.sources.has_value();
  Builder to(manner, many ? "ESEARCH" : name_for(what.uid, "SEARCH"));
  if (what.returns) to.word("RETURN " + return_options_text(*what.returns));
  write_keys(to, what.charset, what.key, false);
  to.request.answers = what.returns ? Answers::none : Answers::numbers;
  // Keys may name messages by number.
  to.request.by_number = !what.uid;
  return to.done();
}

Request sort(const Manner& manner, const Sort& what) {
  Builder to(manner, name_for(what.uid, "SORT"));
  if (what.returns) to.word("RETURN " + return_options_text(*what.returns));
  to.word(sort_criteria_text(what.criteria));
  write_keys(to, what.charset, what.key, true);
  to.request.answers = what.returns ? Answers::none : Answers::numbers;
  to.request.by_number = !what.uid;
  return to.done();
}

Request thread(const Manner& manner, const Thread& what) {
  Builder to(manner, name_for(what.uid, "THREAD"));
  to.word(name_of(what.algorithm));
  write_keys(to, what.charset, what.key, true);
  to.request.answers = Answers::numbers;
  to.request.by_number = !what.uid;
  return to.done();
}

Request append(const Manner& manner, std::string_view mailbox, const AppendMessage& message,
               std::uint64_t size) {
  Builder to(manner, "APPEND");
  to.mailbox(mailbox);
  if (!message.flags.empty()) to.word("(" + message.flags.text() + ")");
  if (message.internal_date) to.word(format_date_time(*message.internal_date));
  to.out.sp();
  if (message.utf8) {
    to.out.raw("UTF8 (");
    to.request.behind_octets = ")";
  }
  const std::size_t breaks = to.out.breaks().size();
  to.out.literal_header(size, message.utf8);
  to.request.octets = size;
  to.request.octets_wait = to.out.breaks().size() > breaks;
  Request request = to.done();
  if (request.octets_wait) request.breaks.pop_back();
  return request;
}

}  // namespace posthorn::imap::client
