// Work on a line's store, and what is made of the octets that come.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "agents/mua/attachments.h"
#include "agents/mua/compose.h"
#include "agents/mua/envelope.h"
#include "agents/mua/output.h"
#include "agents/mua/query.h"
#include "agents/mua/ui/mail_side.h"
#include "libmail/base/text.h"
#include "libmail/message/encoded_word.h"

namespace posthorn::mua::ui {

using Kind = MailError::Kind;

namespace {

constexpr std::size_t small_message = 512 * 1024;  // fetched whole
constexpr std::size_t most_shown = 1 << 20;        // octets of a text
constexpr std::size_t most_octets = 64 << 20;
constexpr std::size_t unwrapped = 100'000;
constexpr std::uint64_t slowest = 32 * 1024;  // octets a second that we wait for
constexpr std::size_t most_candidates = 50;   // among which a moved message is looked for

std::string cut(std::string_view text) {
  if (text.size() <= most_shown) return std::string(text);
  std::size_t end = most_shown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return std::string(text.substr(0, end)) + "\n[...] the rest: mua read\n";
}

// A large message takes its time.
Deadline deadline_for(const Line& line, std::uint64_t octets) {
  return Deadline::in(line.timeout() + std::chrono::seconds(octets / slowest));
}

const PartInfo* text_part(const std::vector<PartInfo>& parts) {
  for (const char* type : {"text/plain", "text/html"}) {
    for (const PartInfo& part : parts) {
      if (part.type == type && !part.attachment) return &part;
    }
  }
  return nullptr;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_alnum(c) || c == '-' || c == '_' || c == '.' || c == ':' || c == '+';
  });
}

// A part alone, as a message of its own that the readers of messages understand.
std::string as_message(const PartInfo& part, const std::string& body) {
  std::string head = "MIME-Version: 1.0\r\nContent-Type: " + part.type;
  if (is_token(part.charset)) head += "; charset=" + part.charset;
  head += "\r\n";
  if (is_token(part.encoding)) head += "Content-Transfer-Encoding: " + part.encoding + "\r\n";
  return head + "\r\n" + body;
}

Task<Mail<MessageText>> read_text_part(MailStore& store, std::uint32_t uid) {
  auto parts = co_await store.parts(uid);
  if (!parts) co_return fail(parts.error());
  MessageText text;
  text.parts = std::move(*parts);
  text.partial = true;
  const PartInfo* part = text_part(text.parts);
  if (part == nullptr) co_return text;
  std::string body;
  Sink sink = [&body](std::string_view octets) {
    body += octets;
    return body.size() < most_shown;
  };
  const auto done = co_await store.read_part(uid, part->number, std::move(sink));
  if (!done) co_return fail(done.error());
  text.text = text_of_message(as_message(*part, body)).text;
  co_return text;
}

bool is_same(const Summary& a, const Summary& b) {
  return a.message_id == b.message_id && a.size == b.size && a.subject == b.subject &&
         a.date == b.date;
}

// Where the messages are that were moved to the open folder: it gave them other UIDs, the largest of all.
Task<Mail<Uids>> find_moved(MailStore& store, const std::vector<Summary>& messages) {
  imap::SearchKey any;
  if (messages.size() == 1 && !messages.front().message_id.empty())
    any = imap::SearchKey::of_header("Message-ID", messages.front().message_id);
  auto uids = co_await store.search(std::move(any));
  if (!uids) co_return fail(uids.error());
  if (uids->size() > most_candidates) uids->erase(uids->begin(), uids->end() - most_candidates);
  const auto candidates = co_await store.summaries(std::move(*uids));
  if (!candidates) co_return fail(candidates.error());
  Uids found;
  for (const Summary& wanted : messages) {
    for (auto each = candidates->rbegin(); each != candidates->rend(); ++each) {
      if (!is_same(*each, wanted) || std::ranges::find(found, each->uid) != found.end()) continue;
      found.push_back(each->uid);
      break;
    }
  }
  std::ranges::sort(found);
  co_return found;
}

}  // namespace

