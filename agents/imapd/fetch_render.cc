#include "agents/imapd/fetch_render.h"

#include <algorithm>

#include "agents/imapd/fetch_body.h"
#include "agents/imapd/flags_line.h"
#include "agents/imapd/known_header.h"
#include "agents/imapd/message_text.h"
#include "agents/imapd/preview.h"
#include "agents/imapd/selected.h"
#include "libmail/imap/body_structure.h"
#include "libmail/imap/date.h"
#include "libmail/imap/envelope.h"
#include "libmail/message/transfer_encoding.h"

namespace posthorn::imapd {

using imap::FetchItem;
using store::CachedValue;
using store::StoreResult;
using Kind = imap::FetchItem::Kind;

namespace {

// What was found in the cache for a run of messages, and what was made meanwhile.
class Values {
 public:
  Values(CachedValue kind, store::OpenMailbox& mailbox)
      : kind_(kind), mailbox_(mailbox), made_(kind) {}

  StoreResult<void> load(std::span<const std::uint32_t> uids) {
    uids_ = uids;
    found_.assign(uids.size(), {});
    count_ = 0;
    std::size_t at = 0;
    return mailbox_.values(kind_, uids, [&](std::uint32_t uid, std::string_view value) {
      while (at < uids_.size() && uids_[at] < uid) ++at;
      if (at == uids_.size() || uids_[at] != uid) return;
      found_[at] = value;
      ++count_;
    });
  }
  [[nodiscard]] bool has_all() const { return count_ == uids_.size(); }
  [[nodiscard]] const std::string& at(std::size_t index) const { return found_[index]; }
  const std::string& put(std::size_t index, std::string value) {
    found_[index] = std::move(value);
    made_.add(uids_[index], found_[index]);
    return found_[index];
  }
  [[nodiscard]] MadeValues take_made() { return std::move(made_); }

 private:
  CachedValue kind_;
  store::OpenMailbox& mailbox_;
  std::span<const std::uint32_t> uids_;
  std::vector<std::string> found_;
  std::size_t count_ = 0;  // of found_ when it was loaded
  MadeValues made_;
};

// An answer may hold its message twice, in pieces however cut, and so much besides.
constexpr std::size_t spare_octets = 8 * 1024 * 1024;

// One run of messages on its way out.
class Renderer {
 public:
  Renderer(store::OpenMailbox& mailbox, const FetchPlan& plan,
           std::span<const FetchedMessage> messages)
      : mailbox_(mailbox),
        plan_(plan),
        messages_(messages),
        headers_(mailbox),
        envelopes_(CachedValue::envelope, mailbox),
        structures_(CachedValue::body_structure, mailbox),
        previews_(CachedValue::preview, mailbox) {
    for (const FetchedMessage& message : messages) uids_.push_back(message.uid);
  }

  StoreResult<Rendered> run(std::size_t limit);

 private:
  StoreResult<void> prepare();
  // False: the message is gone.
  StoreResult<bool> message(std::size_t index, Rendered& to);
  StoreResult<bool> load(std::size_t index, const store::MessageRow& row);
  bool append(const FetchItem& item, std::size_t index, const store::MessageRow& row,
              std::string& out);
  [[nodiscard]] bool needs_text(std::size_t index) const {
    return plan_.text || plan_.body || (plan_.structure && structures_.at(index).empty()) ||
           (plan_.preview && previews_.at(index).empty());
  }

