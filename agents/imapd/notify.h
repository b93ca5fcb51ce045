// NOTIFY (RFC 5465): what one session wants to hear, and of which mailboxes. Other mailboxes are heard by their bells, names and
// subscriptions by what other sessions tell and by a look every 30 s, since other programs tell nobody.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agents/imapd/session.h"
#include "libmail/imap/server/reply.h"

namespace posthorn::imapd {

class Notifier {
 public:
  // Mailboxes that one session may listen to besides the selected one.
  static constexpr std::size_t most_watched = 500;
  static constexpr auto look_at_names = std::chrono::seconds(30);

  enum class Own { none, delayed, at_once };  // the selected mailbox

  // Events that a group of mailboxes is about.
  struct Wants {
    bool messages = false;  // MessageNew and MessageExpunge
    bool flags = false;
    bool names = false;
    bool subscriptions = false;
    bool metadata = false;
    void add(const Wants& other);
    [[nodiscard]] bool any() const { return messages || names || subscriptions || metadata; }
  };

  Notifier(Session& session, imap::Notify command);
  ~Notifier();

  // Why the command can't be; nothing: it can.
  [[nodiscard]] static std::optional<imap::Reply> refuse(const imap::Notify& command);
  // Finds the mailboxes, and says STATUS of each if that was asked for. False: too many.
  async::Task<bool> begin();
  // Says what happened since, in other mailboxes and to names. False: it can't go on, and the client has been told so.
  async::Task<bool> say_news();

  // This session did it itself: nothing is to be said of it.
  void own_change(const AccountEvent& event);

  [[nodiscard]] Own own() const { return own_; }
  [[nodiscard]] bool own_flags() const { return own_flags_; }
  [[nodiscard]] const std::vector<imap::FetchItem>& new_message() const { return new_message_; }
  // Something is waiting to be said, or it is time to look.
  [[nodiscard]] bool has_news() const;
  // When to look at names; never if nobody wants them.
  [[nodiscard]] async::Deadline next_look() const { return next_look_; }
  // For a mailbox without a bell.
  [[nodiscard]] bool polls() const;

 private:
  struct Watched {
    Wants wants;
    std::shared_ptr<store::OpenMailbox> mailbox;
    std::unique_ptr<store::Listening> listening;
    store::MailboxStatus told;
    bool rang = false;
  };
  struct Known {
    bool exists = false;
    bool subscribed = false;
    bool operator==(const Known&) const = default;
  };

  [[nodiscard]] Wants wants_of(const std::string& name, bool subscribed) const;
  [[nodiscard]] bool any_names() const;
  async::Task<bool> look(bool first);
  async::Task<bool> watch(std::string name, Wants wants, bool first);
  async::Task<void> say_status(std::string name, Watched& watched);
  void say_list(const store::MailboxInfo& info, const std::string& old_name);
  void say_change(const std::string& name, const store::MailboxInfo* now);
  void say_event(const AccountEvent& event);

  Session& session_;
  imap::Notify command_;
  Own own_ = Own::none;
  bool own_flags_ = false;
  bool server_metadata_ = false;
  std::vector<imap::FetchItem> new_message_;
  std::map<std::string, Watched> watched_;
  std::map<std::string, Known> known_;
  std::map<std::string, std::string> renamed_;  // new name to old, told and not yet seen in a list
  async::Deadline next_look_ = async::Deadline::never();
};

}  // namespace posthorn::imapd
