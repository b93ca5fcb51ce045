#include "agents/imapd/known_header.h"

#include <algorithm>
#include <array>

#include "agents/imapd/message_text.h"
#include "libmail/base/text.h"

namespace posthorn::imapd {

namespace {

// In lower case, sorted. Whoever changes it changes `version`: what is in caches was made with the old one.
constexpr std::array<std::string_view, 27> names = {"bcc",
                                                    "cc",
                                                    "content-class",
                                                    "content-description",
                                                    "content-language",
                                                    "content-type",
                                                    "date",
                                                    "delivered-to",
                                                    "from",
                                                    "importance",
                                                    "in-reply-to",
                                                    "lines",
                                                    "list-id",
                                                    "list-post",
                                                    "list-subscribe",
                                                    "list-unsubscribe",
                                                    "message-id",
                                                    "newsgroups",
                                                    "priority",
                                                    "references",
                                                    "reply-to",
                                                    "sender",
                                                    "subject",
                                                    "to",
                                                    "x-label",
                                                    "x-original-to",
                                                    "x-priority"};
static_assert(std::is_sorted(names.begin(), names.end()));
constexpr char version = '1';  // the first octet in the cache
constexpr std::size_t worth_keeping = 16 * 1024;
constexpr std::size_t longest = 19;

}  // namespace

bool is_known_field(std::string_view name) {
  std::array<char, longest> small{};
  if (name.size() > small.size()) return false;
  std::transform(name.begin(), name.end(), small.begin(), to_lower);
  return std::binary_search(names.begin(), names.end(),
                            std::string_view(small.data(), name.size()));
}

bool asks_for_known_fields(const imap::FetchItem& item) {
  return item.kind == imap::FetchItem::Kind::body_section && item.section.part.empty() &&
         item.section.text == imap::Section::Text::header_fields &&
         std::all_of(item.section.fields.begin(), item.section.fields.end(), is_known_field);
}

std::string known_header(std::string_view message) {
  const message::Header header = message::Header::parse(message);
  std::string kept;
  for (const message::Field& field : header.fields()) {
    if (!is_known_field(header.name(field))) continue;
    const std::string_view whole = header.whole(field);
    if (kept.size() + whole.size() > worth_keeping) return {};
    for (std::size_t at = 0; at < whole.size();) {
      const std::size_t end = std::min(whole.find('\n', at), whole.size());
      const bool has_cr = end > at && whole[end - 1] == '\r';
      kept.append(whole, at, end - at - (has_cr && end < whole.size() ? 1 : 0)).append("\r\n");
      at = end + 1;
    }
  }
  return kept += "\r\n";
}

std::optional<std::string_view> FieldFinder::next() {
  while (!rest_.empty()) {
    // A field and the lines that go on with it.
    std::size_t end = rest_.find('\n');
    const bool is_end = end == 0 || (end == 1 && rest_.front() == '\r');
    while (!is_end && end != std::string_view::npos && end + 1 < rest_.size() &&
           is_space(rest_[end + 1]))
      end = rest_.find('\n', end + 1);
    std::string_view field = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end, rest_.size() - 1) + 1);
    if (field.ends_with('\r')) field.remove_suffix(1);
    if (field.empty()) rest_ = {};  // the body comes
    if (field.size() <= name_.size() || !istarts_with(field, name_)) continue;
    const std::size_t colon = field.find_first_not_of(" \t", name_.size());
    if (colon != std::string_view::npos && field[colon] == ':') return field.substr(colon + 1);
  }
  return std::nullopt;
}

store::StoreResult<void> KnownHeaders::load(std::span<const std::uint32_t> uids) {
  uids_ = uids;
  octets_.clear();
  at_.assign(uids.size(), {0, 0});
  std::size_t index = 0;
  return mailbox_.values(store::CachedValue::header, uids,
                         [&](std::uint32_t uid, std::string_view value) {
                           while (index < uids_.size() && uids_[index] < uid) ++index;
                           if (index == uids_.size() || uids_[index] != uid) return;
                           if (value.empty() || value.front() != version) return;
                           at_[index] = {static_cast<std::uint32_t>(octets_.size()),
                                         static_cast<std::uint32_t>(value.size() - 1)};
                           octets_ += value.substr(1);
                         });
}

std::string_view KnownHeaders::cached(std::size_t index) const {
  return std::string_view(octets_).substr(at_[index].first, at_[index].second);
}

void KnownHeaders::put(std::size_t index, std::string_view message) {
  if (at_[index].second != 0) return;
  std::string known = known_header(message);
  if (known.empty()) return;
  at_[index] = {static_cast<std::uint32_t>(octets_.size()),
                static_cast<std::uint32_t>(known.size())};
  octets_ += known;
  made_.add(uids_[index], version + std::move(known));
}

store::StoreResult<std::string_view> KnownHeaders::header(std::size_t index) {
  if (at_[index].second != 0) return cached(index);
  auto text = read_header(mailbox_, uids_[index]);
  if (!text) return fail(std::move(text.error()));
  put(index, *text);
  if (at_[index].second != 0) return cached(index);
  read_ = std::move(*text);
  return std::string_view(read_);
}

MadeValues KnownHeaders::take_made() {
  return std::exchange(made_, MadeValues(store::CachedValue::header));
}

}  // namespace posthorn::imapd
