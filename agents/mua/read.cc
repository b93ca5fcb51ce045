// mua read: a message, or a part of it.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "agents/mua/envelope.h"
#include "agents/mua/output.h"
#include "agents/mua/verbs.h"
#include "libmail/base/text.h"
#include "libmail/message/encoded_word.h"

namespace posthorn::mua {

using nlohmann::json;

namespace {

constexpr std::size_t most_octets = 64 << 20;

struct Wanted {
  std::string folder = "inbox";
  bool headers = false;
  bool raw = false;
  bool html = false;
  bool parts = false;
  bool peek = false;
  bool json = false;
};

json anomalies_json(const message::MessageView& view) {
  json all = json::array();
  for (const message::Anomaly& each : view.tree().anomalies.list()) {
    all.push_back({{"kind", name(each.kind)},
                   {"critical", each.severity == message::Severity::critical},
                   {"offset", each.offset}});
  }
  return all;
}

json message_json(const Summary& summary, const std::string& octets, const std::string& account,
                  const Wanted& wanted, const std::string& folder) {
  const message::MessageView view(octets);
  json row = summary_json(summary, account, folder);
  row["text"] = main_text(view, 78);
  if (wanted.html) row["html"] = main_html(view);
  row["parts"] = json::array();
  for (const PartInfo& part : list_parts(view)) row["parts"].push_back(part_json(part));
  row["anomalies"] = anomalies_json(view);
  row["headers"] = json::array();
  const message::Header header = view.header(0);
  for (const message::Field& field : header.fields())
    row["headers"].push_back({{"name", std::string(header.name(field))},
                              {"value", message::decode_encoded_words(header.value(field))}});
  return row;
}

void print_fields(const message::Header& header, const Summary& summary, bool all) {
  const auto line = [](std::string_view name, const std::string& value) {
    if (!value.empty()) fmt::print("{} {}\n", paint(fmt::format("{}:", name), Paint::blue), value);
  };
  if (all) {
    for (const message::Field& field : header.fields())
      line(shown(header.name(field)), shown(message::decode_encoded_words(header.value(field))));
    return;
  }
  line("From", shown_addresses(summary.from));
  line("To", shown_addresses(summary.to));
  line("Cc", shown_addresses(summary.cc));
  if (summary.date) line("Date", shown_date(*summary.date));
  line("Subject", shown(summary.subject));
  for (const std::string& warning : sender_warnings(summary.from))
    fmt::print("{}\n", paint("! " + warning, Paint::red));
}

std::string part_line(const PartInfo& part) {
  std::string text = std::string(part.depth * 2UL, ' ') +
                     (part.number.empty() ? "-" : part.number) + " " + shown(part.type);
  if (!part.filename.empty()) text += " " + shown(part.filename);
  text += " " + shown_size(part.octets);
  const std::string warning = part_warning(part);
  if (!warning.empty()) text += paint(" ! " + warning, Paint::red);
  return text;
}

void print_message(const Summary& summary, const std::string& octets, const Wanted& wanted) {
  const message::MessageView view(octets);
  const auto parts = list_parts(view);
  if (wanted.parts) {
    for (const PartInfo& part : parts) fmt::print("{}\n", part_line(part));
    return;
  }
  if (wanted.html) {
    const std::string html = main_html(view);
    fmt::print("{}\n", terminal().is_terminal ? shown_text(html) : html);
    return;
  }
  print_fields(view.header(0), summary, wanted.headers);
  const std::size_t width =
      terminal().is_terminal ? std::min<std::size_t>(terminal().width, 100) : 78;
  fmt::print("\n{}", shown_text(main_text(view, width)));
  bool first = true;
  for (const PartInfo& part : parts) {
    if (!part.attachment) continue;
    if (first) fmt::print("\n");
    first = false;
    PartInfo flat = part;
    flat.depth = 0;
    fmt::print("{} {}\n", paint("attachment", Paint::dim), part_line(flat));
  }
  if (view.tree().ambiguous())
    fmt::print(
        "{}\n",
        paint("! other programs may see another message in it: mua read --parts --json says why",
              Paint::red));
}

Task<Mail<int>> read_one(MailStore& store, const Account& account, std::uint32_t uid,
                         const Wanted& wanted, std::string folder) {
  if (wanted.raw && !wanted.json) {
    Sink sink = [](std::string_view octets) {
      return std::fwrite(octets.data(), 1, octets.size(), stdout) == octets.size();
    };
    auto done = co_await store.read(uid, std::move(sink));
    if (!done) co_return fail(done.error());
    co_return exit_code::ok;
  }
  Uids one = {uid};
  auto summaries = co_await store.summaries(std::move(one));
  if (!summaries) co_return fail(summaries.error());
  if (summaries->empty())
    co_return fail(MailError(MailError::Kind::not_found,
                             fmt::format("{} has no message {}", folder, uid),
                             "mua list shows the UIDs"));
  auto octets = co_await read_whole(store, uid, most_octets);
  if (!octets) co_return fail(octets.error());
  if (wanted.json) {
    json row = message_json(summaries->front(), *octets, account.name, wanted, folder);
    if (wanted.raw) row["raw"] = *octets;
    print_json(row);
  } else {
    print_message(summaries->front(), *octets, wanted);
  }
  co_return exit_code::ok;
}

Task<Mail<int>> read_account(const Account& account, MailStore& store, imap::SequenceSet set,
                             const Wanted& wanted) {
  const auto folder = co_await find_folder(store, account, wanted.folder);
  if (!folder) co_return fail(folder.error());
  const bool keep_unread = wanted.peek || wanted.parts;
  const auto opened = co_await store.open(*folder, keep_unread);
  if (!opened) co_return fail(opened.error());
  imap::SearchKey key = imap::SearchKey::of_uids(std::move(set));
  const auto uids = co_await store.search(std::move(key));
  if (!uids) co_return fail(uids.error());
  if (uids->empty())
    co_return fail(MailError(MailError::Kind::not_found, *folder + " has no such message",
                             "mua list shows the UIDs"));
  for (const std::uint32_t uid : *uids) {
    if (uid != uids->front() && !wanted.json && !wanted.raw)
      fmt::print("\n{}\n\n", std::string(40, '-'));
    const auto done = co_await read_one(store, account, uid, wanted, *folder);
    if (!done) co_return fail(done.error());
  }
  if (!keep_unread) {
    FlagEdit edit;
    edit.add.set(imap::SystemFlag::seen);
    Uids all = *uids;
    const auto marked = co_await store.edit_flags(std::move(all), std::move(edit));
    if (!marked) co_return fail(marked.error());
  }
  co_return exit_code::ok;
}

class Read final : public Tool {
 public:
  [[nodiscard]] std::string_view name() const override { return "read"; }
  [[nodiscard]] std::string_view words() const override { return "UID..."; }
  [[nodiscard]] std::string_view purpose() const override {
    return "show messages, and mark them as read";
  }
  void describe(OptionTable& table) override {
    common_.describe(table);
    table.group("What");
    table.add("folder", wanted_.folder, "where the messages are").flag_only();
    table.add("headers", wanted_.headers, "show every field").flag_only();
    table.add("raw", wanted_.raw, "the octets as they are").flag_only();
    table.add("html", wanted_.html, "the HTML, as it was sent; controls are shown on a terminal")
        .flag_only();
    table.add("parts", wanted_.parts, "the parts, with their numbers").flag_only();
    table.add("peek", wanted_.peek, "leave them unread").flag_only();
  }
  Result<int, ToolError> run(const ToolCall& call) override {
    const auto account = common_.one();
    if (!account) return fail(account.error());
    if (call.words.empty())
      return fail(ToolError(exit_code::usage, "usage", "no message is named",
                            "UIDs as mua list shows them"));
    auto set = parse_uids(call.words);
    if (!set) return fail(set.error());
    wanted_.json = call.json;
    return run_on_accounts({*account}, common_.timeout, call.json,
                           [this, set = *set](const Account& each, MailStore& store, Deadline) {
                             return read_account(each, store, set, wanted_);
                           });
  }

 private:
  Common common_;
  Wanted wanted_;
};

}  // namespace

std::unique_ptr<Tool> make_read() {
  return std::make_unique<Read>();
}

}  // namespace posthorn::mua
