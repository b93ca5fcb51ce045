#include "agents/imapd/large_message.h"

#include <algorithm>

#include "agents/imapd/flags_line.h"
#include "libmail/base/crlf.h"

namespace posthorn::imapd {

using async::Task;
using Kind = imap::FetchItem::Kind;

namespace {

constexpr std::size_t step = 256 * 1024;

bool is_whole(const imap::FetchItem& item) {
  if (item.kind == Kind::rfc822) return true;
  return item.kind == Kind::body_section && item.section.part.empty() &&
         item.section.text == imap::Section::Text::all;
}

}  // namespace

std::optional<std::size_t> find_large(const store::OpenMailbox& mailbox, const FetchPlan& plan,
                                      const FetchedMessage& message) {
  std::optional<std::size_t> place;
  for (std::size_t i = 0; i < plan.items.size(); ++i)
    if (is_whole(plan.items[i])) place = i;
  if (!place) return std::nullopt;
  const auto row = mailbox.snapshot()->find(message.uid);
  if (!row || (row->flags & store::flag::has_size) == 0 || row->size < large_message)
    return std::nullopt;
  return place;
}

std::span<const FetchedMessage> until_large(const store::OpenMailbox& mailbox,
                                            const FetchPlan& plan,
                                            std::span<const FetchedMessage> messages) {
  if (std::none_of(plan.items.begin(), plan.items.end(), is_whole)) return messages;
  for (std::size_t i = 0; i < messages.size(); ++i)
    if (find_large(mailbox, plan, messages[i])) return messages.first(i);
  return messages;
}

Task<LargeSent> send_large(Session& session, store::OpenMailbox& mailbox, const FetchPlan& plan,
                           const FetchedMessage& message, std::size_t item) {
  LargeSent sent;
  const auto row = mailbox.snapshot()->find(message.uid);
  sent.gone = !row;
  if (!row) co_return sent;
  const std::uint64_t size = row->size;
  std::vector<imap::FetchItem> others = plan.items;
  const imap::FetchItem streamed = others[item];
  others.erase(others.begin() + static_cast<std::ptrdiff_t>(item));
  FetchPlan rest(std::move(others));
  rest.recent_from = plan.recent_from;
  rest.tell_modseq = plan.tell_modseq;
  const std::span<const FetchedMessage> one(&message, 1);
  const std::uint32_t uid = message.uid;
  auto first = [&] { return render(mailbox, rest, one, SIZE_MAX); };
  auto rendered = co_await session.in_store(std::move(first));
  if (!rendered) {
    sent.error = std::move(rendered.error());
    co_return sent;
  }
  sent.gone = rendered->gone != 0;
  sent.unknown_cte = rendered->unknown_cte;
  sent.too_much = rendered->too_much;
  if (sent.gone || sent.too_much) co_return sent;
  auto open = [&] { return mailbox.open(uid); };
  auto source = co_await session.in_store(std::move(open));
  if (!source) {
    sent.gone = source.error().kind == store::StoreError::Kind::not_found;
    if (!sent.gone) sent.error = std::move(source.error());
    co_return sent;
  }

  const std::uint64_t begin = streamed.partial ? std::min(streamed.partial->first, size) : 0;
  std::uint64_t left = size - begin;
  if (streamed.partial) left = std::min(left, streamed.partial->count);
  std::string head = std::move(rendered->octets);
  if (head.empty()) {
    head = fetch_head(message.number, message.uid, plan.uid_only);
  } else {
    head.resize(head.size() - 3);  // ")" CRLF
    head += ' ';
  }
  head += streamed.response_name() + " {" + std::to_string(left) + "}\r\n";
  sent.goes_on = co_await session.out().write(std::move(head));
  bool after_cr = false;
  std::uint64_t skip = begin;
  while (sent.goes_on && left != 0) {
    store::MessageSource& from = **source;
    auto read = [&from] { return from.read(step); };
    auto piece = co_await async::blocking(std::move(read));
    if (!piece || piece->empty()) {
      // The client was promised more: only the end of the connection tells it so.
      session.log().error("", "message-unreadable",
                          {{"user", session.account().user},
                           {"why", piece ? "it is shorter than it was" : piece.error().text}});
      session.out().break_off();
      sent.goes_on = false;
      co_return sent;
    }
    std::string octets;
    octets.reserve(piece->size() + piece->size() / 16);
    append_crlf(*piece, after_cr, octets);
    const std::uint64_t passed = std::min<std::uint64_t>(skip, octets.size());
    skip -= passed;
    octets.erase(0, passed);
    if (octets.size() > left) octets.resize(left);
    left -= octets.size();
    sent.goes_on = co_await session.out().write(std::move(octets));
  }
  if (sent.goes_on) session.out().text() += ")\r\n";
  co_return sent;
}

}  // namespace posthorn::imapd
