#include "agents/imapd/search_match.h"

#include <algorithm>

#include "agents/imapd/message_text.h"
#include "libmail/base/text.h"
#include "libmail/message/charset.h"
#include "libmail/message/date.h"
#include "libmail/search/folded_text.h"

namespace posthorn::imapd {

using Kind = imap::SearchKey::Kind;
using Cost = PreparedKey::Cost;

namespace {

constexpr std::int64_t day_seconds = 24 * 60 * 60;
constexpr std::size_t most_ahead = 256;  // headers read at once

Cost cost_of(Kind kind) {
  switch (kind) {
    case Kind::bcc:
    case Kind::cc:
    case Kind::from:
    case Kind::to:
    case Kind::subject:
    case Kind::header:
    case Kind::sent_before:
    case Kind::sent_on:
    case Kind::sent_since:
    case Kind::email_id:
      return Cost::header;
    case Kind::body:
    case Kind::text:
      return Cost::body;
    default:
      return Cost::row;
  }
}

bool has(std::string_view folded, std::string_view needle) {
  return folded.find(needle) != std::string_view::npos;
}

bool body_has(const message::MessageView& view, std::string_view needle) {
  return search::any_body_text(view,
                               [needle](const std::string& text) { return has(text, needle); });
}

bool any_value_has(std::string_view header, std::string_view name, std::string_view needle) {
  const message::Header fields = message::Header::parse(header);
  for (const message::Field& field : fields.fields()) {
    if (!iequals(fields.name(field), name)) continue;
    if (needle.empty() || has(search::folded_value(fields, field), needle)) return true;
  }
  return false;
}

void prepare_flag(const imap::SearchKey& key, const SearchFacts& facts, PreparedKey& to) {
  if (iequals(key.text, "\\Recent")) {
    to.is_recent = true;
    return;
  }
  if (const auto flag = imap::system_flag(key.text)) {
    imap::Flags flags;
    flags.set(*flag);
    to.flag = store_flags_of(flags);
    return;
  }
  const auto& keywords = facts.snapshot->keywords();
  for (std::size_t i = 0; i < keywords.size() && i < 64; ++i)
    if (iequals(keywords[i], key.text)) to.keyword = std::uint64_t{1} << i;
}

void prepare_set(const imap::SearchKey& key, const SearchFacts& facts, PreparedKey& to) {
  if (key.set.is_saved()) {
    to.kind = Kind::uids;
    to.set = facts.selected->saved;
  } else if (key.kind == Kind::uids) {
    to.set = key.set.resolve(facts.selected->largest_uid());
  } else {
    to.set = key.set.resolve(facts.selected->view.size());
  }
}

}  // namespace

std::string_view HeadersAhead::of(std::uint32_t uid) {
  // Asked again, or about the next one, or about another.
  if (at_ < uids_.size() && uids_[at_] == uid) return headers_.cached(at_);
  const bool goes_on = at_ + 1 >= uids_.size();
  ++at_;
  if (at_ >= uids_.size() || uids_[at_] != uid) {
    const std::size_t index = snapshot_->lower_bound(uid);
    const bool follows =
        goes_on && !uids_.empty() && index > 0 && snapshot_->row(index - 1).uid == uids_.back();
    count_ = follows ? std::min(count_ * 2, most_ahead) : 1;
    uids_.clear();
    for (std::size_t i = index; i < snapshot_->size() && uids_.size() < count_; ++i)
      uids_.push_back(snapshot_->row(i).uid);
    at_ = 0;
    if (!headers_.load(uids_)) uids_.clear();
  }
  return uids_.empty() || uids_.front() > uid ? std::string_view() : headers_.cached(at_);
}

std::optional<PreparedKey> prepare_key(const imap::SearchKey& key, const std::string& charset,
                                       const SearchFacts& facts) {
  PreparedKey prepared;
  prepared.kind = key.kind;
  prepared.cost = cost_of(key.kind);
  prepared.field = key.field;
  prepared.number = key.number;
  prepared.day = imap::days_since_1970(key.date);
  if (key.kind == Kind::flag || key.kind == Kind::no_flag) {
    prepare_flag(key, facts, prepared);
  } else if (key.kind == Kind::numbers || key.kind == Kind::uids) {
    prepare_set(key, facts, prepared);
  } else if (key.kind == Kind::email_id) {
    prepared.text = key.text;
  } else if (is_ascii(key.text) || charset.empty()) {
    prepared.text = search::fold_case(key.text);
  } else {
    const auto known = message::find_charset(charset);
    if (!known) return std::nullopt;
    prepared.text = search::fold_case(message::to_utf8(key.text, *known));
  }
  for (const imap::SearchKey& child : key.children) {
    auto inner = prepare_key(child, charset, facts);
    if (!inner) return std::nullopt;
    prepared.cost = std::max(prepared.cost, inner->cost);
    prepared.children.push_back(std::move(*inner));
  }
  if (key.kind == Kind::both || key.kind == Kind::either)
    std::sort(prepared.children.begin(), prepared.children.end(),
              [](const PreparedKey& a, const PreparedKey& b) { return a.cost < b.cost; });
  return prepared;
}

bool SearchedMessage::matches(const PreparedKey& key) {
  if (key.without.contains(row_.uid)) return false;
  switch (key.kind) {
    case Kind::both:
      return std::all_of(key.children.begin(), key.children.end(),
                         [this](const PreparedKey& child) { return matches(child); });
    case Kind::either:
      return std::any_of(key.children.begin(), key.children.end(),
                         [this](const PreparedKey& child) { return matches(child); });
    case Kind::none_of:
      return !matches(key.children.front()) && !gone_;
    case Kind::fuzzy:
      return matches(key.children.front());
    case Kind::bcc:
      return matches_field(key, "Bcc");
    case Kind::cc:
      return matches_field(key, "Cc");
    case Kind::from:
      return matches_field(key, "From");
    case Kind::to:
      return matches_field(key, "To");
    case Kind::subject:
      return matches_field(key, "Subject");
    case Kind::header:
      return matches_field(key, key.field);
    case Kind::sent_before:
    case Kind::sent_on:
    case Kind::sent_since:
      return matches_sent(key);
    case Kind::body: {
      FetchedText* text = whole();
      return text != nullptr && body_has(text->view(), key.text);
    }
    case Kind::text: {
      FetchedText* text = whole();
      return text != nullptr && (has(search::folded_header(text->view().header(0)), key.text) ||
                                 body_has(text->view(), key.text));
    }
    default:
      return matches_row(key);
  }
}

bool SearchedMessage::matches_row(const PreparedKey& key) {
  const auto has_flag = [&] {
    if (key.is_recent) return row_.uid >= facts_.selected->recent_from;
    return key.flag != 0 ? (row_.flags & key.flag) != 0 : (row_.keywords & key.keyword) != 0;
  };
  switch (key.kind) {
    case Kind::all:
      return true;
    case Kind::numbers:
      return key.set.contains(number_);
    case Kind::uids:
      return key.set.contains(row_.uid);
    case Kind::flag:
      return has_flag();
    case Kind::no_flag:
      return !has_flag();
    case Kind::larger:
      return row_.size > key.number;
    case Kind::smaller:
      return row_.size < key.number;
    case Kind::older:
      return facts_.now - row_.date >= static_cast<std::int64_t>(key.number);
    case Kind::younger:
      return facts_.now - row_.date <= static_cast<std::int64_t>(key.number);
    case Kind::modseq:
      return row_.modseq >= key.number;
    case Kind::save_date_supported:
      return mailbox_.keeps_save_dates();
    case Kind::email_id: {
      auto ids = mailbox_.email_ids(std::span(&row_.uid, 1));
      if (!ids) note(std::move(ids.error()));
      return ids && !ids->empty() && ids->front() == key.text;
    }
    case Kind::before:
    case Kind::on:
    case Kind::since:
    case Kind::saved_before:
    case Kind::saved_on:
    case Kind::saved_since:
      return matches_date(key);
    default:
      return false;
  }
}

bool SearchedMessage::matches_date(const PreparedKey& key) {
  const bool saved =
      key.kind == Kind::saved_before || key.kind == Kind::saved_on || key.kind == Kind::saved_since;
  const std::int64_t day = (saved && row_.saved != 0 ? row_.saved : row_.date) / day_seconds;
  if (key.kind == Kind::before || key.kind == Kind::saved_before) return day < key.day;
  if (key.kind == Kind::on || key.kind == Kind::saved_on) return day == key.day;
  return day >= key.day;
}

bool SearchedMessage::matches_field(const PreparedKey& key, std::string_view name) {
  const std::string_view cached = is_known_field(name) ? cached_header() : std::string_view();
  if (!cached.empty()) {
    FieldFinder fields(cached, name);
    while (const auto value = fields.next()) {
      if (key.text.empty() || has(search::folded_value(*value), key.text)) return true;
    }
    return false;
  }
  FetchedText* text = header();
  return text != nullptr && any_value_has(text->octets(), name, key.text);
}

// The day that the sender's calendar showed; without a Date field, when the message came (RFC 5256 2.2 does the same).
bool SearchedMessage::matches_sent(const PreparedKey& key) {
  const auto octets = known();
  if (!octets) return false;
  const message::Header fields = message::Header::parse(*octets);
  std::int64_t seconds = row_.date;
  if (const message::Field* field = fields.find("Date")) {
    if (const auto date = message::parse_date(fields.value(*field)))
      seconds = (date->time.time_since_epoch() + date->zone).count();
  }
  const std::int64_t day = (seconds - (seconds < 0 ? day_seconds - 1 : 0)) / day_seconds;
  if (key.kind == Kind::sent_before) return day < key.day;
  if (key.kind == Kind::sent_on) return day == key.day;
  return day >= key.day;
}

void SearchedMessage::note(store::StoreError error) {
  gone_ = error.kind == store::StoreError::Kind::not_found;
  if (!gone_) error_ = std::move(error);
}

// "": it isn't in the cache, or more of the message was read already.
std::string_view SearchedMessage::cached_header() {
  if (whole_ || header_ || gone_ || error_) return {};
  return headers_.of(row_.uid);
}

// Fields that the cache has, without reading the message.
std::optional<std::string_view> SearchedMessage::known() {
  const std::string_view cached = cached_header();
  if (!cached.empty()) return cached;
  FetchedText* text = header();
  if (text == nullptr) return std::nullopt;
  return text->octets();
}

FetchedText* SearchedMessage::header() {
  if (whole_) return whole_.get();
  if (header_ || gone_ || error_) return header_.get();
  auto text = read_header(mailbox_, row_.uid);
  if (!text) note(std::move(text.error()));
  if (text) header_ = std::make_unique<FetchedText>(std::move(*text));
  return header_.get();
}

FetchedText* SearchedMessage::whole() {
  if (whole_ || gone_ || error_) return whole_.get();
  // With line ends as they lie there: texts are searched without them, or with LF.
  auto text = read_stored(mailbox_, row_.uid, row_.size);
  if (!text) note(std::move(text.error()));
  if (text) whole_ = std::make_unique<FetchedText>(std::move(*text));
  return whole_.get();
}

}  // namespace posthorn::imapd
