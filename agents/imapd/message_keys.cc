#include "agents/imapd/message_keys.h"

#include <chrono>

#include "agents/imapd/known_header.h"
#include "libmail/async/scope.h"
#include "libmail/message/address_reader.h"
#include "libmail/message/base_subject.h"
#include "libmail/message/date.h"
#include "libmail/message/encoded_word.h"
#include "libmail/message/message_id.h"
#include "libmail/search/folded_text.h"

namespace posthorn::imapd {

using async::Task;
using search::fold_case;
using store::StoreResult;

namespace {

constexpr auto slice = std::chrono::milliseconds(100);
constexpr std::size_t at_once = 4000;      // known headers loaded
constexpr std::size_t look_at_clock = 16;  // messages
constexpr std::size_t worth_two_threads = 500;

struct FirstAddress {
  std::string mailbox;
  std::string display;
};

std::optional<std::string_view> first_value(std::string_view header, std::string_view name) {
  return FieldFinder(header, name).next();
}

FirstAddress first_address(std::string_view header, std::string_view name) {
  FirstAddress first;
  const auto value = first_value(header, name);
  if (!value) return first;
  const message::AddressList list = message::read_address_list(*value);
  if (list.mailboxes.empty()) return first;
  const message::Address& address = list.mailboxes.front();
  first.mailbox = fold_case(address.local_part);
  first.display =
      fold_case(address.display_name.empty() ? address.addr_spec()
                                             : message::decode_encoded_words(address.display_name));
  return first;
}

void read_references(std::string_view header, MessageKeys& keys) {
  const auto ids = [header](std::string_view name) {
    const auto value = first_value(header, name);
    return value ? message::parse_message_ids(*value) : std::vector<std::string>();
  };
  auto own = ids("Message-ID");
  if (!own.empty()) keys.message_id = std::move(own.front());
  keys.references = ids("References");
  if (!keys.references.empty()) return;
  auto replied = ids("In-Reply-To");
  if (!replied.empty()) keys.references.push_back(std::move(replied.front()));
}

// False: it has no date that can be read.
bool read_date(std::string_view header, MessageKeys& keys) {
  const auto value = first_value(header, "Date");
  const auto date = value ? message::parse_date(message::unfold(*value)) : std::nullopt;
  if (date) keys.sent = date->time.time_since_epoch().count();
  return date.has_value();
}

void read_header_keys(std::string_view header, MessageKeys::Needs needs, MessageKeys& keys) {
  if (const auto value = needs.subject ? first_value(header, "Subject") : std::nullopt) {
    const auto base = message::base_subject(*value);
    keys.subject = fold_case(base.text);
    keys.is_reply = base.reply;
  }
  if (needs.references) read_references(header, keys);
  if (!needs.addresses) return;
  FirstAddress from = first_address(header, "From");
  FirstAddress to = first_address(header, "To");
  keys.from = std::move(from.mailbox);
  keys.display_from = std::move(from.display);
  keys.to = std::move(to.mailbox);
  keys.display_to = std::move(to.display);
  keys.cc = first_address(header, "Cc").mailbox;
}

// When it came stands for when it was sent (RFC 5256 2.2); asking the file system for it would be too dear for all messages.
StoreResult<void> take_arrival(store::OpenMailbox& mailbox, MessageKeys& keys) {
  auto measured = mailbox.measure(std::span(&keys.uid, 1), store::Need::date);
  if (!measured) return measured;
  if (const auto row = mailbox.snapshot()->find(keys.uid)) keys.arrival = keys.sent = row->date;
  return {};
}

// From `next` on for a while. An error is about the message `next`; `locked`: come again.
StoreResult<void> read_slice(store::OpenMailbox& mailbox, const store::Snapshot& snapshot,
                             std::span<const std::uint32_t> uids, MessageKeys::Needs needs,
                             std::size_t& next, std::vector<MessageKeys>& into,
                             KnownHeaders& headers) {
  using Kind = store::StoreError::Kind;
  const std::size_t first = next;
  const MonoTime end = std::chrono::steady_clock::now() + slice;
  if (needs.header()) {
    uids = uids.first(std::min(uids.size(), first + at_once));
    if (auto loaded = headers.load(uids.subspan(first)); !loaded) return loaded;
  }
  for (; next < uids.size(); ++next) {
    const bool looks = needs.header() && (next - first) % look_at_clock == 0;
    if (looks && next != first && std::chrono::steady_clock::now() >= end) return {};
    const auto row = snapshot.find(uids[next]);
    if (!row) continue;
    MessageKeys keys;
    keys.uid = row->uid;
    keys.arrival = keys.sent = row->date;
    keys.size = row->size;
    if (needs.header()) {
      auto text = headers.header(next - first);
      if (!text && text.error().kind == Kind::not_found) continue;
      if (!text && text.error().kind == Kind::locked && next != first) return {};
      if (!text) return fail(std::move(text.error()));
      if (needs.date && !read_date(*text, keys)) {
        auto taken = take_arrival(mailbox, keys);
        if (!taken && taken.error().kind == Kind::locked && next != first) return {};
        if (!taken) return taken;
      }
      read_header_keys(*text, needs, keys);
    }
    into.push_back(std::move(keys));
  }
  return {};
}

// Messages that one thread after the other reads.
struct KeysPart {
  std::span<const std::uint32_t> uids;
  std::vector<MessageKeys> keys;
  std::optional<store::StoreError> error;
};

Task<void> read_part(Session& session, std::shared_ptr<store::OpenMailbox> mailbox,
                     MessageKeys::Needs needs, KeysPart& part) {
  const auto snapshot = mailbox->snapshot();
  KnownHeaders headers(*mailbox);
  std::size_t next = 0;
  part.keys.reserve(part.uids.size());
  while (next < part.uids.size() && !session.is_over()) {
    auto work = [&] {
      return read_slice(*mailbox, *snapshot, part.uids, needs, next, part.keys, headers);
    };
    auto read = co_await session.in_store(std::move(work));
    session.accounts().value_keeper().keep(mailbox, headers.take_made());
    if (read) continue;
    part.error = std::move(read.error());
    co_return;
  }
}

}  // namespace

Task<StoreResult<std::vector<MessageKeys>>> read_keys(Session& session,
                                                      const std::vector<std::uint32_t>& uids,
                                                      MessageKeys::Needs needs) {
  auto mailbox = session.selected()->mailbox;
  auto measure = [&] {
    store::StoreResult<void> measured;
    if (needs.arrival) measured = mailbox->measure(uids, store::Need::date);
    if (measured && needs.size) measured = mailbox->measure(uids, store::Need::size);
    return measured;
  };
  auto measured = co_await session.in_store(std::move(measure));
  if (!measured) co_return fail(std::move(measured.error()));
  // Two threads side by side, where there is something to do for them.
  const std::size_t middle =
      needs.header() && uids.size() >= worth_two_threads ? uids.size() / 2 : 0;
  const std::span<const std::uint32_t> all(uids);
  KeysPart first;
  first.uids = all.first(middle);
  KeysPart second;
  second.uids = all.subspan(middle);
  async::Scope scope;
  if (middle != 0) scope.spawn(read_part(session, mailbox, needs, first));
  scope.spawn(read_part(session, mailbox, needs, second));
  co_await scope.join();
  for (KeysPart* part : {&first, &second})
    if (part->error) co_return fail(std::move(*part->error));
  if (first.keys.empty()) co_return std::move(second.keys);
  first.keys.insert(first.keys.end(), std::make_move_iterator(second.keys.begin()),
                    std::make_move_iterator(second.keys.end()));
  co_return std::move(first.keys);
}

}  // namespace posthorn::imapd
