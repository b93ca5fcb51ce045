#include "agents/deliverd/lda.h"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "agents/deliverd/exit_status.h"
#include "libmail/queue/id.h"
#include "libmail/service/exit_code.h"

namespace posthorn::deliverd {

using async::Task;
using store::StoreResult;
namespace exit_code = service::exit_code;

namespace {

int complain(int code, const std::string& why) {
  std::fprintf(stderr, "deliverd: %s\n", why.c_str());
  return code;
}

// The whole of standard input. LF and CRLF both end lines; an mbox's From line on top goes.
Result<void, std::string> read_stdin(store::ContentWriter& body, store::Files& files,
                                     const std::string& spool) {
  std::array<char, 64 * 1024> buffer{};
  std::string beginning;  // until it is known whether there is a From line
  bool begun = false;
  const auto take = [&](std::string_view octets) -> Result<void, std::string> {
    body.append(octets);
    if (!body.wants_spill()) return {};
    auto directory = files.open_directory(spool);
    if (!directory) return fail(directory.error().text());
    if (auto spilled = body.spill(**directory); !spilled) return fail(spilled.error().text);
    return {};
  };
  for (;;) {
    const ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(io_error("read", "standard input").text());
    std::string_view octets(buffer.data(), static_cast<std::size_t>(n));
    if (!begun) {
      beginning += octets;
      const bool from = beginning.starts_with("From ");
      const std::size_t line = beginning.find('\n');
      const bool undecided = (from && line == std::string::npos) || beginning.size() < 5;
      if (undecided && n > 0 && beginning.size() < 4096) continue;
      begun = true;
      octets = beginning;
      if (from && line != std::string::npos) octets.remove_prefix(line + 1);
      if (auto taken = take(octets); !taken) return taken;
    } else if (auto taken = take(octets); !taken) {
      return taken;
    }
    if (n == 0) break;
  }
  if (body.end_text()) return {};
  auto directory = files.open_directory(spool);
  if (!directory) return fail(directory.error().text());
  if (auto spilled = body.spill(**directory); !spilled) return fail(spilled.error().text);
  return {};
}

// An address given by -f, -a or -d: "" and "<>" are the null sender.
Result<smtp::ReversePath, std::string> read_address(std::string_view text) {
  if (text.starts_with('<') && text.ends_with('>')) text = text.substr(1, text.size() - 2);
  if (text.empty()) return smtp::ReversePath();
  auto mailbox = smtp::parse_mailbox(text, smtp::Utf8::allowed);
  if (mailbox) return smtp::ReversePath(std::move(*mailbox));
  return fail("\"" + printable(text) +
              "\" is no address: " + std::string(smtp::describe(mailbox.error())));
}

struct Wanted {
  Target target;
  int code = exit_code::ok;  // else nothing can be delivered
  std::string why;
};

// Who runs this needs no userdb: the name and home are known, and the mail is in the home unless an option says otherwise.
StoreResult<store::MailLocation> locate_own(const Options& options, const LocalUser& self,
                                            const MailboxRules& rules,
                                            session::UserdbAnswer& user) {
  user.user = self.name;
  user.fields.emplace_back("home", self.home);
  MailboxRules own = rules;
  if (options.mail_location == Options().mail_location) own.mail_location = "maildir:~/Maildir";
  own.mail_directories.clear();
  return MailboxDelivery::locate(own, user);
}

Task<Wanted> find_target(const Options& options, const LocalUser& self, const MailboxRules& rules,
                         const service::Site& site, service::Log& log) {
  Wanted wanted;
  session::UserdbAnswer user(session::UserdbAnswer::Kind::found);
  const bool is_own = options.deliver_to.empty();
  StoreResult<store::MailLocation> location =
      fail(store::StoreError(store::StoreError::Kind::bad_name, "no location"));
  if (is_own) {
    location = locate_own(options, self, rules, user);
  } else {
    UserdbUsers users(service::endpoint_of(site, options.userdb), log);
    user = co_await users.find(options.deliver_to);
    co_await users.stop();
  }
  if (user.kind != session::UserdbAnswer::Kind::found) {
    const bool unknown = user.kind == session::UserdbAnswer::Kind::unknown;
    wanted.code = unknown ? exit_code::unknown_user : exit_code::try_again;
    wanted.why = unknown ? "there is no user " + printable(options.deliver_to)
                         : "the userdb can't be asked: " + user.why;
    co_return wanted;
  }
  if (!is_own) location = MailboxDelivery::locate(rules, user);
  if (!location) {
    wanted.code = exit_code::try_again;
    wanted.why = location.error().text;
    co_return wanted;
  }
  auto folder = store::maildir_folder_directory(options.folder);
  if (folder && !folder->empty() && location->format != store::MailFormat::maildir) {
    folder = fail(store::StoreError(store::StoreError::Kind::bad_name, "an mbox has no folders"));
  }
  if (!folder) {
    wanted.code = exit_code::unknown_user;
    wanted.why = folder.error().text;
    co_return wanted;
  }
  wanted.target.user = user.user;
  wanted.target.location = std::move(*location);
  wanted.target.folder = std::move(*folder);
  co_return wanted;
}

class NoUsers final : public Users {
 public:
  Task<session::UserdbAnswer> find(std::string) override { co_return session::UserdbAnswer(); }
};

}  // namespace

Result<LocalUser, std::string> who_runs_this() {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  const int error = ::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found);
  if (error != 0 || found == nullptr) {
    return fail("uid " + std::to_string(::getuid()) +
                " has no entry in the user database; say -d USER");
  }
  LocalUser self;
  self.name = found->pw_name;
  self.home = found->pw_dir;
  return self;
}

