// Delivery into the mailboxes of users: Maildir in batches, mbox one after the other.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agents/deliverd/delivery.h"
#include "agents/deliverd/users.h"
#include "libmail/service/log.h"
#include "libmail/store/maildir_delivery.h"

namespace posthorn::deliverd {

struct MailboxRules {
  std::string hostname;
  std::string domain;         // of <Postmaster> without one
  std::string mail_location;  // a form of make_mail_location(), for users without a mail field
  std::vector<std::string> mail_directories;      // mailboxes lie below these; empty: anywhere
  std::string recipient_delimiter;                // "" = addresses have no extensions
  bool extension_folder = false;                  // bob+lists goes into folder "lists"
  Duration lock_time = std::chrono::seconds(60);  // how long an mbox may be locked
  store::QuotaLimits quota;                       // of users without a quota_rule field
  bool quota_full_bounces = false;                // a full mailbox is 552, else 452

  MailboxRules() = default;
};

class MailboxDelivery final : public Delivery {
 public:
  // All outlive it.
  MailboxDelivery(store::Files& files, store::MaildirDelivery& maildirs, Users& users,
                  service::Log& log)
      : files_(files), maildirs_(maildirs), users_(users), log_(log) {}

  // A reload gives new ones; deliveries under way keep theirs.
  void set_rules(MailboxRules rules) {
    rules_ = std::make_shared<const MailboxRules>(std::move(rules));
  }

  async::Task<Result<Target, smtp::Reply>> find(smtp::Mailbox mailbox) override;
  async::Task<std::vector<Outcome>> deliver(const Letter& letter,
                                            const std::vector<Target>& targets) override;

  // Where `user` has the mail, as the userdb or the template says.
  static store::StoreResult<store::MailLocation> locate(const MailboxRules& rules,
                                                        const session::UserdbAnswer& user);

 private:
  using Rules = std::shared_ptr<const MailboxRules>;
  async::Task<void> deliver_one(const Letter& letter, const smtp::Recipient& recipient,
                                const Target& target, Outcome* outcome);
  async::Task<store::StoreResult<std::string>> to_maildir(const Letter& letter,
                                                          const Target& target, std::string head);
  async::Task<store::StoreResult<std::string>> store_letter(const Letter& letter,
                                                            const Target& target, std::string head,
                                                            Rules rules);

  store::Files& files_;
  store::MaildirDelivery& maildirs_;
  Users& users_;
  service::Log& log_;
  Rules rules_ = std::make_shared<const MailboxRules>();
};

// What a client is told of trouble in the store: ours, so always 4xx.
// but for a quota, which may be the user's.
smtp::Reply reply_for(const store::StoreError& error, bool quota_full_bounces = false);

}  // namespace posthorn::deliverd
