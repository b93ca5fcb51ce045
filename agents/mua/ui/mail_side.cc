#include "agents/mua/ui/mail_side.h"

#include "agents/mua/compose.h"

namespace posthorn::mua::ui {

MailSide::MailSide(std::vector<Account>& accounts, std::string outbox, Duration timeout, Tell tell)
    : accounts_(accounts), outbox_(std::move(outbox)), timeout_(timeout), tell_(std::move(tell)) {}

void MailSide::ask(std::uint64_t request, Line::Work work, bool again) {
  if (line_ == nullptr) {
    const auto failed = [this](std::uint64_t which, const MailError& error) {
      tell_(Failed{which, error.hint.empty() ? error.text : error.text + " (" + error.hint + ")"});
    };
    line_ = std::make_shared<Line>(account(), timeout_, failed);
    scope_.spawn(Line::serve(line_));
  }
  Line::Job job;
  job.request = request;
  job.work = std::move(work);
  job.again = again;
  line_->add(std::move(job));
}

void MailSide::drop_line() {
  if (line_ == nullptr) return;
  if (line_->at_rest())
    line_->finish();
  else
    line_->drop();
  line_.reset();
}

void MailSide::perform(const OpenAccount& action) {
  drop_line();
  if (watcher_ != nullptr) watcher_->drop();
  current_ = action.account;
  Watcher::Listener listener;
  listener.folders = [this, which = current_](std::vector<Folder> folders) {
    tell_(FoldersCame{which, std::move(folders)});
  };
  listener.watching = [this, which = current_](std::string folder, std::uint32_t messages) {
    tell_(Watching{which, std::move(folder), messages});
  };
  listener.news = [this, which = current_](std::string folder, FolderNews news,
                                           std::vector<Summary> messages) {
    if (!news.arrived.empty() && line_ != nullptr) line_->forget_folder();
    tell_(NewsCame{which, std::move(folder), std::move(news), std::move(messages)});
  };
  listener.lost = [this, which = current_](const MailError& error) {
    tell_(WatchLost{which, error.text});
  };
  watcher_ = std::make_shared<Watcher>(account(), timeout_, std::move(listener));
  scope_.spawn(Watcher::serve(watcher_));
}

void MailSide::perform(const CountFolders&) {
  if (watcher_ != nullptr) watcher_->count_folders();
}

void MailSide::perform(const WatchFolder& action) {
  if (watcher_ != nullptr) watcher_->watch(action.folder);
}

void MailSide::perform(const OpenFolder& action) {
  ask(action.request, [this, action](Line& line) { return open_folder(line, action); });
}

void MailSide::perform(const LoadPage& action) {
  ask(action.request, [this, action](Line& line) { return load_page(line, action); });
}

void MailSide::perform(const ReadMessage& action) {
  ask(action.request, [this, action](Line& line) { return read(line, action); });
}

void MailSide::perform(const EditFlags& action) {
  ask(action.request, [this, action](Line& line) { return edit_flags(line, action); });
}

void MailSide::perform(const MoveMessages& action) {
  // Not twice: nobody knows whether the first attempt moved it.
  ask(action.request, [this, action](Line& line) { return move(line, action); }, false);
}

void MailSide::perform(const RemoveMessages& action) {
  ask(action.request, [this, action](Line& line) { return remove(line, action); }, false);
}

void MailSide::perform(const RestoreMessages& action) {
  ask(action.request, [this, action](Line& line) { return restore(line, action); }, false);
}

void MailSide::perform(const SaveParts& action) {
  ask(action.request, [this, action](Line& line) { return save(line, action); }, false);
}

void MailSide::perform(const BeginLetter& action) {
  ask(action.request,
      [this, action, which = current_](Line& line) { return begin_letter(line, action, which); });
}

void MailSide::perform(const GiveUp&) {
  if (line_ == nullptr) return;
  line_->drop();
  line_.reset();
}

Task<bool> MailSide::finish(Deadline deadline) {
  if (line_ != nullptr) line_->finish();
  if (watcher_ != nullptr) watcher_->drop();
  constexpr Duration look_again = std::chrono::milliseconds(10);
  while (scope_.running() > 0 && !deadline.passed()) {
    const Deadline next = Deadline::in(look_again);
    co_await async::sleep_until(next);
  }
  co_return scope_.running() == 0;
}

}  // namespace posthorn::mua::ui
