// Models for the tests of update() and draw(): a few messages, and what a mail side would have said.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "agents/mua/ui/draw.h"
#include "agents/mua/ui/update.h"

namespace posthorn::mua::ui {

// The action of a kind among those of the last step; nullptr: there is none.
template <class A>
const A* find_action(const Step& step) {
  for (const Action& each : step.actions) {
    if (const A* found = std::get_if<A>(&each)) return found;
  }
  return nullptr;
}

inline Summary sample_message(std::uint32_t uid, const std::string& from,
                              const std::string& subject, const std::string& answers = "") {
  Summary message;
  message.uid = uid;
  message.from = {{from, "x", "beta.test"}};
  message.to = {{"", "carl", "dove.test"}};
  message.subject = subject;
  message.message_id = "<" + std::to_string(uid) + "@beta.test>";
  if (!answers.empty()) message.references = {answers};
  message.received = std::chrono::sys_seconds(std::chrono::seconds(1'793'000'000 + uid * 3600));
  message.date = message.received;
  message.size = 1000;
  return message;
}

inline Folder sample_folder(const std::string& name, const std::string& role, int unseen) {
  Folder folder;
  folder.name = name;
  folder.role = role;
  folder.unseen = static_cast<std::uint64_t>(unseen);
  folder.messages = 10;
  return folder;
}

// A person at a mail side that does at once what is asked for.
class Sample {
 public:
  Sample() : Sample(80, 24) {}
  Sample(int width, int height) {
    Model model;
    model.width = width;
    model.height = height;
    model.accounts = {"carl", "work"};
    model.servers = {"imap.dove.test", "imap.work.test"};
    step = begin(std::move(model));
  }

  Sample& tell(const Event& event) {
    step = update(std::move(step.model), event);
    return *this;
  }
  Sample& press(char32_t c) { return tell(KeyPressed{Key::of(c), now}); }
  Sample& press(Key::Code code) { return tell(KeyPressed{Key{code, 0}, now}); }
  Sample& type(std::string_view text) {
    for (const char c : text) press(static_cast<char32_t>(c));
    return *this;
  }
  // INBOX with these messages, and three folders.
  Sample& fill(const std::vector<Summary>& messages) {
    tell(FoldersCame{0,
                     {sample_folder("INBOX", "inbox", 2), sample_folder("Bin", "trash", 0),
                      sample_folder("Lists/C++", "", 7)}});
    FolderOpened opened;
    opened.request =
        find_action<OpenFolder>(step) != nullptr ? find_action<OpenFolder>(step)->request : 1;
    opened.folder = "INBOX";
    opened.uid_validity = 1;
    for (const Summary& each : messages) opened.uids.push_back(each.uid);
    tell(opened);
    if (const auto* load = find_action<LoadPage>(step)) tell(PageCame{load->request, messages});
    return *this;
  }
  Sample& fill() {
    return fill({sample_message(1, "J\u00FCrgen", "Plan"),
                 sample_message(2, "Ann", "Re: Plan", "<1@beta.test>"),
                 sample_message(3, "\u5C71\u7530", "\u65E5\u672C\u8A9E\u306E\u4EF6\u540D")});
  }
  // The message under the cursor, with this text.
  Sample& open(const std::string& text) {
    press(Key::Code::enter);
    MessageCame came;
    came.request = find_action<ReadMessage>(step)->request;
    came.text.text = text;
    came.text.fields = {{"From", "x"}, {"X-Test", "yes"}};
    came.text.raw = "From: x\nX-Test: yes\n\n" + text;
    return tell(came);
  }
  [[nodiscard]] const Model& model() const { return step.model; }
  [[nodiscard]] std::vector<std::string> subjects() const {
    std::vector<std::string> all;
    for (const ListRow& row : model().list.rows)
      all.push_back(std::string(row.depth, '>') + model().list.messages[row.index].subject);
    return all;
  }

  Step step;
  MonoTime now{std::chrono::seconds(100)};
};

}  // namespace posthorn::mua::ui
