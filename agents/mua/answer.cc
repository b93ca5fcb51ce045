// mua reply and forward.
#include <unistd.h>

#include <algorithm>
#include <array>

#include "agents/mua/envelope.h"
#include "agents/mua/sending.h"
#include "agents/mua/verbs.h"
#include "libmail/async/loop.h"
#include "libmail/base/text.h"
#include "libmail/message/body_reader.h"
#include "libmail/message/message_id.h"
#include "libmail/message/reply.h"

namespace posthorn::mua {

namespace {

constexpr std::size_t most_octets = 64 << 20;

// The address it was sent to answers it.
message::Address sender_for(const Account& account, const message::Header& header) {
  for (const char* field : {"To", "Cc", "Delivered-To"}) {
    for (const message::Address& each : read_addresses(header, field)) {
      const auto alias = std::ranges::find_if(account.aliases, [&](const message::Address& own) {
        return iequals(own.domain, each.domain) && iequals(own.local_part, each.local_part);
      });
      if (alias == account.aliases.end()) continue;
      message::Address from = *alias;
      if (from.display_name.empty()) from.display_name = account.address.display_name;
      return from;
    }
  }
  return account.address;
}

struct Original {
  std::string folder;
  std::string octets;
};

Task<Mail<Original>> fetch(const Account& account, std::string word, std::uint32_t uid,
                           Duration timeout) {
  const Deadline deadline = Deadline::in(timeout);
  auto store = co_await open_store(account, deadline);
  if (!store) co_return fail(store.error());
  Original original;
  auto folder = co_await find_folder(**store, account, std::move(word));
  if (!folder) co_return fail(folder.error());
  original.folder = *folder;
  const auto opened = co_await (*store)->open(*folder, true);
  if (!opened) co_return fail(opened.error());
  auto octets = co_await read_whole(**store, uid, most_octets);
  if (!octets) co_return fail(octets.error());
  original.octets = std::move(*octets);
  co_await (*store)->close();
  co_return original;
}

// A field that its writer asked for: none of those that a message gets when it is made or sent.
bool is_own_field(std::string_view name) {
  constexpr std::array<std::string_view, 13> made = {
      "From",       "Sender",      "Reply-To", "To",         "Cc",           "Bcc",     "Subject",
      "Message-ID", "In-Reply-To", "Date",     "References", "MIME-Version", "Received"};
  if (name.size() > 8 && iequals(name.substr(0, 8), "Content-")) return false;
  return std::ranges::none_of(made, [&](std::string_view each) { return iequals(each, name); });
}

message::BuildPart attached_again(const message::MessageView& view, std::uint32_t index) {
  const message::PartContent content = view.content(index);
  if (view.part(index).media.message())
    return message::make_forwarded(std::string(view.raw_body(index)), false);
  message::BuildPart part;
  part.type = content.type.type + "/" + content.type.subtype;
  part.content = message::decode_body(view, index);
  part.disposition = message::Presentation::attachment;
  part.filename = content.filename;
  return part;
}

class Answer : public Tool {
 public:
  [[nodiscard]] std::string_view words() const override { return "UID"; }
  void describe(OptionTable& table) override {
    common_.describe(table);
    table.group("Which");
    table.add("folder", folder_, "where the message is").flag_only();
    flags_.describe(table);
  }
  Result<int, ToolError> run(const ToolCall& call) final {
    const auto account = common_.one();
    if (!account) return fail(account.error());
    const auto uid = parse_uid(call.words);
    if (!uid) return fail(uid.error());
    const auto original = async::run(fetch(*account, folder_, *uid, common_.timeout));
    if (!original) return fail(tool_error(original.error()));
    auto composed = make(*account, original->octets);
    if (!composed) return fail(with_typed(composed.error(), typed_));
    const auto file = read_accounts(accounts_file(common_.config));
    const std::function<Task<void>()> after = [this, &account, &original, &uid] {
      return mark_answered(*account, original->folder, *uid, std::string(flag()), common_.timeout);
    };
    return with_typed(finish(*account, file ? file->outbox : "", std::move(*composed), flags_,
                             common_.timeout, call.json, after),
                      typed_);
  }

 protected:
  virtual Result<Composed, ToolError> make(const Account& account, const std::string& octets) = 0;
  [[nodiscard]] virtual std::string_view flag() const = 0;