std::vector<std::string> own_directories(const Options& options, const service::Site& site) {
  std::vector<std::string> directories;
  const auto self = who_runs_this();
  if (!self) return directories;
  directories.push_back(self->home);
  session::UserdbAnswer user(session::UserdbAnswer::Kind::found);
  const auto location = locate_own(options, *self, options.mailbox_rules(site), user);
  if (!location) return directories;
  std::string path = location->base;
  if (location->format == store::MailFormat::mbox && location->components.empty()) {
    path.resize(path.rfind('/'));
  }
  if (!path.empty()) directories.push_back(std::move(path));
  return directories;
}

Task<int> deliver_stdin(const Options& options, const LocalUser& self, const service::Site& site,
                        service::Log& log) {
  const MailboxRules rules = options.mailbox_rules(site);
  auto sender = read_address(options.sender);
  if (!sender) co_return complain(exit_code::usage, "-f: " + sender.error());
  std::string to = options.original_recipient;
  if (to.empty()) to = options.deliver_to.empty() ? self.name : options.deliver_to;
  if (to.find('@') == std::string::npos) to += "@" + rules.domain;
  auto recipient = read_address(to);
  if (!recipient || !*recipient)
    co_return complain(exit_code::usage, "-a: " + printable(to) + " is no address");

  Wanted wanted = co_await find_target(options, self, rules, site, log);
  if (wanted.code != exit_code::ok) co_return complain(wanted.code, wanted.why);

  store::SystemFiles files;
  store::ContentWriter body;
  const std::string spool = options.deliver_to.empty() ? self.home : options.spool;
  const auto read = read_stdin(body, files, spool);
  if (!read) co_return complain(exit_code::try_again, read.error());

  smtp::Envelope envelope;
  envelope.arrival = wall_now();
  queue::IdSource ids;
  envelope.id = envelope.trace_id = ids.next(envelope.arrival).str();
  envelope.reverse_path = std::move(*sender);
  envelope.recipients.emplace_back(std::move(**recipient));
  const smtp::SessionInfo session;
  Letter letter(envelope, session);
  letter.content = std::make_shared<const store::Content>(body.finish());
  letter.from_stdin = true;

  NoUsers nobody;
  store::MaildirDelivery maildirs(files, rules.hostname, ::getpid(), options.delivery_limits());
  MailboxDelivery delivery(files, maildirs, nobody, log);
  delivery.set_rules(rules);
  std::vector<Target> targets(1, wanted.target);
  const std::vector<Outcome> outcomes = co_await delivery.deliver(letter, targets);
  co_await maildirs.join();
  const Outcome& outcome = outcomes.front();
  if (outcome.reply.positive()) {
    log.info(envelope.trace_id, "delivered",
             {{"id", envelope.id},
              {"user", wanted.target.user},
              {"path", outcome.where},
              {"size", letter.content->size()}});
    co_return exit_code::ok;
  }
  co_return complain(exit_code_of(outcome.reply),
                     outcome.reply.text + (outcome.why.empty() ? "" : ": " + outcome.why));
}

}  // namespace posthorn::deliverd
