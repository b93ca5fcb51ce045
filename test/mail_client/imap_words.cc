#include <algorithm>
#include <functional>
#include <map>

#include "libmail/async/scope.h"
#include "libmail/base/text.h"
#include "words.h"

namespace posthorn::mail_client {

using async::Deadline;
using async::Task;
using session::ImapClient;
using session::ImapResult;

namespace {

using Done = Task<ImapResult<void>>;

Deadline soon() {
  return Deadline::in(std::chrono::seconds(20));
}

imap::SequenceSet set_of(const std::string& text) {
  return imap::parse_sequence_set(text).value_or(imap::SequenceSet());
}

template <class T>
ImapResult<void> plain(const ImapResult<T>& result) {
  if (!result) return fail(result.error());
  return {};
}

// Says what changes, and writes bodies to files named by their UIDs.
struct Teller final : session::ImapSink {
  std::string directory;
  std::string octets;
  std::uint32_t uid = 0;
  void data(imap::client::Response&& response) override {
    if (const auto* const message = std::get_if<imap::client::Fetched>(&response)) {
      say("fetch " + std::to_string(message->uid) + " (" +
          (message->flags ? message->flags->text() : "") + ") " +
          (message->envelope ? message->envelope->subject : "") +
          " parts=" + std::to_string(message->structure.size()) +
          " size=" + std::to_string(message->size.value_or(0)) +
          " modseq=" + (message->modseq ? "yes" : "no"));
    } else if (const auto* const gone = std::get_if<imap::client::Vanished>(&response)) {
      say(std::string("vanished ") + (gone->earlier ? "earlier " : "") + gone->uids.text());
    }
  }
  void body_begins(const imap::client::BodyBegins& body) override {
    uid = body.uid;
    octets.clear();
  }
  void body(std::string_view piece) override { octets += piece; }
  void body_ends() override { write_file(directory + '/' + std::to_string(uid), octets); }
};

Done list(ImapClient& client, const Words& words) {
  imap::List what;
  what.patterns.push_back(words.at(1));
  auto entries = co_await client.list(std::move(what), soon());
  if (entries)
    for (const imap::ListEntry& one : *entries)
      say("box " + one.name + ' ' + std::string(1, one.separator));
  co_return plain(entries);
}

// select NAME [VALIDITY MODSEQ KNOWN-UIDS]
Done select(ImapClient& client, const Words& words) {
  imap::Select what;
  what.mailbox.name = words.at(1);
  what.condstore = true;
  if (words.size() > 3) {
    imap::QResync sync;
    sync.uid_validity = parse_number<std::uint32_t>(words[2]).value_or(0);
    sync.modseq = parse_number<std::uint64_t>(words[3]).value_or(0);
    what.qresync = std::move(sync);
  }
  Teller teller;
  auto selected = co_await client.select(std::move(what), teller, soon());
  if (selected)
    say("selected " + std::to_string(selected->exists) + ' ' +
        std::to_string(selected->uid_validity) + ' ' + std::to_string(selected->uid_next) + ' ' +
        std::to_string(selected->highest_modseq));
  co_return plain(selected);
}

Done append(ImapClient& client, const Words& words) {
  imap::AppendMessage message;
  message.flags.add("\\Seen");
  message.internal_date = imap::DateTime(1000000000, 60);
  auto appended =
      co_await client.append(words.at(1), std::move(message), file_text(words.at(2)), soon());
  if (appended) say("uid " + (appended->uid ? appended->uid->uids.text() : ""));
  co_return plain(appended);
}

// fetch UIDS [DIRECTORY]
Done fetch(ImapClient& client, const Words& words) {
  using Kind = imap::FetchItem::Kind;
  Teller teller;
  std::vector<imap::FetchItem> items;
  for (const Kind kind :
       {Kind::flags, Kind::rfc822_size, Kind::envelope, Kind::body_structure, Kind::modseq})
    items.emplace_back(kind);
  if (words.size() > 2) {
    teller.directory = words[2];
    items.push_back(imap::FetchItem::body_peek());
  }
  auto done = co_await client.uid_fetch(set_of(words.at(1)), std::move(items), teller, soon());
  co_return done;
}

Done search(ImapClient& client, const Words& words) {
  imap::SearchKey key = imap::SearchKey::of_text(imap::SearchKey::Kind::subject, words.at(1));
  if (words[0] == "search") {
    auto found = co_await client.uid_search(std::move(key), soon());
    if (found) say("uids " + found->text());
    co_return plain(found);
  }
  if (words[0] == "sort") {
    std::vector<imap::SortCriterion> by(
        1, imap::SortCriterion(imap::SortCriterion::Key::subject, true));
    auto sorted = co_await client.uid_sort(std::move(by), std::move(key), soon());
    std::string text = "uids";
    if (sorted)
      for (const std::uint32_t uid : *sorted) text += ' ' + std::to_string(uid);
    say(text);
    co_return plain(sorted);
  }
  auto threads =
      co_await client.uid_thread(imap::ThreadAlgorithm::references, std::move(key), soon());
  if (threads) say("threads " + imap::threads_text(*threads));
  co_return plain(threads);
}

Done store(ImapClient& client, const Words& words) {
  imap::Store what;
  what.uid = true;
  what.messages = set_of(words.at(1));
  what.how = imap::Store::How::add;
  what.flags.add(words.at(2));
  auto stored = co_await client.store(std::move(what), soon());
  co_return plain(stored);
}

Done transfer(ImapClient& client, const Words& words) {
  imap::SequenceSet uids = set_of(words.at(1));
  const bool move = words[0] == "move";
  auto task = move ? client.uid_move(std::move(uids), words.at(2), soon())
                   : client.uid_copy(std::move(uids), words.at(2), soon());
  auto done = co_await std::move(task);
  if (done) say("to " + (done->uids ? done->uids->to.text() : ""));
  co_return plain(done);
}

Done change_mailbox(ImapClient& client, const Words& words) {
  imap::Create create;
  create.mailbox.name = words.at(1);
  const std::string& verb = words[0];
  if (verb == "create") {
    auto done = co_await client.create(std::move(create), soon());
    co_return done;
  }
  if (verb == "rename") {
    auto done = co_await client.rename(words[1], words.at(2), soon());
    co_return done;
  }
  if (verb == "subscribe") {
    auto done = co_await client.subscribe(words[1], true, soon());
    co_return done;
  }
  auto done = co_await client.remove(words[1], soon());
  co_return done;
}

Done status(ImapClient& client, const Words& words) {
  auto data = co_await client.status(
      words.at(1), static_cast<imap::StatusItems>(imap::StatusItem::messages), soon());
  if (data) say("messages " + std::to_string(data->messages.value_or(0)));
  co_return plain(data);
}

Task<void> wake_later(ImapClient& client) {
  co_await async::sleep_until(Deadline::in(std::chrono::milliseconds(300)));
  client.wake();
}

// idle: until something comes; "wake": another task ends it.
Done idle(ImapClient& client, const Words& words) {
  async::Scope scope;
  if (words.size() > 1) scope.spawn(wake_later(client));
  say("idling");
  auto ended = co_await client.idle(soon());
  co_await scope.join();
  if (ended) {
    say(*ended == session::IdleEnd::changed ? "changed"
        : *ended == session::IdleEnd::woken ? "woken"
                                            : "deadline");
    say("exists " + std::to_string(client.view().count()));
  }
  co_return plain(ended);
}

Done facts(ImapClient& client, const Words&) {
  say("uids " + client.view().uids().text());
  say("modseq " + std::to_string(client.mailbox().highest_modseq));
  say(std::string("tls ") + (client.tls_facts() == nullptr ? "none" : client.tls_facts()->version));
  auto done = co_await client.noop(soon());
  co_return done;
}

Done pipeline(ImapClient& client, const Words& words) {
  std::vector<imap::client::Request> requests;
  for (const char* flag : {"one", "two", "three"}) {
    imap::Store what;
    what.uid = true;
    what.messages = set_of(words.at(1));
    what.how = imap::Store::How::add;
    what.flags.add(flag);
    requests.push_back(imap::client::store(what));
  }
  Teller teller;
  auto done = co_await client.run_all(std::move(requests), teller, soon());
  co_return done;
}

Done expunge(ImapClient& client, const Words& words) {
  auto done = co_await client.uid_expunge(set_of(words.at(1)), soon());
  co_return done;
}

Done unselect(ImapClient& client, const Words&) {
  auto done = co_await client.unselect(soon());
  co_return done;
}

using Obey = Done (*)(ImapClient& client, const Words& words);
const std::map<std::string, Obey> verbs = {
    {"list", list},
    {"select", select},
    {"append", append},
    {"fetch", fetch},
    {"search", search},
    {"sort", search},
    {"thread", search},
    {"store", store},
    {"move", transfer},
    {"copy", transfer},
    {"create", change_mailbox},
    {"remove", change_mailbox},
    {"status", status},
    {"rename", change_mailbox},
    {"idle", idle},
    {"facts", facts},
    {"expunge", expunge},
    {"unselect", unselect},
    {"pipeline", pipeline},
    {"subscribe", change_mailbox},
};

session::ImapClientOptions options_of(const Settings& settings) {
  session::ImapClientOptions options;
  const std::string tls = setting(settings, "tls");
  if (tls == "never") options.tls = session::MailTls::never;
  if (tls == "implicit") options.tls = session::MailTls::implicit;
  tls::ClientContext::Options context;
  context.verify = tls::ClientContext::Verify::require;
  context.ca_file = setting(settings, "ca");
  auto loaded = tls::ClientContext::load(context);
  if (loaded) options.tls_context = *loaded;
  options.tls_name = setting(settings, "name");
  options.clear_password = tls == "never";
  options.login.emplace(setting(settings, "user"), setting(settings, "password"));
  options.login->mechanism = setting(settings, "mechanism");
  options.compress = !setting(settings, "compress").empty();
  if (!setting(settings, "enable").empty()) options.enable.push_back(setting(settings, "enable"));
  options.id = {{"name", "mail_client"}};
  return options;
}

}  // namespace

Task<int> run_imap(const Settings& settings, async::Endpoint server) {
  ImapClient client(std::move(server), options_of(settings));
  auto opened = co_await client.open(soon());
  say(opened ? "ok" : "error " + opened.error().text);
  while (opened) {
    const Words words = co_await read_words();
    if (words.empty()) break;
    const auto verb = verbs.find(words[0]);
    if (verb == verbs.end()) {
      say("error no such word");
      continue;
    }
    auto done = co_await verb->second(client, words);
    say(done ? "ok" : "error " + done.error().text);
  }
  co_await client.logout(soon());
  co_return opened ? 0 : 1;
}

}  // namespace posthorn::mail_client
