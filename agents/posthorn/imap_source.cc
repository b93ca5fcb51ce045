// Messages of an IMAP server, fetched with BODY.PEEK from mailboxes that are only examined.
#include <algorithm>
#include <map>

#include "agents/posthorn/mail_source.h"
#include "libmail/base/text.h"

namespace posthorn::operate {

using async::Deadline;
using async::Task;
using imap::FetchItem;
using service::ToolError;
using session::ImapError;
namespace exit_code = service::exit_code;

namespace {

Deadline soon() {
  return Deadline::in(std::chrono::minutes(30));
}

ToolError error_of(const ImapError& error) {
  using Kind = ImapError::Kind;
  switch (error.kind) {
    case Kind::login:
      return {exit_code::refused, "login", error.text};
    case Kind::tls:
      return {exit_code::unavailable, "tls", error.text,
              "--ca FILE names the authority of the server's certificate"};
    case Kind::no:
    case Kind::bad:
      return {exit_code::unavailable, "refused", error.text};
    default:
      return {exit_code::try_again, "connection", error.text,
              "what was imported is not imported twice: try again"};
  }
}

std::uint16_t flags_of(const imap::Flags& flags) {
  using imap::SystemFlag;
  namespace flag = store::flag;
  std::uint16_t bits = 0;
  const auto set = [&](SystemFlag name, std::uint16_t bit) {
    if (flags.has(name)) bits |= bit;
  };
  set(SystemFlag::answered, flag::answered);
  set(SystemFlag::deleted, flag::deleted);
  set(SystemFlag::draft, flag::draft);
  set(SystemFlag::flagged, flag::flagged);
  set(SystemFlag::seen, flag::seen);
  return bits;
}

SourceMessage message_of(const imap::client::Fetched& data) {
  SourceMessage message;
  if (data.flags) {
    message.flags = flags_of(*data.flags);
    for (const std::string& keyword : data.flags->keywords)
      if (!keyword.starts_with('\\')) message.keywords.push_back(keyword);
  }
  if (data.internal_date)
    message.date = WallTime(std::chrono::seconds(data.internal_date->seconds));
  for (const auto& body : data.bodies)
    if (body.octets && data.size) message.identity = identity_of_header(*body.octets, *data.size);
  return message;
}

struct HeadSink final : session::ImapSink {
  std::map<std::uint32_t, SourceMessage> found;  // by UID
  void data(imap::client::Response&& response) override {
    auto* fetched = std::get_if<imap::client::Fetched>(&response);
    if (fetched == nullptr || fetched->uid == 0 || !fetched->size) return;
    found[fetched->uid] = message_of(*fetched);
  }
};

// Gathers a body, whether it comes in pieces or at once, and hands it on when its UID is known.
struct BodySink final : session::ImapSink {
  std::map<std::uint32_t, std::size_t> numbers;  // by UID
  MailSource::Take take;
  std::string octets;
  bool streamed = false;

  void body_begins(const imap::client::BodyBegins&) override {
    octets.clear();
    streamed = true;
  }
  void body(std::string_view more) override { octets += more; }
  void data(imap::client::Response&& response) override {
    auto* fetched = std::get_if<imap::client::Fetched>(&response);
    if (fetched == nullptr) return;
    const auto known = numbers.find(fetched->uid);
    if (known == numbers.end()) return;
    for (auto& body : fetched->bodies) {
      if (body.octets)
        octets = std::move(*body.octets);
      else if (!streamed)
        continue;
      streamed = false;
      const std::size_t number = known->second;
      numbers.erase(known);
      take(number, std::move(octets));
      octets.clear();
      return;
    }
  }
};

class ImapSource final : public MailSource {
 public:
  ImapSource(async::Endpoint server, session::ImapClientOptions options)
      : client_(std::move(server), std::move(options)) {}

  Task<ToolResult<std::vector<SourceFolder>>> folders() override {
    auto opened = co_await client_.open(Deadline::in(std::chrono::minutes(2)));
    if (!opened) co_return fail(error_of(opened.error()));
    imap::List all;
    all.patterns = {"*"};
    auto listed = co_await client_.list(std::move(all), soon());
    if (!listed) co_return fail(error_of(listed.error()));
    std::vector<SourceFolder> found;
    for (const imap::ListEntry& entry : *listed) {
      if (entry.has("\\Noselect") || entry.has("\\NonExistent")) continue;
      SourceFolder folder;
      folder.name = entry.name;
      if (entry.separator == '\0') {
        folder.levels = {entry.name};
      } else {
        for (const std::string_view level : split(entry.name, entry.separator))
          folder.levels.emplace_back(level);
      }
      // Courier and cPanel have all mailboxes below INBOX.
      if (folder.levels.size() > 1 && folder.levels.front() == "INBOX")
        folder.levels.erase(folder.levels.begin());
      found.push_back(std::move(folder));
    }
    co_return found;
  }

  Task<ToolResult<std::size_t>> open(SourceFolder folder) override {
    auto examined = co_await client_.examine(folder.name, soon());
    if (!examined) co_return fail(error_of(examined.error()));
    uids_.clear();
    auto found = co_await client_.uid_search(imap::SearchKey(), soon());
    if (!found) co_return fail(error_of(found.error()));
    found->for_each([this](std::uint32_t uid) { uids_.push_back(uid); });
    co_return uids_.size();
  }

  Task<ToolResult<std::vector<SourceMessage>>> look(std::size_t first, std::size_t count) override {
    const std::size_t last = std::min(first + count, uids_.size());
    imap::NumberSet wanted;
    for (std::size_t i = first; i < last; ++i) wanted.add(uids_[i]);
    imap::Section header;
    header.text = imap::Section::Text::header;
    using Kind = FetchItem::Kind;
    std::vector<FetchItem> items = {FetchItem(Kind::flags), FetchItem(Kind::internal_date),
                                    FetchItem(Kind::rfc822_size)};
    items.push_back(FetchItem::body_peek(std::move(header)));
    HeadSink sink;
    auto done =
        co_await client_.uid_fetch(imap::SequenceSet(wanted), std::move(items), sink, soon());
    if (!done) co_return fail(error_of(done.error()));
    std::vector<SourceMessage> found;
    for (std::size_t i = first; i < last; ++i) found.push_back(std::move(sink.found[uids_[i]]));
    co_return found;
  }

  Task<ToolResult<void>> read(std::vector<std::size_t> numbers, Take take) override {
    imap::NumberSet wanted;
    BodySink sink;
    sink.take = std::move(take);
    for (const std::size_t number : numbers) {
      wanted.add(uids_[number]);
      sink.numbers.emplace(uids_[number], number);
    }
    if (wanted.empty()) co_return ToolResult<void>();
    std::vector<FetchItem> items;
    items.push_back(FetchItem::body_peek());
    auto done =
        co_await client_.uid_fetch(imap::SequenceSet(wanted), std::move(items), sink, soon());
    if (!done) co_return fail(error_of(done.error()));
    co_return ToolResult<void>();
  }

  Task<void> close() override { co_await client_.logout(Deadline::in(std::chrono::seconds(10))); }

 private:
  session::ImapClient client_;
  std::vector<std::uint32_t> uids_;
};

}  // namespace

std::unique_ptr<MailSource> make_imap_source(async::Endpoint server,
                                             session::ImapClientOptions options) {
  return std::make_unique<ImapSource>(std::move(server), std::move(options));
}

}  // namespace posthorn::operate
