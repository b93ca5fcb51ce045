// The inside of update.h: one event on its way through a model. update.cc has the keys of the panes, update_dialogs.cc
// those of what lies over them, update_results.cc what the mail side says.
#pragma once

#include <string>
#include <vector>

#include "agents/mua/ui/update.h"

namespace posthorn::mua::ui {

class Updating {
 public:
  explicit Updating(Model model) : m_(std::move(model)) {}
  // Scroll positions put right, pages asked for that will be needed.
  Step finish();

  void begin();
  void on(const KeyPressed& event);
  void on(const Resized& event);
  void on(const Tick& event);
  void on(const Ended& event);
  void on(const FoldersCame& event);
  void on(const FolderOpened& event);
  void on(const PageCame& event);
  void on(const MessageCame& event);
  void on(const FlagsSet& event);
  void on(const Moved& event);
  void on(const Restored& event);
  void on(const Saved& event);
  void on(const LetterBegun& event);
  void on(const LetterEdited& event);
  void on(const LetterSent& event);
  void on(const LetterReturned& event);
  void on(const NewsCame& event);
  void on(const Watching& event);
  void on(const WatchLost& event);
  void on(const Failed& event);

 private:
  // ---- requests ----
  std::uint64_t ask(std::string what, Request::Kind kind = Request::Kind::quiet);
  bool answered(std::uint64_t request);  // false: it was given up
  void say(std::string text, bool error = false);
  template <class A>
  void act(A action) {
    actions_.emplace_back(std::move(action));
  }

  // ---- keys, update.cc ----
  void pane_key(const Key& key);
  bool character(char32_t c);
  bool common_character(char32_t c);
  void move_in_folders(const Key& key);
  void move_in_list(const Key& key);
  void move_in_message(const Key& key);
  void back(bool may_quit);
  void next_pane(bool backwards);
  void step_message(bool forward);
  void give_up();
  [[nodiscard]] bool waits() const;
  void quit();
  void open_folder(std::string folder, std::string query);
  void open_message();
  void read(bool whole);
  void change_view();
  void fold(bool all);
  void refresh();
  void switch_account(std::size_t account);
  [[nodiscard]] Summary* chosen();
  void answer(AnswerHow how, std::string what);
  void take_up();

  // ---- changes, update_changes.cc ----
  void toggle(imap::SystemFlag flag);
  void edit_flags(const Summary& message, const FlagEdit& edit, std::string what, bool undoable);
  void delete_chosen();
  void delete_for_good(std::uint32_t uid);
  void move_away(const Summary& message, std::string to);
  void remove_row(std::uint32_t uid, bool open_next);
  void undo();
  void take_back(std::uint64_t request);
  void apply(const std::string& folder, std::uint32_t uid, const FlagEdit& edit);
  void count(const std::string& folder, int messages, int unseen);

  // ---- dialogs, update_dialogs.cc ----
  bool dialog_key(const Key& key);
  void prompt_key(const Key& key);
  void prompt_done();
  void chooser_key(const Key& key);
  void chooser_done();
  void question_key(const Key& key);
  void review_key(const Key& key);
  void help_key(const Key& key);
  void choose_account();
  void choose_folder();
  void choose_attachment();
  void ask_directory(std::vector<std::string> parts);
  void keep_draft();

  // ---- lists, update_results.cc ----
  void load_page();
  void merge(const FolderOpened& event);

  Model m_;
  std::vector<Action> actions_;
};

}  // namespace posthorn::mua::ui
