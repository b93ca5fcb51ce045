// Everything mua ui shows, as values. update.h makes the next model out of one and an event, draw.h makes a screen of
// it. Texts that strangers wrote have passed output.h's shown() before they are drawn.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agents/mua/mail_store.h"
#include "agents/mua/ui/cells.h"
#include "libmail/base/clock.h"
#include "libmail/message/builder.h"

namespace posthorn::mua::ui {

inline constexpr int least_width = 40;
inline constexpr int least_height = 10;
inline constexpr std::size_t first_page = 50;
inline constexpr std::size_t page = 200;

enum class Pane : std::uint8_t { folders, list, message };

// After this time a request is late: the status line says how to give it up.
inline constexpr auto late = std::chrono::seconds(1);

// Something the mail side was asked for and has not answered.
struct Request {
  std::uint64_t id = 0;
  std::string what;  // "opening INBOX"
  MonoTime since{};
  enum class Kind : std::uint8_t {
    quiet,  // the user goes on; Esc gives it up once it is late
    asked,  // the user waits for it
    sends,  // a message on its way out: not given up by Esc
  } kind = Kind::quiet;
  [[nodiscard]] bool sends() const { return kind == Kind::sends; }
};

// A row of the list as it is on the screen.
struct ListRow {
  std::size_t index = 0;  // into MessageList::messages
  std::size_t depth = 0;
  std::size_t hidden = 0;      // messages folded below it
  bool hidden_unread = false;  // one of them was not read
};

struct MessageList {
  std::string folder;
  std::string query;               // what was searched for; "" = everything
  std::optional<bool> attachment;  // has:attachment of the query
  std::uint32_t uid_validity = 0;
  std::size_t total = 0;          // what is in the folder, or was found
  Uids left;                      // not loaded yet, ascending
  std::vector<Summary> messages;  // loaded, in no order
  std::set<std::uint32_t> folded;
  std::vector<ListRow> rows;
  std::size_t cursor = 0;  // into rows
  std::size_t top = 0;
  std::uint64_t loading = 0;  // the request for a page, 0 = none
  Uids asked;                 // by that request
  bool stalled = false;       // it failed; the next key asks again

  [[nodiscard]] const Summary* under_cursor() const;
  [[nodiscard]] Summary* find(std::uint32_t uid);
  // rows anew from messages and folded; the cursor stays on its message if that is there.
  void arrange();
};

// A message as a person reads it. Made by mail_side.cc.
struct MessageText {
  std::vector<std::pair<std::string, std::string>> fields;  // all of them, in order; decoded
  std::string text;                                         // LF ends, lines of any length
  std::string raw;                                          // "" until asked for
  std::vector<PartInfo> parts;
  std::vector<std::string> warnings;
  bool partial = false;  // fields are missing, the message was too large to be fetched at once
};

struct StyledLine {
  std::string text;
  Style style = Style::plain;
};

enum class View : std::uint8_t { text, fields, raw };

struct OpenMessage {
  Summary summary;
  std::string folder;
  std::optional<MessageText> text;  // nothing: on its way
  View view = View::text;
  std::vector<StyledLine> lines;  // `text` in `view`, wrapped
  int wrapped = 0;                // to this width
  std::size_t top = 0;
  // lines anew.
  void wrap_to(int width);
};

// Which message an answer answers, to be marked when it is sent.
struct Answered {
  std::string folder;
  std::uint32_t uid = 0;
  std::string flag;  // "\Answered"
};

// The draft that is being taken up again: it goes once the message is somewhere else.
struct TakenUp {
  std::string folder;
  std::uint32_t uid = 0;
};

// A message that is being written.
struct Letter {
  std::size_t account = 0;
  message::Draft draft;
  std::string text;
  std::vector<message::BuildPart> more;  // a forwarded message, attachments of a draft
  std::vector<std::string> attach;       // files
  std::string typed;                     // the editor's file, until the message is somewhere else
  std::optional<Answered> answered;
  std::optional<TakenUp> taken_up;
};

// A line to be typed.
struct Prompt {
  enum class Kind : std::uint8_t { search, save, attach } kind = Kind::search;
  std::string label;
  std::string text;
  std::size_t at = 0;              // octets
  std::vector<std::string> parts;  // save: their numbers
};

// One of several things; typing narrows them.
struct Chooser {
  enum class Kind : std::uint8_t { account, move, save } kind = Kind::account;
  std::string title;
  std::vector<std::string> items;
  std::string typed;
  std::size_t cursor = 0;  // into matches()
  [[nodiscard]] std::vector<std::size_t> matches() const;
};

// A question that takes y.
struct Question {
  enum class Kind : std::uint8_t { delete_for_good, discard_letter } kind = Kind::delete_for_good;
  std::string text;
  std::uint32_t uid = 0;
};

// How to take back what was done.
struct Undo {
  std::uint64_t request = 0;  // that did it
  std::string what;           // "moved to Trash"
  std::string folder;         // where the messages were
  bool moved = false;         // else flags were changed
  std::string moved_to;       // "" = the trash, whatever it is called
  std::vector<Summary> messages;
  FlagEdit edit;  // the inverse
};

struct Status {
  std::string text;
  bool error = false;
};

struct Model {
  int width = 80;
  int height = 24;
  MonoTime now{};
  std::vector<std::string> accounts;  // names
  std::vector<std::string> servers;   // of each, for people
  std::size_t account = 0;
  std::vector<Folder> folders;
  std::size_t folder_cursor = 0;
  MessageList list;
  std::optional<OpenMessage> open;
  Pane focus = Pane::list;
  std::optional<Prompt> prompt;
  std::optional<Chooser> chooser;
  std::optional<Question> question;
  std::optional<Letter> review;
  std::size_t review_top = 0;
  bool help = false;
  std::size_t help_top = 0;
  Status status;
  std::vector<Request> pending;
  std::uint64_t last_request = 0;
  std::vector<Undo> undo;
  std::map<std::uint64_t, Undo> reversible;  // shown already, not done yet: by request
  std::string save_directory = ".";
  bool quit_when_sent = false;
};

// Where the panes are. An empty rectangle: not on the screen.
struct Layout {
  bool too_small = false;
  Rect folders;
  Rect list;
  Rect message;
};
[[nodiscard]] Layout lay_out(const Model& model, int width, int height);

// Folder of the list if it is known.
[[nodiscard]] const Folder* open_folder(const Model& model);
[[nodiscard]] bool is_unread(const Summary& message);

}  // namespace posthorn::mua::ui
