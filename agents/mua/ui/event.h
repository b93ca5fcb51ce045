// What update() is told, and what it asks for. A request has a number; what answers it carries the same.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "agents/mua/sending.h"
#include "agents/mua/ui/model.h"

namespace posthorn::mua::ui {

struct Key {
  enum class Code : std::uint8_t {
    character,
    up,
    down,
    left,
    right,
    page_up,
    page_down,
    home,
    end,
    enter,
    escape,
    tab,
    back_tab,
    backspace,
    remove,
  };
  Code code = Code::character;
  char32_t character = 0;  // controls as they are: 12 is ^L
  static Key of(char32_t c) { return {Code::character, c}; }
};

// ---- events ----

struct KeyPressed {
  Key key;
  MonoTime now{};
};
struct Resized {
  int width = 0;
  int height = 0;
};
struct Tick {  // now and then while something is pending
  MonoTime now{};
};
struct FoldersCame {
  std::size_t account = 0;
  std::vector<Folder> folders;
};
struct FolderOpened {
  std::uint64_t request = 0;
  std::string folder;
  std::string query;
  std::optional<bool> attachment;
  std::uint32_t uid_validity = 0;
  Uids uids;  // ascending
};
struct PageCame {
  std::uint64_t request = 0;
  std::vector<Summary> messages;
};
struct MessageCame {
  std::uint64_t request = 0;
  MessageText text;
};
struct FlagsSet {  // also: messages are gone for good
  std::uint64_t request = 0;
};
struct Moved {
  std::uint64_t request = 0;
  std::string to;
};
struct Restored {  // an undone move
  std::uint64_t request = 0;
  std::string folder;
};
struct Saved {
  std::uint64_t request = 0;
  std::vector<std::string> paths;
};
// Composed from the original, not edited yet.
struct LetterBegun {
  std::uint64_t request = 0;
  Letter letter;
};
// The editor has ended. `given_up`: there is nothing to send; `error` may be "".
struct LetterEdited {
  Letter letter;
  bool given_up = false;
  std::string error;
};
struct LetterSent {
  std::uint64_t request = 0;
  Sent sent;
  std::string left;  // why the draft that was taken up is still there; "": it is not
};
// The message could not be handed over for good, or the draft not kept: it is back for review.
struct LetterReturned {
  std::uint64_t request = 0;
  Letter letter;
  std::string error;
};
struct NewsCame {
  std::size_t account = 0;
  std::string folder;
  FolderNews news;
  std::vector<Summary> messages;  // those that arrived or changed
};
struct Watching {  // the folder's news come from now on
  std::size_t account = 0;
  std::string folder;
  std::uint32_t messages = 0;  // in it
};
struct WatchLost {  // no connection that waits for news; it is made anew
  std::size_t account = 0;
  std::string why;
};
struct Failed {
  std::uint64_t request = 0;
  std::string why;
};
struct Ended {};  // SIGTERM, SIGHUP

using Event =
    std::variant<KeyPressed, Resized, Tick, FoldersCame, FolderOpened, PageCame, MessageCame,
                 FlagsSet, Moved, Restored, Saved, LetterBegun, LetterEdited, LetterSent,
                 LetterReturned, NewsCame, Watching, WatchLost, Failed, Ended>;

// ---- actions ----

struct OpenAccount {  // drops what the last one had, and watches `folder`
  std::size_t account = 0;
};
struct CountFolders {};
struct OpenFolder {
  std::uint64_t request = 0;
  std::string folder;
  std::string query;
};
struct WatchFolder {
  std::string folder;
};
struct LoadPage {
  std::uint64_t request = 0;
  std::string folder;
  Uids uids;
};
struct ReadMessage {
  std::uint64_t request = 0;
  std::string folder;
  Summary summary;
  bool whole = false;  // whatever its size
};
struct EditFlags {
  std::uint64_t request = 0;
  std::string folder;
  Uids uids;
  FlagEdit edit;
};
struct MoveMessages {
  std::uint64_t request = 0;
  std::string folder;
  Uids uids;
  std::string to;  // "" = the trash
};
struct RemoveMessages {
  std::uint64_t request = 0;
  std::string folder;
  Uids uids;
};
struct RestoreMessages {  // a move undone
  std::uint64_t request = 0;
  std::string from;  // "" = the trash
  std::string to;
  std::vector<Summary> messages;
};
struct SaveParts {
  std::uint64_t request = 0;
  std::string folder;
  std::uint32_t uid = 0;
  std::vector<std::string> parts;
  std::string directory;
};
enum class AnswerHow : std::uint8_t { reply, reply_all, forward, take_up };
struct BeginLetter {  // an answer, or a draft again; its original is fetched
  std::uint64_t request = 0;
  std::string folder;
  std::uint32_t uid = 0;
  AnswerHow how = AnswerHow::reply;
};
struct NewLetter {
  std::uint64_t request = 0;
};
struct EditLetter {
  Letter letter;
};
struct SendLetter {
  std::uint64_t request = 0;
  Letter letter;
};
struct KeepDraft {
  std::uint64_t request = 0;
  Letter letter;
};
struct DropLetter {
  Letter letter;
};
struct GiveUp {};  // every request but those of messages on their way out
struct Redraw {};
struct Suspend {};
struct Quit {};

using Action = std::variant<OpenAccount, CountFolders, OpenFolder, WatchFolder, LoadPage,
                            ReadMessage, EditFlags, MoveMessages, RemoveMessages, RestoreMessages,
                            SaveParts, BeginLetter, NewLetter, EditLetter, SendLetter, KeepDraft,
                            DropLetter, GiveUp, Redraw, Suspend, Quit>;

}  // namespace posthorn::mua::ui
