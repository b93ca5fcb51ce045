// What changed in the selected mailbox, told before a tagged reply and in IDLE (RFC 9051 7.4.1, 7.5.1; RFC 7162 3.2.10).
#include "agents/imapd/commands.h"
#include "agents/imapd/flags_line.h"
#include "agents/imapd/notify.h"
#include "agents/imapd/session.h"
#include "libmail/imap/metadata.h"

namespace posthorn::imapd {

using store::StoreError;

namespace {

void say_keywords(Session& session, Selected& selected, const store::Snapshot& snapshot) {
  const auto& keywords = snapshot.keywords();
  if (keywords.size() == selected.keywords_told) return;
  selected.keywords_told = keywords.size();
  session.out().untagged("FLAGS " + known_flags_text(keywords));
  session.out().untagged("OK [PERMANENTFLAGS " + permanent_flags_text(selected, keywords) +
                         "] flags that stay");
}

void say_expunges(Session& session, const store::ViewChanges& changes) {
  if (session.enabled().qresync || session.enabled().uid_only) {
    session.out().untagged("VANISHED " + set_of(changes.vanished).text());
    return;
  }
  std::string& text = session.out().text();
  for (const std::uint32_t number : changes.expunged)
    text.append("* ").append(std::to_string(number)).append(" EXPUNGE\r\n");
}

}  // namespace

Task<void> Session::say_news() {
  if (notifier_) {
    const bool fine = co_await notifier_->say_news();
    if (fine) co_return;
    out_.untagged("OK [NOTIFICATIONOVERFLOW] that is too much to listen to, nothing more is said");
    imap::Notify nothing;
    nothing.none = true;
    notifier_ = std::make_unique<Notifier>(*this, std::move(nothing));
    co_return;
  }
  if (!news_) co_return;
  for (const AccountEvent& event : news_->take()) {
    if (event.kind == AccountEvent::Kind::metadata && enabled_.metadata)
      out_.untagged(imap::metadata_names_text(
          event.mailbox.empty() ? "\"\"" : wire_name(event.mailbox), event.entries));
  }
}

Task<void> Session::announce_unasked() {
  const bool own = selected_ && notifier_->own() != Notifier::Own::none &&
                   (selected_->changed || !selected_->listening);
  if (own || has_news() || notifier_->polls())
    co_await announce(notifier_->own() == Notifier::Own::at_once);
}

bool Session::uids_are_good() {
  if (selected_->mailbox->snapshot()->uid_validity() == selected_->view.uid_validity()) return true;
  if (!over_) out_.untagged("BYE the mailbox has a new UIDVALIDITY, connect again");
  over_ = true;
  return false;
}

Task<std::optional<imap::Reply>> Session::look_again() {
  auto mailbox = selected_->mailbox;
  store::Store& store = this->store();
  const std::string name = selected_->name;
  auto look = [&store, &name, mailbox]() -> store::StoreResult<store::Rights> {
    auto looked = mailbox->sync(store::SyncRules());
    if (!looked) return fail(std::move(looked.error()));
    return store.rights(name);
  };
  const auto rights = co_await in_store(std::move(look));
  if (!rights) co_return refusal(rights.error());
  if (!uids_are_good()) co_return uids_are_bad();
  if (selected_->rights != *rights) {
    selected_->rights = *rights;
    out_.untagged("OK [PERMANENTFLAGS " +
                  permanent_flags_text(*selected_, mailbox->snapshot()->keywords()) +
                  "] your rights have changed");
  }
  co_return std::nullopt;
}

imap::Reply Session::uids_are_bad() {
  return imap::no("UNAVAILABLE", "the mailbox has a new UIDVALIDITY");
}

Task<void> Session::announce(bool may_expunge) {
  co_await say_news();
  if (!selected_ || (notifier_ && notifier_->own() == Notifier::Own::none)) co_return;
  selected_->changed = false;
  auto mailbox = selected_->mailbox;
  store::SyncRules rules;
  rules.take_new = !selected_->read_only;
  auto look = [mailbox, rules] { return mailbox->sync(rules); };
  const auto looked = co_await in_store(std::move(look));
  if (!looked && looked.error().kind == StoreError::Kind::not_found) {
    out_.untagged("BYE the mailbox is gone");
    over_ = true;
    co_return;
  }
  if (!looked) (void)refusal(looked.error());
  if (!selected_) co_return;
  for (const std::string& remark : mailbox->take_remarks())
    log_.warning("", "mailbox-remark", {{"user", account_->user}, {"what", remark}});
  co_await announce_known(may_expunge);
}

void Session::announce_keywords() {
  if (selected_) say_keywords(*this, *selected_, *selected_->mailbox->snapshot());
}

Task<void> Session::announce_known(bool may_expunge, bool own) {
  if (!selected_ || !uids_are_good()) co_return;
  const bool heard = !notifier_ || notifier_->own() != Notifier::Own::none;
  if (!heard && !own) co_return;
  const std::uint32_t first_new = selected_->view.uid_next();
  const auto snapshot = selected_->mailbox->snapshot();
  if (may_expunge) announce_vanishing(*this, *snapshot);
  const std::uint32_t last = selected_->largest_uid();
  const store::ViewChanges changes = selected_->view.update(*snapshot, may_expunge);
  say_keywords(*this, *selected_, *snapshot);
  if (!changes.expunged.empty()) {
    say_expunges(*this, changes);
    for (const std::uint32_t uid : changes.vanished) selected_->saved.remove(uid);
  }
  if (changes.exists) {
    out_.untagged(std::to_string(selected_->view.size()) + " EXISTS");
    if (!enabled_.rev2) out_.untagged(std::to_string(selected_->recent_count()) + " RECENT");
    if (heard && notifier_ && !notifier_->new_message().empty())
      co_await fetch_new(*this, notifier_->new_message(), first_new);
    if (!selected_) co_return;
    selected_->own_new.clear();
  }
  co_await say_changes(changes, snapshot);
  if (!selected_ || selected_->contexts.empty()) co_return;
  std::vector<std::uint32_t> touched = changes.changed;
  for (std::uint32_t i = selected_->view.uids().count_below(last + 1); i < selected_->view.size();
       ++i)
    touched.push_back(selected_->view.uids().uid_of(i + 1));
  co_await announce_contexts(*this, std::move(touched));
}

Task<void> Session::say_changes(const store::ViewChanges& changes,
                                std::shared_ptr<const store::Snapshot> snapshot) {
  const bool with_modseq = enabled_.condstore || enabled_.qresync;
  if (notifier_ && !notifier_->own_flags()) co_return;
  for (const std::uint32_t uid : changes.changed) {
    const auto row = snapshot->find(uid);
    if (!row) continue;
    const bool silent = selected_->silent_modseq != 0 && row->modseq == selected_->silent_modseq;
    const bool told = selected_->told_modseq != 0 && row->modseq == selected_->told_modseq;
    if (told || (silent && !with_modseq)) continue;
    FlagsLine line;
    line.uid = with_modseq || enabled_.rev2 || notifier_;
    line.flags = !silent;
    line.modseq = with_modseq;
    append_flags_line(*this, *snapshot, *row, line);
    const bool goes_on = co_await out_.flush_if_full();
    if (!goes_on || !selected_) co_return;
  }
  selected_->silent_modseq = 0;
}

}  // namespace posthorn::imapd