MessageText text_of_message(std::string_view octets) {
  const message::MessageView view(octets);
  const message::Header header = view.header(0);
  MessageText text;
  for (const message::Field& field : header.fields()) {
    text.fields.emplace_back(shown(header.name(field)),
                             shown(message::decode_encoded_words(header.value(field))));
  }
  text.text = shown_text(cut(main_text(view, unwrapped)));
  text.raw = shown_text(cut(octets));
  text.parts = list_parts(view);
  text.warnings = sender_warnings(read_addresses(header, "From"));
  if (view.tree().ambiguous())
    text.warnings.emplace_back("other programs may see another message in it");
  return text;
}

Task<Mail<void>> MailSide::open_folder(Line& line, OpenFolder action) {
  const auto now = std::chrono::time_point_cast<std::chrono::seconds>(wall_now());
  auto query = parse_query(action.query, now);
  if (!query) {
    const std::string why = fmt::format("{} (at character {} of the search)", query.error().text,
                                        query.error().offset + 1);
    co_return fail(MailError(Kind::bad_data, why));
  }
  const auto state = co_await line.open(action.folder);
  if (!state) co_return fail(state.error());
  imap::SearchKey key = std::move(query->key);
  auto uids = co_await line.store().search(std::move(key));
  if (!uids) co_return fail(uids.error());
  FolderOpened opened;
  opened.request = action.request;
  opened.folder = action.folder;
  opened.query = action.query;
  opened.attachment = query->attachment;
  opened.uid_validity = state->uid_validity;
  opened.uids = std::move(*uids);
  tell_(std::move(opened));
  co_return Mail<void>();
}

Task<Mail<void>> MailSide::load_page(Line& line, LoadPage action) {
  auto ready = co_await line.ensure(action.folder);
  if (!ready) co_return ready;
  auto messages = co_await line.store().summaries(std::move(action.uids));
  if (!messages) co_return fail(messages.error());
  tell_(PageCame{action.request, std::move(*messages)});
  co_return Mail<void>();
}

Task<Mail<void>> MailSide::read(Line& line, ReadMessage action) {
  auto ready = co_await line.ensure(action.folder);
  if (!ready) co_return ready;
  const std::uint32_t uid = action.summary.uid;
  MessageCame came;
  came.request = action.request;
  if (action.whole || action.summary.size <= small_message) {
    line.store().set_deadline(deadline_for(line, action.summary.size));
    const auto octets = co_await read_whole(line.store(), uid, most_octets);
    if (!octets) co_return fail(octets.error());
    came.text = text_of_message(*octets);
  } else {
    auto text = co_await read_text_part(line.store(), uid);
    if (!text) co_return fail(text.error());
    came.text = std::move(*text);
    came.text.warnings = sender_warnings(action.summary.from);
  }
  tell_(std::move(came));
  co_return Mail<void>();
}

Task<Mail<void>> MailSide::edit_flags(Line& line, EditFlags action) {
  auto ready = co_await line.ensure(action.folder);
  if (!ready) co_return ready;
  auto done = co_await line.store().edit_flags(std::move(action.uids), std::move(action.edit));
  if (!done) co_return done;
  tell_(FlagsSet{action.request});
  co_return Mail<void>();
}

Task<Mail<void>> MailSide::move(Line& line, MoveMessages action) {
  if (action.to.empty()) {
    auto trash = co_await find_folder(line.store(), line.account(), "trash");
    if (!trash) co_return fail(trash.error());
    action.to = std::move(*trash);
  }
  if (action.to == action.folder)
    co_return fail(
        MailError(Kind::exists, "the message is in " + action.to + " already", "g looks again"));
  auto ready = co_await line.ensure(action.folder);
  if (!ready) co_return ready;
  auto done = co_await line.store().move(std::move(action.uids), action.to);
  if (!done) co_return done;
  tell_(Moved{action.request, action.to});
  co_return Mail<void>();
}

