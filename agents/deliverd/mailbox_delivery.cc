#include "agents/deliverd/mailbox_delivery.h"

#include <algorithm>

#include "libmail/async/files.h"
#include "libmail/async/scope.h"
#include "libmail/smtp/replies.h"
#include "libmail/store/maildir.h"
#include "libmail/store/mbox.h"

namespace posthorn::deliverd {

using async::Task;
using smtp::Reply;
using store::StoreError;
using store::StoreResult;

namespace {

const Reply delivered{250, {2, 0, 0}, "Delivered"};
const Reply loop{
    554, {5, 4, 6}, "Mail loop: this message has been delivered to this mailbox before"};
const Reply user_lookup_failed{451, {4, 3, 0}, "User look-up failed, try again later"};
const Reply bad_location{451, {4, 3, 5}, "Mailbox misconfigured, try again later"};

// "bob+lists" with "+" -> "bob" and "lists". The text before the delimiter is never empty.
std::pair<std::string, std::string> split_extension(const std::string& local,
                                                    const std::string& delimiter) {
  const std::size_t at = delimiter.empty() ? std::string::npos : local.find_first_of(delimiter, 1);
  if (at == std::string::npos) return {local, {}};
  return {local.substr(0, at), local.substr(at + 1)};
}

// over_quota if the message does not fit; true: there is a quota. Two that come at once may both fit: a quota is no promise to
// the octet.
StoreResult<bool> fits_quota(store::Files& files, const Target& target, std::uint64_t octets) {
  const auto root = store::open_location(files, target.location);
  if (!root) return fail(root.error());
  const auto usage = store::Quota(files, **root, target.quota).usage();
  if (!usage) return fail(usage.error());
  if (usage->fits(octets, 1)) return usage->limits.any();
  return fail(StoreError(StoreError::Kind::over_quota,
                         target.location.path() + " has " + std::to_string(usage->octets) +
                             " octets in " + std::to_string(usage->messages) +
                             " messages: no room for one of " + std::to_string(octets)));
}

void note_usage(store::Files& files, const Target& target, std::uint64_t octets) {
  const auto root = store::open_location(files, target.location);
  if (root) store::add_usage(**root, static_cast<std::int64_t>(octets), 1);
}

}  // namespace

Reply reply_for(const StoreError& error, bool quota_full_bounces) {
  using Kind = StoreError::Kind;
  switch (error.kind) {
    case Kind::disk_full:
      return smtp::reply::no_storage;
    case Kind::over_quota:
      if (quota_full_bounces) return {552, {5, 2, 2}, "Mailbox full"};
      return {452, {4, 2, 2}, "Mailbox full, try again later"};
    case Kind::locked:
      return {451, {4, 2, 0}, "Mailbox is locked, try again later"};
    case Kind::bad_name:
      return bad_location;
    case Kind::not_found:
    case Kind::already_exists:
    case Kind::refused:
    case Kind::corrupt_index:
    case Kind::unavailable:
      return {451, {4, 3, 0}, "Mailbox unavailable, try again later"};
  }
  return smtp::reply::try_later;
}

StoreResult<store::MailLocation> MailboxDelivery::locate(const MailboxRules& rules,
                                                         const session::UserdbAnswer& answer) {
  const store::MailUser user(answer.user, std::string(answer.field("home").value_or("")));
  return store::make_mail_location(answer.field("mail").value_or(rules.mail_location), user,
                                   rules.mail_directories);
}

Task<Result<Target, Reply>> MailboxDelivery::find(smtp::Mailbox mailbox) {
  const Rules rules = rules_;
  const std::string domain =
      smtp::canonical_domain(mailbox.domain.empty() ? rules->domain : mailbox.domain);
  // Whoever has the whole local-part as a name comes before whoever has it as an extension.
  session::UserdbAnswer answer = co_await users_.find(mailbox.local_part + "@" + domain);
  const auto [local, extension] = split_extension(mailbox.local_part, rules->recipient_delimiter);
  const bool extended = answer.kind == session::UserdbAnswer::Kind::unknown && !extension.empty();
  if (extended) answer = co_await users_.find(local + "@" + domain);
  if (answer.kind == session::UserdbAnswer::Kind::unknown) {
    co_return fail(Reply(smtp::reply::no_such_user));
  }
  if (answer.kind == session::UserdbAnswer::Kind::unavailable) {
    log_.warning("", "user-lookup-failed",
                 {{"rcpt", smtp::format_mailbox(mailbox)}, {"why", answer.why}});
    co_return fail(Reply(user_lookup_failed));
  }
  auto location = locate(*rules, answer);
  if (!location) {
    log_.error("", "bad-mail-location", {{"user", answer.user}, {"why", location.error().text}});
    co_return fail(Reply(bad_location));
  }
  Target target;
  target.quota = rules->quota;
  if (const auto rule = answer.field("quota_rule")) {
    const auto quota = store::parse_quota(*rule);
    if (!quota) {
      log_.error("", "bad-quota", {{"user", answer.user}, {"why", quota.error()}});
      co_return fail(Reply(bad_location));
    }
    target.quota = *quota;
  }
  target.user = std::move(answer.user);
  target.location = std::move(*location);
  if (extended && rules->extension_folder && target.location.format == store::MailFormat::maildir) {
    // An extension that can't be a folder is no reason to lose the message.
    target.folder = store::maildir_folder_directory(extension).value_or(std::string());
  }
  co_return target;
}

Task<std::vector<Outcome>> MailboxDelivery::deliver(const Letter& letter,
                                                    const std::vector<Target>& targets) {
  const auto& recipients = letter.envelope.recipients;
  std::vector<Outcome> outcomes(recipients.size());
  if (recipients.size() == 1) {
    co_await deliver_one(letter, recipients[0], targets[0], outcomes.data());
    co_return outcomes;
  }
  // A recipient that was given twice has one copy and two answers (RFC 2033 4.2).
  std::vector<std::size_t> first(recipients.size());
  async::Scope scope;
  for (std::size_t i = 0; i < recipients.size(); ++i) {
    const auto known =
        std::find_if(recipients.begin(), recipients.begin() + static_cast<std::ptrdiff_t>(i),
                     [&](const smtp::Recipient& r) { return r.mailbox == recipients[i].mailbox; });
    first[i] = static_cast<std::size_t>(known - recipients.begin());
    if (first[i] == i) scope.spawn(deliver_one(letter, recipients[i], targets[i], &outcomes[i]));
  }
  co_await scope.join();
  for (std::size_t i = 0; i < recipients.size(); ++i) {
    if (first[i] != i) outcomes[i] = outcomes[first[i]];
  }
  co_return outcomes;
}

Task<void> MailboxDelivery::deliver_one(const Letter& letter, const smtp::Recipient& recipient,
                                        const Target& target, Outcome* outcome) {
  const Rules rules = rules_;
  if (is_loop(letter, recipient.mailbox)) {
    *outcome = Outcome(loop);
    co_return;
  }
  std::string head = trace_head(letter, recipient, rules->hostname);
  auto stored = co_await store_letter(letter, target, std::move(head), rules);
  if (stored) {
    *outcome = Outcome(delivered);
    outcome->where = std::move(*stored);
  } else {
    *outcome = Outcome(reply_for(stored.error(), rules->quota_full_bounces),
                       std::move(stored.error().text));
  }
}

Task<StoreResult<std::string>> MailboxDelivery::to_maildir(const Letter& letter,
                                                           const Target& target, std::string head) {
  const std::uint64_t octets = head.size() + letter.content->size();
  // Asked even without a rule: limits may lie beside the mail (SETQUOTA, another program's maildirsize).
  auto ask = [this, &target, octets] { return fits_quota(files_, target, octets); };
  auto fits = co_await async::blocking(std::move(ask));
  if (!fits) co_return fail(std::move(fits.error()));
  store::MailLocation location = target.location;
  std::string folder = target.folder;
  auto done = co_await maildirs_.deliver(std::move(location), std::move(folder), std::move(head),
                                         letter.content);
  if (!done) co_return fail(std::move(done.error()));
  if (*fits) {
    auto note = [this, &target, octets] { note_usage(files_, target, octets); };
    co_await async::blocking(std::move(note));
  }
  co_return std::move(done->path);
}

Task<StoreResult<std::string>> MailboxDelivery::store_letter(const Letter& letter,
                                                             const Target& target, std::string head,
                                                             Rules rules) {
  if (target.location.format == store::MailFormat::maildir) {
    auto done = co_await to_maildir(letter, target, std::move(head));
    co_return done;
  }
  const std::string sender =
      letter.envelope.reverse_path ? smtp::format_mailbox(*letter.envelope.reverse_path) : "";
  const async::Deadline deadline = async::Deadline::in(rules->lock_time);
  Duration pause = std::chrono::milliseconds(10);
  for (;;) {
    auto work = [this, &letter, &target, &sender, &head] {
      return store::append_to_mbox(files_, target.location, sender, head, *letter.content);
    };
    auto done = co_await async::blocking(std::move(work));
    if (done) co_return target.location.path() + "#" + std::to_string(*done);
    if (done.error().kind != StoreError::Kind::locked || deadline.passed()) {
      co_return fail(std::move(done.error()));
    }
    const async::Deadline next = async::Deadline::in(pause);
    co_await async::sleep_until(deadline.or_before(next));
    pause = std::min<Duration>(pause * 2, std::chrono::milliseconds(500));
  }
}

}  // namespace posthorn::deliverd