  // The draft, edited if the user is to be asked.
  Result<Composed, ToolError> compose_draft(const Account& account, Answering answering) {
    message::Draft draft = std::move(answering.draft);
    const std::string behind = std::move(answering.behind);
    std::vector<message::BuildPart> more = std::move(answering.more);
    auto body = find_body(flags_);
    if (!body) return fail(body.error());
    std::string text = body->text;
    if (!behind.empty())
      text = body->wants_editor ? "\n\n" + behind
                                : text + (text.ends_with('\n') ? "\n" : "\n\n") + behind;
    ComposeFlags flags = flags_;
    if (body->wants_editor) {
      if (auto done = apply_addresses(account, flags, draft); !done) return fail(done.error());
      auto typed = edit(draft, text);
      if (!typed) return fail(typed.error());
      typed_ = std::move(*typed);
      flags.forget_header();
    }
    return compose(account, std::move(draft), flags, std::move(text), std::move(more));
  }
  ComposeFlags flags_;

 private:
  Common common_;
  std::string folder_ = "inbox";
  std::string typed_;  // the editor's file
};

class Reply final : public Answer {
 public:
  [[nodiscard]] std::string_view name() const override { return "reply"; }
  [[nodiscard]] std::string_view purpose() const override { return "answer a message"; }
  void describe(OptionTable& table) override {
    Answer::describe(table);
    table.group("Answer");
    table.add("all", all_, "everybody who got it gets the answer").flag_only();
    table.add("list", list_, "the mailing list gets the answer").flag_only();
    table.add("quote", quote_, "quote its text");
  }

 protected:
  [[nodiscard]] std::string_view flag() const override { return "\\Answered"; }
  Result<Composed, ToolError> make(const Account& account, const std::string& octets) override {
    return compose_draft(account, make_answer(account, octets, {all_, list_, quote_}));
  }

 private:
  bool all_ = false;
  bool list_ = false;
  bool quote_ = true;
};

class Forward final : public Answer {
 public:
  [[nodiscard]] std::string_view name() const override { return "forward"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "send a message on, whole as an attachment";
  }
  void describe(OptionTable& table) override {
    Answer::describe(table);
    table.group("Forwarding");
    table.add("inline", inline_, "as text within the text, without its attachments").flag_only();
  }

 protected:
  [[nodiscard]] std::string_view flag() const override { return "$Forwarded"; }
  Result<Composed, ToolError> make(const Account& account, const std::string& octets) override {
    return compose_draft(account, make_forward(account, octets, inline_));
  }

 private:
  bool inline_ = false;
};

}  // namespace

Answering make_answer(const Account& account, std::string_view octets, const AnswerOptions& how) {
  const message::MessageView view(octets);
  const message::Header header = view.header(0);
  message::ReplyOptions options;
  options.to_all = how.to_all;
  options.to_list = how.to_list;
  options.own = account.aliases;
  options.own.push_back(account.address);
  constexpr std::size_t unwrapped = 100'000;
  Answering answering;
  answering.draft = message::make_reply(header, options);
  answering.draft.from = {sender_for(account, header)};
  if (how.quote)
    answering.behind =
        message::quote_text(main_text(view, unwrapped), message::attribution(header));
  return answering;
}

Answering make_forward(const Account& account, const std::string& octets, bool within_text) {
  const message::MessageView view(octets);
  const message::Header header = view.header(0);
  Answering answering;
  answering.draft = message::make_forward(header);
  answering.draft.from = {sender_for(account, header)};
  if (within_text)
    answering.behind = message::forwarded_head(header) + "\n" + main_text(view, 78);
  else
    answering.more.push_back(message::make_forwarded(octets, false));
  return answering;
}

Answering make_resumed(const Account& account, const std::string& octets) {
  const message::MessageView view(octets);
  const message::Header header = view.header(0);
  Answering resumed;
  message::Draft& draft = resumed.draft;
  draft.from = read_addresses(header, "From");
  if (draft.from.empty()) draft.from = {account.address};
  draft.reply_to = read_addresses(header, "Reply-To");
  draft.to.mailboxes = read_addresses(header, "To");
  draft.cc.mailboxes = read_addresses(header, "Cc");
  draft.bcc = read_addresses(header, "Bcc");
  draft.subject = read_text(header, "Subject");
  for (const auto& [name, ids] :
       {std::pair("In-Reply-To", &draft.in_reply_to), std::pair("References", &draft.references)}) {
    if (const auto* field = header.find(name))
      *ids = message::parse_message_ids(header.raw_value(*field));
  }
  for (const message::Field& field : header.fields()) {
    if (!is_own_field(header.name(field))) continue;
    auto name = message::HeaderName::make(header.name(field));
    auto value = message::HeaderValue::make(header.value(field));
    if (name && value) draft.fields.emplace_back(std::move(*name), std::move(*value));
  }
  constexpr std::size_t unwrapped = 100'000;
  resumed.behind = main_text(view, unwrapped);
  for (const std::uint32_t index : message::choose_bodies(view).attachments)
    resumed.more.push_back(attached_again(view, index));
  return resumed;
}

void add_answer_verbs(Tools& tools) {
  tools.push_back(std::make_unique<Reply>());
  tools.push_back(std::make_unique<Forward>());
}

}  // namespace posthorn::mua