Task<Mail<void>> MailSide::remove(Line& line, RemoveMessages action) {
  auto ready = co_await line.ensure(action.folder);
  if (!ready) co_return ready;
  auto done = co_await line.store().remove(std::move(action.uids));
  if (!done) co_return done;
  tell_(FlagsSet{action.request});
  co_return Mail<void>();
}

Task<Mail<void>> MailSide::restore(Line& line, RestoreMessages action) {
  if (action.from.empty()) {
    auto trash = co_await find_folder(line.store(), line.account(), "trash");
    if (!trash) co_return fail(trash.error());
    action.from = std::move(*trash);
  }
  const auto opened = co_await line.open(action.from);
  if (!opened) co_return fail(opened.error());
  auto uids = co_await find_moved(line.store(), action.messages);
  if (!uids) co_return fail(uids.error());
  if (uids->empty())
    co_return fail(MailError(Kind::bad_data, "the message is no longer in " + action.from));
  auto done = co_await line.store().move(std::move(*uids), action.to);
  if (!done) co_return done;
  line.forget_folder();
  tell_(Restored{action.request, action.to});
  co_return Mail<void>();
}

Task<Mail<void>> MailSide::save(Line& line, SaveParts action) {
  auto ready = co_await line.ensure(action.folder);
  if (!ready) co_return ready;
  const auto parts = co_await line.store().parts(action.uid);
  if (!parts) co_return fail(parts.error());
  const bool in_home = action.directory.starts_with('~');
  const std::string directory = in_home ? expand_path(action.directory, "") : action.directory;
  Saved saved;
  saved.request = action.request;
  for (const PartInfo& part : *parts) {
    if (std::ranges::find(action.parts, part.number) == action.parts.end()) continue;
    line.store().set_deadline(deadline_for(line, part.octets));
    auto file = co_await save_part(line.store(), action.uid, part, directory);
    if (!file) co_return fail(file.error());
    saved.paths.push_back(std::move(file->path));
  }
  if (saved.paths.empty())
    co_return fail(MailError(Kind::bad_data, "the message has no such part"));
  tell_(std::move(saved));
  co_return Mail<void>();
}

Task<Mail<void>> MailSide::begin_letter(Line& line, BeginLetter action, std::size_t account) {
  auto ready = co_await line.ensure(action.folder);
  if (!ready) co_return ready;
  Uids one = {action.uid};
  const auto summaries = co_await line.store().summaries(std::move(one));
  if (!summaries) co_return fail(summaries.error());
  if (!summaries->empty()) line.store().set_deadline(deadline_for(line, summaries->front().size));
  const auto octets = co_await read_whole(line.store(), action.uid, most_octets);
  if (!octets) co_return fail(octets.error());
  LetterBegun begun;
  begun.request = action.request;
  begun.letter.account = account;
  if (action.how == AnswerHow::take_up) {
    Answering resumed = make_resumed(line.account(), *octets);
    begun.letter.draft = std::move(resumed.draft);
    begun.letter.text = std::move(resumed.behind);
    begun.letter.more = std::move(resumed.more);
    begun.letter.taken_up = TakenUp{action.folder, action.uid};
    tell_(std::move(begun));
    co_return Mail<void>();
  }
  const bool forward = action.how == AnswerHow::forward;
  AnswerOptions options;
  options.to_all = action.how == AnswerHow::reply_all;
  Answering answering = forward ? make_forward(line.account(), *octets, false)
                                : make_answer(line.account(), *octets, options);
  begun.letter.draft = std::move(answering.draft);
  begun.letter.text = "\n\n" + answering.behind;
  begun.letter.more = std::move(answering.more);
  begun.letter.answered =
      Answered{action.folder, action.uid, forward ? "$Forwarded" : "\\Answered"};
  tell_(std::move(begun));
  co_return Mail<void>();
}

}  // namespace posthorn::mua::ui
