#include "agents/mua/sending.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "agents/mua/output.h"
#include "libmail/async/loop.h"

namespace posthorn::mua {

using nlohmann::json;
using service::ToolError;
namespace exit_code = service::exit_code;

namespace {

imap::Flags flag(imap::SystemFlag which) {
  imap::Flags flags;
  flags.set(which);
  return flags;
}

std::string_view name_of(Sent::How how) {
  switch (how) {
    case Sent::How::printed:
      return "dry-run";
    case Sent::How::draft:
      return "draft";
    case Sent::How::sent:
      return "sent";
    case Sent::How::queued:
      break;
  }
  return "queued";
}

void report(const Sent& sent, const Composed& composed, const Account& account, bool as_json) {
  if (as_json) {
    json result = {{"account", account.name},
                   {"status", name_of(sent.how)},
                   {"message_id", composed.letter.message_id},
                   {"from", composed.letter.from},
                   {"recipients", composed.letter.recipients},
                   {"folder", nullptr},
                   {"outbox_id", nullptr},
                   {"trouble", nullptr}};
    if (!sent.folder.empty()) result["folder"] = sent.folder;
    if (!sent.outbox_id.empty()) result["outbox_id"] = sent.outbox_id;
    if (!sent.trouble.empty()) result["trouble"] = shown(sent.trouble);
    if (sent.how == Sent::How::printed)
      result["message"] = composed.letter.message.whole().value_or("");
    print_json(result);
    return;
  }
  switch (sent.how) {
    case Sent::How::printed:
      (void)composed.letter.message.each([](std::string_view text) {
        return std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
      });
      return;
    case Sent::How::draft:
      fmt::print("draft in {}\n", shown(sent.folder));
      return;
    case Sent::How::sent:
      fmt::print("sent {}\n", shown(composed.letter.message_id));
      if (!sent.trouble.empty())
        fmt::print(stderr, "mua: no copy was kept: {}\n", shown(sent.trouble));
      return;
    case Sent::How::queued:
      fmt::print("in the outbox as {}\n", sent.outbox_id);
      fmt::print(stderr, "mua: {}\nmua: mua outbox flush tries again\n", shown(sent.trouble));
  }
}

}  // namespace

Task<Mail<std::string>> keep_copy(const Account& account, std::string role, Octets message,
                                  imap::Flags flags, Duration timeout) {
  const Deadline deadline = Deadline::in(timeout);
  auto store = co_await open_store(account, deadline);
  if (!store) co_return fail(store.error());
  auto folder = co_await find_folder(**store, account, role);
  if (!folder && folder.error().kind == MailError::Kind::not_found) {
    // An account without such a folder gets one.
    const auto named = account.folders.find(role);
    std::string name = role == "sent" ? "Sent" : "Drafts";
    if (named != account.folders.end()) name = named->second;
    const auto made = co_await (*store)->create_folder(name);
    if (made) folder = std::move(name);
  }
  Mail<std::uint32_t> appended = 0;
  if (folder) {
    NewMessage copy;
    copy.octets = std::move(message);
    copy.flags = std::move(flags);
    appended = co_await (*store)->append(*folder, std::move(copy));
  }
  co_await (*store)->close();
  if (!folder) co_return fail(folder.error());
  if (!appended) co_return fail(appended.error());
  co_return std::move(*folder);
}

Task<Mail<void>> delete_draft(const Account& account, std::string folder, std::uint32_t uid,
                              Duration timeout) {
  const Deadline deadline = Deadline::in(timeout);
  auto store = co_await open_store(account, deadline);
  if (!store) co_return fail(store.error());
  Mail<std::string> found = folder;
  if (folder.empty()) found = co_await find_folder(**store, account, "drafts");
  Mail<void> done;
  if (found) {
    const auto opened = co_await (*store)->open(*found, false);
    if (!opened) done = fail(opened.error());
  } else {
    done = fail(found.error());
  }
  Uids one = {uid};
  if (done) done = co_await (*store)->remove(std::move(one));
  co_await (*store)->close();
  co_return done;
}

Task<void> mark_answered(const Account& account, std::string folder, std::uint32_t uid,
                         std::string flag, Duration timeout) {
  const Deadline deadline = Deadline::in(timeout);
  auto store = co_await open_store(account, deadline);
  if (!store) co_return;
  const auto opened = co_await (*store)->open(folder, false);
  if (opened) {
    FlagEdit edit;
    edit.add.add(flag);
    Uids one = {uid};
    (void)co_await (*store)->edit_flags(std::move(one), std::move(edit));
  }
  co_await (*store)->close();
}

Task<Mail<Sent>> send_letter(const Account& account, std::string outbox, Composed composed,
                             bool copy, Duration timeout) {
  Sent sent;
  const Deadline deadline = Deadline::in(timeout);
  const auto handed = co_await submit(account, composed.letter, deadline);
  if (!handed && !is_worth_another_try(handed.error())) co_return fail(handed.error());
  if (!handed) {
    Waiting waiting;
    waiting.account = account.name;
    waiting.letter = std::move(composed.letter);
    waiting.copy = copy;
    waiting.subject = composed.subject;
    waiting.queued = std::chrono::time_point_cast<std::chrono::seconds>(wall_now());
    waiting.attempts = 1;
    waiting.last_error = handed.error().text;
    const auto id = Outbox(outbox).add(waiting);
    if (!id) co_return fail(id.error());
    sent.how = Sent::How::queued;
    sent.outbox_id = *id;
    sent.trouble = handed.error().text;
    co_return sent;
  }
  if (copy && account.copy_to_sent && account.keeps_folders()) {
    const auto kept = co_await keep_copy(account, "sent", composed.letter.message,
                                         flag(imap::SystemFlag::seen), timeout);
    if (kept)
      sent.folder = *kept;
    else
      sent.trouble = kept.error().text;
  }
  co_return sent;
}

namespace {

Task<Mail<Sent>> dispatch(const Account& account, std::string outbox, const Composed& composed,
                          const ComposeFlags& flags, Duration timeout) {
  Sent sent;
  if (flags.dry_run) {
    sent.how = Sent::How::printed;
    co_return sent;
  }
  if (flags.draft) {
    imap::Flags marks = flag(imap::SystemFlag::draft);
    marks.set(imap::SystemFlag::seen);
    const auto kept =
        co_await keep_copy(account, "drafts", composed.for_draft, std::move(marks), timeout);
    if (!kept) co_return fail(kept.error());
    sent.how = Sent::How::draft;
    sent.folder = *kept;
    co_return sent;
  }
  Composed copy = composed;
  auto done =
      co_await send_letter(account, std::move(outbox), std::move(copy), flags.copy, timeout);
  co_return done;
}

Task<void> run_after(std::function<Task<void>()> after) {
  co_await after();
}

}  // namespace

Result<int, ToolError> finish(const Account& account, const std::string& outbox, Composed composed,
                              const ComposeFlags& flags, Duration timeout, bool as_json,
                              std::function<Task<void>()> after) {
  const auto sent = async::run(dispatch(account, outbox, composed, flags, timeout));
  if (!sent) return fail(tool_error(sent.error()));
  const bool gone = sent->how == Sent::How::sent || sent->how == Sent::How::queued;
  if (gone && after) async::run(run_after(std::move(after)));
  report(*sent, composed, account, as_json);
  return sent->how == Sent::How::queued ? exit_code::try_again : exit_code::ok;
}

}  // namespace posthorn::mua
