// store_tool MAILDIR [watch]: one command a line on standard input, its answer on standard output, a line "ok" or "error TEXT" last.
// store_tool bench DIRECTORY COUNT: store_bench.h.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <iostream>

#include "libmail/base/text.h"
#include "libmail/store/store.h"
#include "test/store/store_bench.h"

namespace posthorn::store::test {

namespace {

using Words = std::vector<std::string>;
using Uids = std::vector<std::uint32_t>;

std::string join(const Uids& uids) {
  std::string out;
  for (const std::uint32_t uid : uids)
    out.append(out.empty() ? "" : " ").append(std::to_string(uid));
  return out;
}

// Tries until nobody else holds the lock. One that was killed before it could write its name into it is believed to
// be alive for 20 s.
template <class F>
auto patiently(F work) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  for (;;) {
    auto result = work();
    const bool locked = !result && result.error().kind == StoreError::Kind::locked;
    if (!locked || std::chrono::steady_clock::now() > end) return result;
    ::usleep(2000);
  }
}

class Tool {
 public:
  Tool(const std::string& maildir, bool watch)
      : watcher_(watch ? std::make_unique<Watcher>() : nullptr),
        host_(files_, "tool", ::getpid(), watcher_.get()),
        store_(host_, settings(maildir)) {}

  std::string answer(const Words& words) {
    if (words[0] == "open") return done(open(words.at(1)));
    if (words[0] == "create") return done(store_.create(words.at(1)));
    if (words[0] == "delete") return done(patiently([&] { return store_.remove(words.at(1)); }));
    if (words[0] == "rename")
      return done(patiently([&] { return store_.rename(words.at(1), words.at(2)); }));
    if (words[0] == "subscribe") return done(store_.subscribe(words.at(1), true));
    if (words[0] == "names") return names();
    if (!box_) return "error no mailbox is open\n";
    if (words[0] == "sync") return sync(words.size() > 1 && words[1] == "new");
    if (words[0] == "list") return list();
    if (words[0] == "flags") return flags(words);
    if (words[0] == "expunge") return expunge(words);
    if (words[0] == "append") return append(words);
    if (words[0] == "move" || words[0] == "copy") return bring(words);
    if (words[0] == "rest") return done(patiently([&] { return box_->rest(); }));
    return "error what is " + words[0] + "?\n";
  }

 private:
  static StoreSettings settings(const std::string& maildir) {
    StoreSettings settings;
    NamespaceSettings personal;
    personal.location.base = maildir;
    settings.namespaces.push_back(personal);
    return settings;
  }
  template <class T>
  static std::string done(const StoreResult<T>& result) {
    return result ? "ok\n" : "error " + result.error().text + "\n";
  }
  static Uids numbers(const Words& words, std::size_t from) {
    Uids uids;
    for (std::size_t i = from; i < words.size(); ++i) {
      if (const auto uid = parse_number<std::uint32_t>(words[i])) uids.push_back(*uid);
    }
    return uids;
  }

