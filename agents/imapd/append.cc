// APPEND (RFC 9051 6.3.12, RFC 3502 MULTIAPPEND) and REPLACE (RFC 8508): messages pass by into the store, in memory or a
// nameless file; all of them become visible at once, or none.
#include "agents/imapd/catenate.h"
#include "agents/imapd/commands.h"
#include "agents/imapd/message_limit.h"
#include "libmail/imap/append_command.h"

namespace posthorn::imapd {

using imap::AppendParser;
using imap::LineReader;
using store::Right;
using store::StoreResult;

namespace {

// Messages of one command: beyond so many octets in memory the others go to files. The small ones stay, a file each would cost
// a descriptor.
constexpr std::uint64_t held_limit = 1024 * 1024;
constexpr std::size_t small_message = 16 * 1024;
constexpr std::size_t url_step = 256 * 1024;  // of a large message that a URL names

class Appending {
 public:
  explicit Appending(Session& session) : session_(session), parser_(session.dialect()) {}

  // A literal was announced. False: the command is over, answered.
  Task<bool> on_literal();
  // Octets of a message. False: the client gets a NO when all has come.
  Task<void> on_part();
  Task<void> finish(imap::Line line);
  void refuse(const Reply& reply);

 private:
  Task<bool> begin();
  bool may_replace();
  Task<bool> spill();
  Task<bool> end_message();
  [[nodiscard]] bool takes(const imap::AppendPart& part);
  // The parts that the parser has: URLs are read, literals begin. False: it is over, answered.
  Task<bool> take_parts();
  Task<bool> take_url(imap::AppendPart part);
  Task<void> take_octets(std::string_view octets);
  Task<Reply> store_all();
  Task<Reply> replace(Reply reply);

