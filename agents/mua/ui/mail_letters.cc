// Messages on their way out: to a server, the outbox, the drafts. Each has connections of its own.
#include <unistd.h>

#include "agents/mua/compose.h"
#include "agents/mua/ui/mail_side.h"
#include "libmail/async/files.h"

namespace posthorn::mua::ui {

namespace {

using service::ToolError;

// Attached files are read on the way: off the loop.
Task<Result<Composed, ToolError>> compose_letter(const Account& account, const Letter& letter,
                                                 bool is_draft) {
  auto work = [&account, &letter, is_draft] {
    ComposeFlags flags;
    flags.attach = letter.attach;
    flags.draft = is_draft;
    return compose(account, letter.draft, flags, letter.text, letter.more);
  };
  auto composed = co_await async::blocking(std::move(work));
  co_return composed;
}

void forget_typed(const Letter& letter) {
  if (!letter.typed.empty()) ::unlink(letter.typed.c_str());
}

}  // namespace

void MailSide::perform(const NewLetter& action) {
  LetterBegun begun;
  begun.request = action.request;
  begun.letter.account = current_;
  const Account& own = account();
  if (const auto done = apply_addresses(own, {}, begun.letter.draft); !done)
    return tell_(Failed{action.request, done.error().message});
  if (!own.signature.empty()) begun.letter.text = "\n\n-- \n" + own.signature + "\n";
  tell_(std::move(begun));
}

void MailSide::perform(const SendLetter& action) {
  scope_.spawn(send(accounts_[action.letter.account], action));
}

void MailSide::perform(const KeepDraft& action) {
  scope_.spawn(keep(accounts_[action.letter.account], action));
}

void MailSide::perform(const DropLetter& action) {
  forget_typed(action.letter);
}

void MailSide::give_back(std::uint64_t request, Letter letter, const ToolError& error) {
  tell_(LetterReturned{request, std::move(letter), error.message});
}

// Why the draft it was made of is still there.
Task<std::string> MailSide::drop_draft(const Account& account, const Letter& letter) {
  std::string left;
  if (!letter.taken_up) co_return left;
  const auto done =
      co_await delete_draft(account, letter.taken_up->folder, letter.taken_up->uid, timeout_);
  if (!done) left = done.error().text;
  co_return left;
}

Task<void> MailSide::send(Account account, SendLetter action) {
  auto composed = co_await compose_letter(account, action.letter, false);
  if (!composed) {
    give_back(action.request, std::move(action.letter), composed.error());
    co_return;
  }
  auto sent = co_await send_letter(account, outbox_, std::move(*composed), true, timeout_);
  if (!sent) {
    give_back(action.request, std::move(action.letter), tool_error(sent.error()));
    co_return;
  }
  forget_typed(action.letter);
  const auto& answered = action.letter.answered;
  std::string left = co_await drop_draft(account, action.letter);
  tell_(LetterSent{action.request, std::move(*sent), std::move(left)});
  if (answered)
    co_await mark_answered(account, answered->folder, answered->uid, answered->flag, timeout_);
}

Task<void> MailSide::keep(Account account, KeepDraft action) {
  const auto composed = co_await compose_letter(account, action.letter, true);
  if (!composed) {
    give_back(action.request, std::move(action.letter), composed.error());
    co_return;
  }
  imap::Flags flags;
  flags.set(imap::SystemFlag::draft);
  flags.set(imap::SystemFlag::seen);
  auto kept =
      co_await keep_copy(account, "drafts", composed->for_draft, std::move(flags), timeout_);
  if (!kept) {
    give_back(action.request, std::move(action.letter), tool_error(kept.error()));
    co_return;
  }
  forget_typed(action.letter);
  LetterSent sent;
  sent.request = action.request;
  sent.sent.how = Sent::How::draft;
  sent.sent.folder = std::move(*kept);
  sent.left = co_await drop_draft(account, action.letter);
  tell_(std::move(sent));
}

}  // namespace posthorn::mua::ui
