#include "agents/mua/ui/update.h"

#include <catch2/catch.hpp>

#include "agents/mua/ui/sample.h"

using namespace posthorn;
using namespace posthorn::mua;
using namespace posthorn::mua::ui;
using Code = Key::Code;
using Names = std::vector<std::string>;

TEST_CASE("mua ui: it begins with the account and its INBOX") {
  const Sample sample;
  REQUIRE(find_action<OpenAccount>(sample.step) != nullptr);
  REQUIRE(find_action<OpenFolder>(sample.step) != nullptr);
  CHECK(find_action<OpenFolder>(sample.step)->folder == "INBOX");
  CHECK(sample.model().pending.size() == 1);
}

TEST_CASE("mua ui: a list comes as conversations, the newest first, and is watched") {
  Sample sample;
  sample.fill();
  CHECK(sample.subjects() == Names{"\u65E5\u672C\u8A9E\u306E\u4EF6\u540D", "Plan", ">Re: Plan"});
  CHECK(sample.model().pending.empty());
  Sample other;
  other.tell(FolderOpened{other.model().last_request, "INBOX", "", {}, 1, {4}});
  REQUIRE(find_action<WatchFolder>(other.step) != nullptr);
  CHECK(find_action<WatchFolder>(other.step)->folder == "INBOX");
}

