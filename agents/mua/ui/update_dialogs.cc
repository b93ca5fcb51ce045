// Prompts, choosers, questions, the help, and the last look at a message before it goes.
#include <fmt/format.h>

#include <algorithm>

#include "agents/mua/output.h"
#include "agents/mua/ui/updating.h"
#include "libmail/message/utf8.h"

namespace posthorn::mua::ui {

namespace {

using Code = Key::Code;
constexpr char32_t control_u = 21;
constexpr char32_t control_w = 23;
constexpr std::string_view all_attachments = "all of them";

void erase_before(std::string& text, std::size_t& at, std::size_t from) {
  text.erase(from, at - from);
  at = from;
}

// A key within a line that is typed.
void edit_line(std::string& text, std::size_t& at, const Key& key) {
  switch (key.code) {
    case Code::left:
      at = previous_character(text, at);
      return;
    case Code::right:
      at = next_character(text, at);
      return;
    case Code::home:
      at = 0;
      return;
    case Code::end:
      at = text.size();
      return;
    case Code::backspace:
      return erase_before(text, at, previous_character(text, at));
    case Code::remove:
      text.erase(at, next_character(text, at) - at);
      return;
    case Code::character:
      break;
    default:
      return;
  }
  if (key.character == control_u) return erase_before(text, at, 0);
  if (key.character == control_w) {
    const std::size_t word = text.find_last_not_of(' ', at == 0 ? 0 : at - 1);
    const std::size_t blank = word == std::string::npos ? word : text.find_last_of(' ', word);
    return erase_before(text, at, blank == std::string::npos ? 0 : blank + 1);
  }
  if (key.character < 0x20 || key.character == 0x7F) return;
  std::string typed;
  message::append_utf8(typed, key.character);
  text.insert(at, typed);
  at += typed.size();
}

}  // namespace

bool Updating::dialog_key(const Key& key) {
  if (m_.question)
    question_key(key);
  else if (m_.prompt)
    prompt_key(key);
  else if (m_.chooser)
    chooser_key(key);
  else if (m_.help)
    help_key(key);
  else if (m_.review)
    review_key(key);
  else
    return false;
  return true;
}

void Updating::prompt_key(const Key& key) {
  if (key.code == Code::escape)
    m_.prompt.reset();
  else if (key.code == Code::enter)
    prompt_done();
  else
    edit_line(m_.prompt->text, m_.prompt->at, key);
}

void Updating::prompt_done() {
  const Prompt prompt = std::move(*m_.prompt);
  m_.prompt.reset();
  switch (prompt.kind) {
    case Prompt::Kind::search:
      m_.open.reset();
      m_.focus = Pane::list;
      return open_folder(m_.list.folder.empty() ? "INBOX" : m_.list.folder, prompt.text);
    case Prompt::Kind::save:
      if (!m_.open || prompt.text.empty()) return;
      m_.save_directory = prompt.text;
      return act(SaveParts{ask("saving attachments", Request::Kind::asked), m_.open->folder,
                           m_.open->summary.uid, prompt.parts, prompt.text});
    case Prompt::Kind::attach:
      if (m_.review && !prompt.text.empty()) m_.review->attach.push_back(prompt.text);
      return;
  }
}

void Updating::choose_account() {
  if (m_.accounts.size() < 2) return say("there is one account only");
  Chooser chooser;
  chooser.kind = Chooser::Kind::account;
  chooser.title = "Account";
  chooser.items = m_.accounts;
  m_.chooser = std::move(chooser);
}

void Updating::choose_folder() {
  if (chosen() == nullptr) return;
  Chooser chooser;
  chooser.kind = Chooser::Kind::move;
  chooser.title = "Move to";
  for (const Folder& each : m_.folders) {
    if (each.selectable && each.name != m_.list.folder) chooser.items.push_back(each.name);
  }
  if (chooser.items.empty()) return say("there is no folder to move it to", true);
  m_.chooser = std::move(chooser);
}

void Updating::choose_attachment() {
  if (!m_.open || !m_.open->text) return say("Enter opens the message with its attachments first");
  Chooser chooser;
  chooser.kind = Chooser::Kind::save;
  chooser.title = "Save";
  std::vector<std::string> numbers;
  for (const PartInfo& part : m_.open->text->parts) {
    if (!part.attachment) continue;
    numbers.push_back(part.number);
    chooser.items.push_back(part.number + "  " + part.filename);
  }
  if (numbers.empty()) return say("the message has no attachments");
  if (numbers.size() == 1) return ask_directory(std::move(numbers));
  chooser.items.insert(chooser.items.begin(), std::string(all_attachments));
  m_.chooser = std::move(chooser);
}

void Updating::ask_directory(std::vector<std::string> parts) {
  Prompt prompt{Prompt::Kind::save, "Save in", m_.save_directory, m_.save_directory.size(),
                std::move(parts)};
  m_.prompt = std::move(prompt);
}

void Updating::chooser_key(const Key& key) {
  Chooser& chooser = *m_.chooser;
  const std::size_t count = chooser.matches().size();
  switch (key.code) {
    case Code::escape:
      m_.chooser.reset();
      return;
    case Code::enter:
      return chooser_done();
    case Code::up:
      if (chooser.cursor > 0) --chooser.cursor;
      return;
    case Code::down:
    case Code::tab:
      if (chooser.cursor + 1 < count) ++chooser.cursor;
      return;
    default:
      break;
  }
  std::size_t end = chooser.typed.size();
  edit_line(chooser.typed, end, key);
  chooser.cursor = 0;
}

void Updating::chooser_done() {
  const auto matches = m_.chooser->matches();
  if (m_.chooser->cursor >= matches.size()) return;
  const std::size_t chosen_item = matches[m_.chooser->cursor];
  const Chooser chooser = std::move(*m_.chooser);
  m_.chooser.reset();
  switch (chooser.kind) {
    case Chooser::Kind::account:
      return switch_account(chosen_item);
    case Chooser::Kind::move: {
      const Summary* message = chosen();
      if (message == nullptr) return;
      const Summary copy = *message;
      return move_away(copy, chooser.items[chosen_item]);
    }
    case Chooser::Kind::save: {
      std::vector<std::string> numbers;
      if (!m_.open || !m_.open->text) return;
      for (const PartInfo& part : m_.open->text->parts) {
        if (part.attachment) numbers.push_back(part.number);
      }
      if (chosen_item > 0) numbers = {numbers[chosen_item - 1]};
      return ask_directory(std::move(numbers));
    }
  }
}

void Updating::question_key(const Key& key) {
  const Question question = std::move(*m_.question);
  m_.question.reset();
  if (key.code != Code::character || (key.character != 'y' && key.character != 'Y')) return;
  if (question.kind == Question::Kind::delete_for_good) return delete_for_good(question.uid);
  if (m_.review) act(DropLetter{std::move(*m_.review)});
  m_.review.reset();
  say("thrown away");
}

void Updating::keep_draft() {
  act(KeepDraft{ask("keeping the draft", Request::Kind::sends), std::move(*m_.review)});
  m_.review.reset();
}

void Updating::review_key(const Key& key) {
  if (key.code == Code::escape) return keep_draft();
  if (key.code == Code::up || key.code == Code::page_up)
    m_.review_top -= std::min<std::size_t>(m_.review_top, key.code == Code::up ? 1 : 10);
  if (key.code == Code::down || key.code == Code::page_down)
    m_.review_top += key.code == Code::down ? 1 : 10;
  if (key.code != Code::character) return;
  switch (key.character) {
    case 'y':
      act(SendLetter{ask("sending", Request::Kind::sends), std::move(*m_.review)});
      m_.review.reset();
      return;
    case 'e':
      act(EditLetter{std::move(*m_.review)});
      m_.review.reset();
      return;
    case 'a':
      m_.prompt = Prompt{Prompt::Kind::attach, "Attach file", "", 0, {}};
      return;
    case 'q':
      return keep_draft();
    case 'D':
      m_.question = {Question::Kind::discard_letter, "Throw this message away?", 0};
      return;
    case 'j':
      ++m_.review_top;
      return;
    case 'k':
      m_.review_top -= std::min<std::size_t>(m_.review_top, 1);
      return;
    default:
      return;
  }
}

void Updating::help_key(const Key& key) {
  const bool down = key.code == Code::down || key.code == Code::page_down || key.character == 'j' ||
                    key.character == ' ';
  const bool up = key.code == Code::up || key.code == Code::page_up || key.character == 'k';
  if (down)
    ++m_.help_top;
  else if (up)
    m_.help_top -= std::min<std::size_t>(m_.help_top, 1);
  else
    m_.help = false;
}

}  // namespace posthorn::mua::ui
