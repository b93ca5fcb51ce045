// Does what update() asks for: requests on lines, messages sent and kept. What comes of it is told as events. Nothing here
// waits for the screen, and the screen for nothing here.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agents/mua/ui/event.h"
#include "agents/mua/ui/line.h"
#include "libmail/async/scope.h"

namespace posthorn::mua::ui {

class MailSide {
 public:
  using Tell = std::function<void(Event)>;
  // `accounts` may get passwords typed by the user (Secret::typed) until they are first used.
  MailSide(std::vector<Account>& accounts, std::string outbox, Duration timeout, Tell tell);

  void perform(const OpenAccount& action);
  void perform(const CountFolders& action);
  void perform(const OpenFolder& action);
  void perform(const WatchFolder& action);
  void perform(const LoadPage& action);
  void perform(const ReadMessage& action);
  void perform(const EditFlags& action);
  void perform(const MoveMessages& action);
  void perform(const RemoveMessages& action);
  void perform(const RestoreMessages& action);
  void perform(const SaveParts& action);
  void perform(const BeginLetter& action);
  void perform(const NewLetter& action);
  void perform(const SendLetter& action);
  void perform(const KeepDraft& action);
  void perform(const DropLetter& action);
  void perform(const GiveUp& action);

  // Changes that are under way are done, connections said goodbye to; `deadline` bounds it. True: nothing runs any more.
  Task<bool> finish(Deadline deadline);

 private:
  void ask(std::uint64_t request, Line::Work work, bool again = true);
  [[nodiscard]] const Account& account() const { return accounts_[current_]; }
  void drop_line();

  // mail_work.cc: on the line's task
  Task<Mail<void>> open_folder(Line& line, OpenFolder action);
  Task<Mail<void>> load_page(Line& line, LoadPage action);
  Task<Mail<void>> read(Line& line, ReadMessage action);
  Task<Mail<void>> edit_flags(Line& line, EditFlags action);
  Task<Mail<void>> move(Line& line, MoveMessages action);
  Task<Mail<void>> remove(Line& line, RemoveMessages action);
  Task<Mail<void>> restore(Line& line, RestoreMessages action);
  Task<Mail<void>> save(Line& line, SaveParts action);
  Task<Mail<void>> begin_letter(Line& line, BeginLetter action, std::size_t account);

  // mail_letters.cc
  Task<void> send(Account account, SendLetter action);
  Task<void> keep(Account account, KeepDraft action);
  Task<std::string> drop_draft(const Account& account, const Letter& letter);
  void give_back(std::uint64_t request, Letter letter, const service::ToolError& error);

  std::vector<Account>& accounts_;
  std::string outbox_;
  Duration timeout_;
  Tell tell_;
  std::size_t current_ = 0;
  std::shared_ptr<Line> line_;
  std::shared_ptr<Watcher> watcher_;
  async::Scope scope_;
};

// A message as a person reads it: decoded, harmless, its text at most a MiB long.
[[nodiscard]] MessageText text_of_message(std::string_view octets);

}  // namespace posthorn::mua::ui