TEST_CASE("mua ui: a large folder is loaded in pages, the newest first, as the cursor goes down") {
  Sample sample(80, 24);
  FolderOpened opened{sample.model().last_request, "INBOX", "", {}, 1, {}};
  for (std::uint32_t uid = 1; uid <= 10'000; ++uid) opened.uids.push_back(uid);
  sample.tell(opened);
  const auto answer = [&] {
    const auto* load = find_action<LoadPage>(sample.step);
    if (load == nullptr) return std::size_t{0};
    PageCame page{load->request, {}};
    for (const std::uint32_t uid : load->uids)
      page.messages.push_back(sample_message(uid, "x", "s" + std::to_string(uid)));
    sample.tell(page);
    return page.messages.size();
  };
  CHECK(answer() == first_page);
  CHECK(sample.subjects().front() == "s10000");
  CHECK(find_action<LoadPage>(sample.step) == nullptr);  // two screens are there
  sample.press(Code::page_down);
  CHECK(answer() == ui::page);
  CHECK(sample.model().list.rows.size() == first_page + ui::page);
  CHECK(sample.model().list.total == 10'000);
  sample.press(Code::end);
  CHECK(answer() == ui::page);
}

TEST_CASE("mua ui: a page that fails is asked for again by the next key, not by itself") {
  Sample sample;
  sample.tell(FolderOpened{sample.model().last_request, "INBOX", "", {}, 1, {1, 2, 3}});
  const std::uint64_t load = find_action<LoadPage>(sample.step)->request;
  sample.tell(Failed{load, "no answer in time"});
  CHECK(find_action<LoadPage>(sample.step) == nullptr);
  CHECK(sample.model().status.text == "no answer in time");
  sample.press('j');
  REQUIRE(find_action<LoadPage>(sample.step) != nullptr);
  CHECK(find_action<LoadPage>(sample.step)->uids == Uids{1, 2, 3});
}

TEST_CASE("mua ui: what was read is marked, and counted in its folder") {
  Sample sample;
  sample.fill().open("hello");
  const auto* edit = find_action<EditFlags>(sample.step);
  REQUIRE(edit != nullptr);
  CHECK(edit->uids == Uids{3});
  CHECK(edit->edit.add.has(imap::SystemFlag::seen));
  CHECK(sample.model().folders[0].unseen == 1);
  CHECK(sample.model().undo.empty());
}

TEST_CASE(
    "mua ui: a deleted message goes to the trash at once and comes back if the server refuses") {
  Sample sample;
  sample.fill().press('d');
  const auto* move = find_action<MoveMessages>(sample.step);
  REQUIRE(move != nullptr);
  CHECK(move->to.empty());
  CHECK(move->uids == Uids{3});
  CHECK(sample.subjects() == Names{"Plan", ">Re: Plan"});
  const std::uint64_t request = move->request;
  sample.tell(Failed{request, "over quota"});
  CHECK(sample.subjects().size() == 3);
  CHECK(sample.model().undo.empty());
  CHECK(sample.model().status.error);
}

TEST_CASE("mua ui: a draft is taken up again where it can be looked at, and nothing else is") {
  Sample sample;
  sample.fill().press('e');
  CHECK(find_action<BeginLetter>(sample.step) == nullptr);
  CHECK(sample.model().status.text.find("no draft") != std::string::npos);
  Model model = sample.model();
  model.list.messages[model.list.rows[model.list.cursor].index].flags.set(imap::SystemFlag::draft);
  sample.step = update(std::move(model), KeyPressed{Key::of('e'), {}});
  const auto* begin = find_action<BeginLetter>(sample.step);
  REQUIRE(begin != nullptr);
  CHECK(begin->how == AnswerHow::take_up);
  LetterBegun begun;
  begun.request = begin->request;
  begun.letter.draft.subject = "half done";
  begun.letter.taken_up = TakenUp{"Drafts", 3};
  sample.tell(begun);
  REQUIRE(sample.model().review.has_value());
  CHECK(find_action<EditLetter>(sample.step) == nullptr);
  sample.press('y');
  const auto* send = find_action<SendLetter>(sample.step);
  REQUIRE(send != nullptr);
  CHECK(send->letter.taken_up->uid == 3);
  LetterSent sent;
  sent.request = send->request;
  sent.left = "no answer in time";
  sample.tell(sent);
  CHECK(sample.model().status.error);
  CHECK(sample.model().status.text == "the draft is still there: no answer in time");
}

TEST_CASE("mua ui: u brings a deleted message back from where it went") {
  Sample sample;
  sample.fill().press('d');
  const auto request = find_action<MoveMessages>(sample.step)->request;
  sample.tell(Moved{request, "Bin"});
  sample.press('u');
  const auto* restore = find_action<RestoreMessages>(sample.step);
  REQUIRE(restore != nullptr);
  CHECK(restore->from == "Bin");
  CHECK(restore->to == "INBOX");
  CHECK(restore->messages.front().uid == 3);
  const auto again = restore->request;
  sample.tell(Restored{again, "INBOX"});
  CHECK(find_action<OpenFolder>(sample.step) != nullptr);
}

TEST_CASE("mua ui: a message in the trash is deleted for good only after y") {
  Sample sample;
  sample.fill().press(Code::tab).press(Code::tab);
  sample.tell(FolderOpened{0, "", "", {}, 0, {}});
  sample.press('g');
  sample.tell(FolderOpened{find_action<OpenFolder>(sample.step)->request, "Bin", "", {}, 2, {9}});
  sample.tell(
      PageCame{find_action<LoadPage>(sample.step)->request, {sample_message(9, "x", "old")}});
  sample.press('d').press('n');
  CHECK(find_action<RemoveMessages>(sample.step) == nullptr);
  CHECK(sample.subjects() == Names{"old"});
  sample.press('d').press('y');
  REQUIRE(find_action<RemoveMessages>(sample.step) != nullptr);
  CHECK(sample.subjects().empty());
}

TEST_CASE("mua ui: a flag shows at once, u takes it back, a refusal too") {
  Sample sample;
  sample.fill().press('*');
  const auto flagged = [&] {
    return sample.model().list.under_cursor()->flags.has(imap::SystemFlag::flagged);
  };
  CHECK(flagged());
  const auto first = find_action<EditFlags>(sample.step)->request;
  sample.tell(FlagsSet{first}).press('u');
  CHECK_FALSE(flagged());
  const auto second = find_action<EditFlags>(sample.step)->request;
  sample.tell(Failed{second, "read-only"});
  CHECK(flagged());
}

TEST_CASE("mua ui: Esc gives up what waits, and what comes late is thrown away") {
  Sample sample;
  sample.fill().press(Code::enter);
  const auto request = find_action<ReadMessage>(sample.step)->request;
  sample.press(Code::escape);
  CHECK(find_action<GiveUp>(sample.step) != nullptr);
  CHECK(sample.model().pending.empty());
  CHECK_FALSE(sample.model().open);
  sample.tell(MessageCame{request, {}});
  CHECK_FALSE(sample.model().open);
}

TEST_CASE("mua ui: a change that is given up is taken back") {
  Sample sample;
  sample.fill().press('d');
  sample.now += std::chrono::seconds(2);  // before that it is not in anybody's way
  sample.press(Code::escape);
  CHECK(sample.subjects().size() == 3);
  CHECK(sample.model().undo.empty());
}

TEST_CASE("mua ui: new mail comes into the list without a key, the cursor stays on its message") {
  Sample sample;
  sample.fill();
  FolderNews news;
  news.arrived = {4};
  sample.tell(NewsCame{0, "INBOX", news, {sample_message(4, "Ann", "fresh")}});
  CHECK(sample.subjects().front() == "fresh");
  CHECK(sample.model().list.under_cursor()->uid == 3);
  CHECK(sample.model().folders[0].unseen == 3);
  CHECK(sample.model().status.text == "new: Ann: fresh");
  sample.tell(NewsCame{1, "INBOX", news, {sample_message(5, "Ann", "of another account")}});
  CHECK(sample.subjects().size() == 4);
}

TEST_CASE("mua ui: what others delete leaves the list, what they flag changes in it") {
  Sample sample;
  sample.fill();
  FolderNews news;
  news.vanished = {1};
  news.changed = {2};
  Summary read = sample_message(2, "Ann", "Re: Plan", "<1@beta.test>");
  read.flags.set(imap::SystemFlag::seen);
  sample.tell(NewsCame{0, "INBOX", news, {read}});
  CHECK(sample.subjects().size() == 2);
  CHECK(sample.model().folders[0].unseen == 0);
}

TEST_CASE("mua ui: mail that came before the watch began is looked for") {
  Sample sample;
  sample.fill();
  sample.tell(Watching{0, "INBOX", 3});
  CHECK(find_action<OpenFolder>(sample.step) == nullptr);
  sample.tell(Watching{0, "INBOX", 4});
  REQUIRE(find_action<OpenFolder>(sample.step) != nullptr);
  const auto request = find_action<OpenFolder>(sample.step)->request;
  sample.tell(FolderOpened{request, "INBOX", "", {}, 1, {1, 2, 3, 4}});
  REQUIRE(find_action<LoadPage>(sample.step) != nullptr);
  CHECK(find_action<LoadPage>(sample.step)->uids == Uids{4});
}

TEST_CASE("mua ui: t folds a conversation and unfolds it") {
  Sample sample;
  sample.fill().press('j').press('j').press('t');
  CHECK(sample.subjects() == Names{"\u65E5\u672C\u8A9E\u306E\u4EF6\u540D", "Plan"});
  CHECK(sample.model().list.rows[1].hidden == 1);
  CHECK(sample.model().list.under_cursor()->uid == 1);
  sample.press('t');
  CHECK(sample.subjects().size() == 3);
  sample.press('T').press('T');
  CHECK(sample.subjects().size() == 3);
}

TEST_CASE("mua ui: a search is typed, asked for, and left with Esc") {
  Sample sample;
  sample.fill()
      .press('/')
      .type("from:amn")
      .press(Code::backspace)
      .press(Code::backspace)
      .type("nn");
  sample.press(Code::enter);
  REQUIRE(find_action<OpenFolder>(sample.step) != nullptr);
  CHECK(find_action<OpenFolder>(sample.step)->query == "from:ann");
  const auto request = find_action<OpenFolder>(sample.step)->request;
  sample.tell(FolderOpened{request, "INBOX", "from:ann", true, 1, {2}});
  sample.tell(
      PageCame{find_action<LoadPage>(sample.step)->request, {sample_message(2, "Ann", "x")}});
  CHECK(sample.subjects().empty());  // has:attachment, and it has none
  CHECK(sample.model().list.total == 0);
  sample.press(Code::escape);
  REQUIRE(find_action<OpenFolder>(sample.step) != nullptr);
  CHECK(find_action<OpenFolder>(sample.step)->query.empty());
}

TEST_CASE("mua ui: a message is moved to a folder that typing finds") {
  Sample sample;
  sample.fill().press('m').type("c+").press(Code::enter);
  const auto* move = find_action<MoveMessages>(sample.step);
  REQUIRE(move != nullptr);
  CHECK(move->to == "Lists/C++");
  CHECK(move->folder == "INBOX");
}

TEST_CASE("mua ui: one of several attachments is chosen, then the directory") {
  Sample sample;
  sample.fill().press(Code::enter);
  MessageCame came;
  came.request = find_action<ReadMessage>(sample.step)->request;
  for (const char* number : {"2", "3"}) {
    PartInfo part;
    part.number = number;
    part.filename = "f" + std::string(number);
    part.attachment = true;
    came.text.parts.push_back(part);
  }
  sample.tell(came)
      .press('s')
      .type("f3")
      .press(Code::enter)
      .press(21)
      .type("/tmp")
      .press(Code::enter);
  const auto* save = find_action<SaveParts>(sample.step);
  REQUIRE(save != nullptr);
  CHECK(save->parts == Names{"3"});
  CHECK(save->directory == "/tmp");
}

TEST_CASE("mua ui: a letter is edited, looked at, and sent; mua ends when it is gone") {
  Sample sample;
  sample.fill().press('c');
  REQUIRE(find_action<NewLetter>(sample.step) != nullptr);
  sample.tell(LetterBegun{find_action<NewLetter>(sample.step)->request, ui::Letter()});
  REQUIRE(find_action<EditLetter>(sample.step) != nullptr);
  ui::Letter letter;
  letter.text = "hello";
  letter.typed = "/tmp/mua-x";
  sample.tell(LetterEdited{letter, false, ""});
  REQUIRE(sample.model().review);
  sample.press('a').type("/tmp/f").press(Code::enter).press('y');
  const auto* send = find_action<SendLetter>(sample.step);
  REQUIRE(send != nullptr);
  CHECK(send->letter.attach == Names{"/tmp/f"});
  const auto request = send->request;
  sample.press('q');
  CHECK(find_action<Quit>(sample.step) == nullptr);
  sample.tell(LetterSent{request, {}, {}});
  CHECK(find_action<Quit>(sample.step) != nullptr);
}

TEST_CASE(
    "mua ui: a letter that is left is kept as a draft, one refused is back for another look") {
  Sample sample;
  ui::Letter letter;
  letter.text = "hello";
  sample.fill().tell(LetterEdited{letter, false, ""}).press(Code::escape);
  REQUIRE(find_action<KeepDraft>(sample.step) != nullptr);
  CHECK_FALSE(sample.model().review);
  const auto request = find_action<KeepDraft>(sample.step)->request;
  sample.tell(LetterReturned{request, letter, "no connection"});
  REQUIRE(sample.model().review);
  CHECK(sample.model().review->text == "hello");
  sample.press('D').press('y');
  CHECK(find_action<DropLetter>(sample.step) != nullptr);
}

TEST_CASE("mua ui: Esc does not give up a message that is being sent") {
  Sample sample;
  sample.fill().tell(LetterEdited{ui::Letter(), false, ""}).press('y').press(Code::escape);
  CHECK(find_action<GiveUp>(sample.step) == nullptr);
  CHECK(sample.model().pending.size() == 1);
}

TEST_CASE("mua ui: another account begins anew") {
  Sample sample;
  sample.fill().press('A').type("wo").press(Code::enter);
  REQUIRE(find_action<OpenAccount>(sample.step) != nullptr);
  CHECK(find_action<OpenAccount>(sample.step)->account == 1);
  CHECK(sample.model().list.rows.empty());
  sample.tell(FoldersCame{0, {sample_folder("Late", "", 1)}});
  CHECK(sample.model().folders.empty());
}

TEST_CASE(
    "mua ui: h goes from text to all fields to the raw message; a part alone is fetched whole "
    "first") {
  Sample sample;
  sample.fill().open("hello").press('h');
  CHECK(sample.model().open->view == View::fields);
  CHECK(sample.model().open->lines[1].text == "X-Test: yes");
  sample.press('h').press('h');
  CHECK(sample.model().open->view == View::text);
  sample.press(Code::escape).press(Code::enter);
  MessageCame came;
  came.request = find_action<ReadMessage>(sample.step)->request;
  came.text.partial = true;
  sample.tell(came).press('h');
  REQUIRE(find_action<ReadMessage>(sample.step) != nullptr);
  CHECK(find_action<ReadMessage>(sample.step)->whole);
}

TEST_CASE("mua ui: deleting the open message opens the next") {
  Sample sample;
  sample.fill().open("hello").press('d');
  REQUIRE(sample.model().open);
  CHECK(sample.model().open->summary.uid == 1);
  CHECK(find_action<ReadMessage>(sample.step) != nullptr);
}

TEST_CASE("mua ui: no key in a window too small does anything but q") {
  Sample sample(39, 9);
  sample.tell(FolderOpened{sample.model().last_request, "INBOX", "", {}, 1, {}});
  sample.press('d').press('c');
  CHECK(find_action<NewLetter>(sample.step) == nullptr);
  sample.press('q');
  CHECK(find_action<Quit>(sample.step) != nullptr);
}

TEST_CASE("mua ui: any keys in any order leave a model that can be drawn") {
  std::uint32_t random = 12345;
  const auto next = [&](std::uint32_t below) {
    random = random * 1'664'525 + 1'013'904'223;
    return (random >> 8) % below;
  };
  Sample sample;
  sample.fill();
  constexpr std::string_view letters = "jk /qrRfdumsa*Ntthg?npAyeD\t";
  for (int i = 0; i < 3000; ++i) {
    switch (next(8)) {
      case 0:
        sample.press(static_cast<Code>(next(15)));
        break;
      case 1:
        sample.tell(Resized{static_cast<int>(next(120)) + 1, static_cast<int>(next(40)) + 1});
        break;
      case 2:
        if (!sample.model().pending.empty())
          sample.tell(
              Failed{sample.model()
                         .pending[next(static_cast<std::uint32_t>(sample.model().pending.size()))]
                         .id,
                     "no"});
        break;
      case 3:
        if (sample.model().list.rows.size() < 3) {
          FolderNews news;
          news.arrived = {static_cast<std::uint32_t>(i + 10)};
          sample.tell(NewsCame{0, "INBOX", news, {sample_message(news.arrived[0], "Ann", "Plan")}});
        }
        break;
      default:
        sample.press(
            static_cast<char32_t>(letters[next(static_cast<std::uint32_t>(letters.size()))]));
    }
    if (const auto* read = find_action<ReadMessage>(sample.step)) {
      MessageCame came;
      came.request = read->request;
      came.text.text = "text\n> quoted\n";
      sample.tell(came);
    }
    const Model& model = sample.model();
    const Screen screen = draw(model, model.width, model.height);
    REQUIRE(screen.cells.size() ==
            static_cast<std::size_t>(model.width) * static_cast<std::size_t>(model.height));
    REQUIRE((model.list.rows.empty() || model.list.cursor < model.list.rows.size()));
  }
}