  StoreResult<void> open(const std::string& name) {
    box_.reset();
    auto opened = store_.open(name);
    if (!opened) return fail(opened.error());
    box_ = *opened;
    return patiently([&] { return box_->sync(SyncRules()); });
  }
  std::string sync(bool take_new) {
    SyncRules rules;
    rules.take_new = take_new;
    return done(patiently([&] { return box_->sync(rules); }));
  }
  std::string names() {
    const auto all = store_.list();
    if (!all) return done(all);
    std::string out;
    for (const MailboxInfo& info : *all) {
      if (info.exists) out += info.name + (info.subscribed ? " subscribed" : "") + "\n";
    }
    return out + "ok\n";
  }
  // "UID FLAGS KEYWORDS first line of the message", KEYWORDS parted by commas.
  std::string list() {
    std::string out;
    const auto now = box_->snapshot();
    for (std::size_t i = 0; i < now->size(); ++i) {
      const MessageRow row = now->row(i);
      std::string letters;
      for (const auto& [bit, letter] : {std::pair{flag::draft, 'D'}, std::pair{flag::flagged, 'F'},
                                        std::pair{flag::answered, 'R'}, std::pair{flag::seen, 'S'},
                                        std::pair{flag::deleted, 'T'}}) {
        if ((row.flags & bit) != 0) letters.push_back(letter);
      }
      std::string keywords;
      for (std::size_t bit = 0; bit < now->keywords().size(); ++bit) {
        if ((row.keywords >> bit & 1) != 0)
          keywords.append(keywords.empty() ? "" : ",").append(now->keywords()[bit]);
      }
      const auto text = patiently([&] { return box_->text(row.uid); });
      out += fmt::format("{}\t{}\t{}\t{}\n", row.uid, letters, keywords,
                         text ? text->substr(0, text->find('\r')) : "gone");
    }
    return out + "ok\n";
  }
  // flags add|remove|replace LETTERS keyword,keyword|- UID...
  std::string flags(const Words& words) {
    FlagChange change;
    change.kind = words.at(1) == "add"      ? FlagChange::Kind::add
                  : words.at(1) == "remove" ? FlagChange::Kind::remove
                                            : FlagChange::Kind::replace;
    for (const char letter : words.at(2)) {
      change.flags |= letter == 'D'   ? flag::draft
                      : letter == 'F' ? flag::flagged
                      : letter == 'R' ? flag::answered
                      : letter == 'S' ? flag::seen
                      : letter == 'T' ? flag::deleted
                                      : 0;
    }
    if (words.at(3) != "-") {
      for (const std::string_view keyword : split(words[3], ','))
        change.keywords.emplace_back(keyword);
    }
    const Uids uids = numbers(words, 4);
    const auto stored = patiently([&] { return box_->store_flags(uids, change); });
    return stored ? join(stored->changed) + "\nok\n" : done(stored);
  }
  std::string expunge(const Words& words) {
    const Uids uids = numbers(words, 1);
    const auto expunged = patiently([&] { return box_->expunge(uids); });
    return expunged ? join(expunged->uids) + "\nok\n" : done(expunged);
  }
  // append FIRST-LINE, with "_" for spaces
  std::string append(const Words& words) {
    std::string line = words.at(1);
    std::replace(line.begin(), line.end(), '_', ' ');
    ContentWriter writer;
    writer.append(line + "\n\nbody\n");
    AppendMessage message;
    message.body = std::make_shared<const Content>(writer.finish());
    const auto appended = patiently([&] { return box_->append({message}); });
    return appended ? join(appended->uids) + "\nok\n" : done(appended);
  }
  // move NAME UID...
  std::string bring(const Words& words) {
    auto target = store_.open(words.at(1));
    if (!target) return done(target);
    const Uids uids = numbers(words, 2);
    const auto brought = patiently([&] {
      return words[0] == "move" ? box_->move_to(**target, uids) : box_->copy_to(**target, uids);
    });
    return brought ? join(brought->target) + "\nok\n" : done(brought);
  }

  SystemFiles files_;
  std::unique_ptr<Watcher> watcher_;
  StoreHost host_;
  Store store_;
  std::shared_ptr<OpenMailbox> box_;
};

int serve(const std::string& maildir, bool watch) {
  Tool tool(maildir, watch);
  std::string line;
  while (std::getline(std::cin, line)) {
    Words parts;
    for (const std::string_view word : words(line)) parts.emplace_back(word);
    if (parts.empty()) continue;
    std::cout << tool.answer(parts) << std::flush;
  }
  return 0;
}

}  // namespace

}  // namespace posthorn::store::test

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 3 && arguments[0] == "bench") {
    const auto count = posthorn::parse_number<std::size_t>(arguments[2]);
    if (count && *count >= 2) return posthorn::store::test::bench(arguments[1], *count);
  }
  if (!arguments.empty() && arguments.size() <= 2 && arguments[0].starts_with('/'))
    return posthorn::store::test::serve(arguments[0], arguments.size() == 2);
  std::cerr << "usage: store_tool /MAILDIR [watch] | store_tool bench DIRECTORY COUNT\n";
  return 64;
}