  Session& session_;
  AppendParser parser_;
  std::shared_ptr<store::OpenMailbox> mailbox_;
  std::unique_ptr<store::ContentWriter> content_;
  imap::AppendMessage head_;
  std::vector<store::AppendMessage> messages_;
  std::uint64_t size_ = 0;      // of the message that is coming
  std::uint64_t all_size_ = 0;  // of all messages so far
  std::uint64_t held_ = 0;      // octets of messages_ in memory
  store::QuotaUsage usage_;
  store::Rights rights_;                 // in the mailbox
  std::vector<std::uint32_t> replaced_;  // REPLACE: the UID
  bool binary_ = false;
  bool has_nul_ = false;
  std::optional<Reply> failed_;  // what is said at the end
};

void Appending::refuse(const Reply& reply) {
  session_.out().status(session_.tag(), reply);
}

// RFC 8508 3.2: what can't be replaced is refused at once. Finds the UID, since numbers may change until the message is here.
bool Appending::may_replace() {
  const imap::AppendHead& head = parser_.head();
  const Selected* selected = session_.selected();
  if (selected == nullptr) {
    refuse(imap::bad("no mailbox is selected"));
    return false;
  }
  if (!session_.uids_are_good()) {
    refuse(Session::uids_are_bad());
    return false;
  }
  if (session_.enabled().uid_only && !head.uid) {
    refuse(uid_required());
    return false;
  }
  imap::SequenceSet set;
  const std::uint32_t number = head.star ? imap::SequenceSet::star : head.replaced;
  set.add(imap::SequenceSet::Range{number, number});
  const auto uids = uids_of(*selected, set, head.uid);
  if (!uids || (uids->empty() && !head.uid)) {
    refuse(imap::bad("there is no such message number"));
    return false;
  }
  if (uids->empty() || !selected->mailbox->snapshot()->find(uids->front())) {
    refuse(imap::no("NONEXISTENT", "the message to be replaced is not there"));
    return false;
  }
  if (selected->read_only) {
    refuse(imap::no("READ-ONLY", "the mailbox was opened read-only"));
    return false;
  }
  if (!selected->may(Right::expunge) || !selected->may(Right::delete_message)) {
    refuse(imap::no("NOPERM", "you may not remove messages here"));
    return false;
  }
  replaced_ = *uids;
  return true;
}

// Before the first octet is asked for: is there such a mailbox, and may the user put something there?
Task<bool> Appending::begin() {
  const imap::AppendHead& head = parser_.head();
  if (head.replace && !may_replace()) co_return false;
  if (head.mailbox.bad_name) {
    refuse(imap::no("TRYCREATE", "there is no such mailbox"));
    co_return false;
  }
  store::Store& store = session_.store();
  const std::string name = head.mailbox.name;
  auto work = [&]() -> StoreResult<std::shared_ptr<store::OpenMailbox>> {
    const auto allowed = store.authorise(name, Right::insert);
    if (!allowed) return fail(allowed.error());
    if (!*allowed) return std::shared_ptr<store::OpenMailbox>();
    auto rights = store.rights(name);
    if (!rights) return fail(std::move(rights.error()));
    rights_ = *rights;
    auto usage = store.quota(name);
    if (!usage) return fail(std::move(usage.error()));
    usage_ = *usage;
    return store.open(name);
  };
  auto opened = co_await session_.in_store(std::move(work));
  if (!opened && opened.error().kind == store::StoreError::Kind::not_found) {
    refuse(imap::no("TRYCREATE", "there is no such mailbox"));
    co_return false;
  }
  if (!opened) {
    refuse(session_.refusal(opened.error()));
    co_return false;
  }
  if (!*opened) {
    refuse(imap::no("NOPERM", "you may not put messages there"));
    co_return false;
  }
  mailbox_ = std::move(*opened);
  co_return true;
}

bool Appending::takes(const imap::AppendPart& part) {
  if (part.size > session_.settings().append_limit ||
      (!part.begins_message && size_ + part.size > session_.settings().append_limit)) {
    refuse(imap::no("TOOBIG", "the message is larger than APPENDLIMIT"));
    return false;
  }
  if (part.size == 0 && part.begins_message && !parser_.message().catenate) {
    refuse(imap::no("a message of no octets is none"));
    return false;
  }
  all_size_ += part.size;
  const std::uint64_t count = messages_.size() + 1;
  if (!usage_.fits(all_size_, count)) {
    refuse(imap::no("OVERQUOTA", "there is no room for it"));
    return false;
  }
  return true;
}

Task<bool> Appending::take_parts() {
  for (imap::AppendPart& part : parser_.take_parts()) {
    if (part.begins_message) {
      const bool ended = co_await end_message();
      if (!ended) co_return false;
      if (const auto many = refuse_many(session_, messages_.size() + 1)) {
        refuse(*many);
        co_return false;
      }
      head_ = parser_.message();
      content_ = std::make_unique<store::ContentWriter>();
      size_ = 0;
    }
    if (part.kind == imap::AppendPart::Kind::url) {
      const bool read = co_await take_url(std::move(part));
      if (!read) co_return false;
      continue;
    }
    if (!takes(part)) co_return false;
    size_ += part.size;
    binary_ = part.binary;
  }
  co_return true;
}

Task<bool> Appending::take_url(imap::AppendPart part) {
  auto found = co_await find_url(session_, part.url);
  if (!found) {
    refuse(imap::no(imap::ResponseCode("BADURL", part.url), "that URL names nothing here"));
    co_return false;
  }
  part.size = found->size;
  if (!takes(part)) co_return false;
  size_ += part.size;
  if (!found->source) {
    co_await take_octets(found->octets);
    co_return true;
  }
  for (;;) {
    store::MessageSource& from = *found->source;
    auto read = [&from] { return from.read(url_step); };
    const auto piece = co_await async::blocking(std::move(read));
    if (!piece) {
      refuse(session_.refusal(piece.error()));
      co_return false;
    }
    if (piece->empty()) co_return true;
    co_await take_octets(*piece);
  }
}

Task<bool> Appending::on_literal() {
  const bool waits = session_.reader().literal().waits;
  const auto announced = parser_.announced(session_.reader().line());
  if (announced == AppendParser::Announced::wrong) {
    refuse(imap::bad(parser_.error().text()));
    session_.reader().discard();
    co_return false;
  }
  if (announced == AppendParser::Announced::keep) {
    if (session_.reader().keep() && waits) session_.out().text() += "+ go ahead\r\n";
    co_return true;
  }
  if (!mailbox_) {
    const bool begun = co_await begin();
    if (!begun) {
      session_.reader().discard();
      co_return false;
    }
  }
  const bool taken = co_await take_parts();
  if (!taken) {
    session_.reader().discard();
    co_return false;
  }
  session_.reader().stream();
  if (waits) session_.out().text() += "+ go ahead\r\n";
  co_return true;
}

Task<void> Appending::on_part() {
  co_await take_octets(session_.reader().part());
}

Task<void> Appending::take_octets(std::string_view octets) {
  if (failed_) co_return;
  has_nul_ = has_nul_ || octets.find('\0') != std::string_view::npos;
  content_->append(octets);
  const std::size_t here = content_->in_memory().size();
  const bool many = held_ + here > held_limit && here > small_message;
  if (!many && !content_->wants_spill()) co_return;
  const bool spilled = co_await spill();
  (void)spilled;
}

Task<bool> Appending::spill() {
  store::Files& files = session_.accounts().files();
  const store::MailLocation& location = session_.account().location;
  std::string path = location.path();
  // An mbox is a file: beside it.
  if (location.format == store::MailFormat::mbox)
    path.resize(std::max<std::size_t>(path.rfind('/'), 1));
  store::ContentWriter& content = *content_;
  auto work = [&]() -> StoreResult<void> {
    auto directory = files.open_directory(path);
    if (!directory) return fail(store::StoreError(directory.error()));
    return content.spill(**directory);
  };
  const auto spilled = co_await async::blocking(std::move(work));
  if (!spilled) failed_ = session_.refusal(spilled.error());
  co_return spilled.has_value();
}

// The message that was coming is whole.
Task<bool> Appending::end_message() {
  if (!content_) co_return true;
  if (!failed_ && !content_->end_text()) (void)co_await spill();
  if (has_nul_ && !failed_)
    failed_ = imap::no(imap::ResponseCode("UNKNOWN-CTE"), "NUL can't be stored");
  if (failed_) {
    refuse(*failed_);
    co_return false;
  }
  store::AppendMessage message;
  message.body = std::make_shared<const store::Content>(content_->finish());
  held_ += message.body->in_memory().size();
  // RFC 4314 4: flags that the user may not set are left out.
  message.flags = store_flags_of(head_.flags) & changeable_flags(rights_);
  if (rights_.has(Right::write)) message.keywords = head_.flags.keywords;
  if (head_.internal_date)
    message.date = WallTime(std::chrono::seconds(head_.internal_date->seconds));
  messages_.push_back(std::move(message));
  content_.reset();
  co_return true;
}

Task<void> Appending::finish(imap::Line line) {
  if (!parser_.finish(line)) {
    refuse(imap::bad(parser_.error().text()));
    co_return;
  }
  if (!mailbox_) {
    // Nothing but URLs.
    const bool begun = co_await begin();
    if (!begun) co_return;
  }
  const bool taken = co_await take_parts();
  if (!taken) co_return;
  const bool ended = co_await end_message();
  if (!ended) co_return;
  Reply reply = co_await store_all();
  if (parser_.head().replace && reply.condition == imap::Condition::ok) {
    reply = co_await replace(std::move(reply));
  } else {
    co_await session_.announce(true);
  }
  refuse(reply);
}

Task<Reply> Appending::store_all() {
  const std::size_t count = messages_.size();
  auto mailbox = mailbox_;
  std::vector<store::AppendMessage>& messages = messages_;
  // `locked` leaves the messages as they are, and what is written of them.
  std::unique_ptr<store::OpenMailbox::Written> written;
  auto work = [&] { return mailbox->append(messages, written); };
  const auto appended = co_await session_.in_store(std::move(work));
  if (written) {
    auto drop = [&] { written.reset(); };
    co_await async::blocking(std::move(drop));
  }
  if (!appended) co_return session_.refusal(appended.error());
  session_.counters().appended.add(count);
  session_.accounts().index_writer().note(mailbox);
  if (session_.settings().search_index) session_.accounts().search_filler().grown(mailbox);
  if (Selected* selected = session_.selected();
      selected != nullptr && selected->mailbox == mailbox_)
    selected->own_new.insert(selected->own_new.end(), appended->uids.begin(), appended->uids.end());
  co_return imap::ok(imap::ResponseCode("APPENDUID", std::to_string(appended->uid_validity) + " " +
                                                         ordered_set_text(appended->uids)),
                     parser_.head().replace ? "REPLACE done" : "APPEND done");
}

// The old message goes once the new one is there.
Task<Reply> Appending::replace(Reply reply) {
  Selected& selected = *session_.selected();
  session_.out().status("*", reply);
  const auto stopped = co_await session_.look_again();
  if (stopped) co_return *stopped;
  auto mailbox = selected.mailbox;
  const std::vector<std::uint32_t>& uids = replaced_;
  auto work = [&] { return mailbox->expunge(uids); };
  const auto gone = co_await session_.in_store(std::move(work));
  if (!gone) co_return session_.refusal(gone.error());
  co_await session_.announce(true);
  co_await session_.announce_known(true, true);
  if (!gone->failed.empty()) co_return session_.refusal(gone->failed.front());
  co_return imap::ok("REPLACE done");
}

}  // namespace

Task<void> append(Session& session) {
  Appending appending(session);
  LineReader::Event event = LineReader::Event::literal;
  for (;;) {
    bool goes_on = true;
    switch (event) {
      case LineReader::Event::literal:
        goes_on = co_await appending.on_literal();
        break;
      case LineReader::Event::part:
        co_await appending.on_part();
        break;
      case LineReader::Event::line:
        co_await appending.finish(session.reader().take_line());
        co_return;
      case LineReader::Event::error:
        appending.refuse(imap::bad(imap::text_of(session.reader().error())));
        session.reader().give_up();
        co_return;
      case LineReader::Event::dropped:
      case LineReader::Event::more:
        co_return;
    }
    if (!goes_on) co_return;
    event = co_await session.next_event();
  }
}

Task<void> append_line(Session& session, imap::Line line) {
  Appending appending(session);
  co_await appending.finish(std::move(line));
}

}  // namespace posthorn::imapd