  store::OpenMailbox& mailbox_;
  const FetchPlan& plan_;
  std::span<const FetchedMessage> messages_;
  std::vector<std::uint32_t> uids_;
  std::shared_ptr<const store::Snapshot> snapshot_;
  KnownHeaders headers_;
  Values envelopes_;
  Values structures_;
  Values previews_;
  std::vector<std::string> email_ids_;
  std::unique_ptr<FetchedText> text_;    // of the message at hand
  std::unique_ptr<FetchedText> header_;  // the same, its header alone
};

StoreResult<void> Renderer::prepare() {
  snapshot_ = mailbox_.snapshot();
  std::vector<std::uint32_t> unsized;
  std::vector<std::uint32_t> undated;
  if (plan_.size || plan_.date || plan_.save_date) {
    for (const std::uint32_t uid : uids_) {
      const auto row = snapshot_->find(uid);
      if (!row) continue;
      if (plan_.size && (row->flags & store::flag::has_size) == 0) unsized.push_back(uid);
      const bool dated = plan_.date || (plan_.save_date && row->saved == 0);
      if (dated && (row->flags & store::flag::has_date) == 0) undated.push_back(uid);
    }
  }
  if (!unsized.empty()) {
    auto measured = mailbox_.measure(unsized, store::Need::size);
    if (!measured) return measured;
  }
  if (!undated.empty()) {
    auto measured = mailbox_.measure(undated, store::Need::date);
    if (!measured) return measured;
  }
  if (!unsized.empty() || !undated.empty()) snapshot_ = mailbox_.snapshot();
  if (plan_.envelope) {
    auto loaded = envelopes_.load(uids_);
    if (!loaded) return loaded;
  }
  if (plan_.known || (plan_.envelope && !envelopes_.has_all())) {
    auto loaded = headers_.load(uids_);
    if (!loaded) return loaded;
  }
  if (plan_.structure) {
    auto loaded = structures_.load(uids_);
    if (!loaded) return loaded;
  }
  if (plan_.preview) {
    auto loaded = previews_.load(uids_);
    if (!loaded) return loaded;
  }
  if (plan_.email_id) {
    auto ids = mailbox_.email_ids(uids_);
    if (!ids) return fail(std::move(ids.error()));
    email_ids_ = std::move(*ids);
  }
  return {};
}

StoreResult<Rendered> Renderer::run(std::size_t limit) {
  auto prepared = prepare();
  if (!prepared) return fail(std::move(prepared.error()));
  Rendered rendered;
  if (plan_.text) rendered.octets.reserve(limit);
  for (std::size_t i = 0; i < messages_.size() && rendered.octets.size() < limit; ++i) {
    const std::size_t begin = rendered.octets.size();
    auto there = message(i, rendered);
    if (!there && there.error().kind != store::StoreError::Kind::not_found) {
      // What is made goes out first; the caller comes again for this one.
      rendered.octets.resize(begin);
      if (rendered.done != 0) break;
      return fail(std::move(there.error()));
    }
    ++rendered.done;
    if (there && *there) continue;
    rendered.octets.resize(begin);
    ++rendered.gone;
  }
  rendered.made.push_back(headers_.take_made());
  rendered.made.push_back(envelopes_.take_made());
  rendered.made.push_back(structures_.take_made());
  rendered.made.push_back(previews_.take_made());
  return rendered;
}

// What this message has to be read for.
StoreResult<bool> Renderer::load(std::size_t index, const store::MessageRow& row) {
  text_.reset();
  header_.reset();
  if (needs_text(index)) {
    auto text = mailbox_.text(row.uid);
    if (!text) return fail(std::move(text.error()));
    text_ = std::make_unique<FetchedText>(std::move(*text));
    if (headers_.is_loaded()) headers_.put(index, text_->octets());
  } else if (plan_.header) {
    auto text = read_header(mailbox_, row.uid);
    if (!text) return fail(std::move(text.error()));
    header_ = std::make_unique<FetchedText>(message::with_crlf(*text));
    if (headers_.is_loaded()) headers_.put(index, *text);
  } else if (plan_.known) {
    const auto known = headers_.header(index);
    if (!known) return fail(known.error());
    header_ = std::make_unique<FetchedText>(std::string(*known));
  }
  if (plan_.envelope && envelopes_.at(index).empty()) {
    std::string_view octets = text_ ? text_->octets() : header_ ? header_->octets() : "";
    if (!text_ && !header_) {
      const auto known = headers_.header(index);
      if (!known) return fail(known.error());
      octets = *known;
    }
    envelopes_.put(index, imap::envelope(message::Header::parse(octets)));
  }
  if (plan_.structure && structures_.at(index).empty())
    structures_.put(index, imap::body_structure(text_->view(), imap::BodyForm::body_structure));
  // Kept with a mark in front, so that an empty one is known, too.
  if (plan_.preview && previews_.at(index).empty())
    previews_.put(index, "=" + preview_of(text_->view()));
  return true;
}

StoreResult<bool> Renderer::message(std::size_t index, Rendered& to) {
  const auto row = snapshot_->find(uids_[index]);
  if (!row) return false;
  auto loaded = load(index, *row);
  if (!loaded) return loaded;
  std::string& out = to.octets;
  const std::size_t line = out.size();
  const std::size_t budget = spare_octets + 2 * (text_     ? text_->octets().size()
                                                 : header_ ? header_->octets().size()
                                                           : 0);
  out += fetch_head(messages_[index].number, row->uid, plan_.uid_only);
  bool first = true;
  const auto say = [&](const FetchItem& item) {
    const std::size_t begin = out.size();
    if (!first) out += ' ';
    const bool said = append(item, index, *row, out);
    if (!said) out.resize(begin);
    first = first && !said;
    return said;
  };
  for (const FetchItem& item : plan_.items) {
    if (!say(item)) to.unknown_cte = true;
    if (out.size() - line <= budget) continue;
    out.resize(line);
    to.too_much = true;
    return true;
  }
  if (messages_[index].tell_flags) {
    if (!plan_.flags) say(FetchItem(Kind::flags));
    if (plan_.tell_modseq && !plan_.modseq) say(FetchItem(Kind::modseq));
  }
  if (first) {
    out.resize(line);
  } else {
    out += ")\r\n";
  }
  return true;
}

bool Renderer::append(const FetchItem& item, std::size_t index, const store::MessageRow& row,
                      std::string& out) {
  switch (item.kind) {
    case Kind::uid:
      out.append("UID ").append(std::to_string(row.uid));
      return true;
    case Kind::flags:
      out.append("FLAGS (")
          .append(flags_text(row, snapshot_->keywords(), row.uid >= plan_.recent_from))
          .append(")");
      return true;
    case Kind::internal_date:
      out.append("INTERNALDATE ").append(imap::format_date_time(imap::DateTime(row.date, 0)));
      return true;
    case Kind::rfc822_size:
      out.append("RFC822.SIZE ").append(std::to_string(row.size));
      return true;
    case Kind::modseq:
      out.append("MODSEQ (").append(std::to_string(row.modseq)).append(")");
      return true;
    case Kind::save_date:
      out += "SAVEDATE ";
      out += mailbox_.keeps_save_dates()
                 ? imap::format_date_time(imap::DateTime(row.saved == 0 ? row.date : row.saved, 0))
                 : "NIL";
      return true;
    case Kind::email_id:
      out.append("EMAILID (").append(email_ids_[index]).append(")");
      return true;
    case Kind::thread_id:
      out += "THREADID NIL";
      return true;
    case Kind::preview:
      append_preview(std::string_view(previews_.at(index)).substr(1), out);
      return true;
    case Kind::envelope:
      out.append("ENVELOPE ").append(envelopes_.at(index));
      return true;
    case Kind::body_structure:
      out.append("BODYSTRUCTURE ").append(structures_.at(index));
      return true;
    case Kind::body:
      out.append("BODY ").append(imap::body_structure(text_->view(), imap::BodyForm::body));
      return true;
    default:
      return (text_ ? *text_ : *header_)
          .append_item(item, plan_.names[static_cast<std::size_t>(&item - plan_.items.data())],
                       out);
  }
}

}  // namespace

FetchPlan::FetchPlan(std::vector<imap::FetchItem> wanted) : items(std::move(wanted)) {
  for (const FetchItem& item : items) {
    names.push_back(item.response_name());
    switch (item.kind) {
      case Kind::rfc822_size:
        size = true;
        break;
      case Kind::internal_date:
        date = true;
        break;
      case Kind::save_date:
        save_date = true;
        break;
      case Kind::envelope:
        envelope = true;
        break;
      case Kind::body_structure:
        structure = true;
        break;
      case Kind::body:
        body = true;
        break;
      case Kind::email_id:
        email_id = true;
        break;
      case Kind::preview:
        preview = true;
        break;
      case Kind::flags:
        flags = true;
        break;
      case Kind::modseq:
        modseq = true;
        break;
      case Kind::body_section:
      case Kind::rfc822_header:
        (asks_for_known_fields(item) ? known : is_about_header(item) ? header : text) = true;
        break;
      case Kind::binary:
      case Kind::binary_size:
      case Kind::rfc822:
      case Kind::rfc822_text:
        text = true;
        break;
      default:
        break;
    }
  }
}

StoreResult<Rendered> render(store::OpenMailbox& mailbox, const FetchPlan& plan,
                             std::span<const FetchedMessage> messages, std::size_t limit) {
  Renderer renderer(mailbox, plan, messages);
  return renderer.run(limit);
}

}  // namespace posthorn::imapd
