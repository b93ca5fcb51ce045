// One address at a time: README.md, "Which rule wins".
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "libmail/route/entries.h"
#include "libmail/route/table.h"
#include "libmail/route/transport.h"
#include "libmail/route/user_lookup.h"
#include "libmail/smtp/address.h"
#include "libmail/smtp/reply.h"
#include "libmail/smtp/status.h"

namespace posthorn::route {

// What an address is, for who has to answer RCPT.
struct Verdict {
  enum class Kind {
    user,          // ours; `user` is whom the userdb knows
    alias,         // ours; stands for other addresses (an alias, a catch-all, an owner- address)
    list,          // ours; a distribution list
    remote,        // of no domain of ours
    unknown_user,  // of a domain of ours, but nobody: 5.1.1
    refused,       // the transports table has error: for it; `status` says so
    unavailable,   // a table or the userdb gave no answer: 4.3.0
  };
  Kind kind = Kind::unavailable;
  std::string user;
  smtp::Status status;  // for the last three kinds; 2.1.5 else
  std::string why;      // unavailable: for the log, not for the client

  Verdict() = default;
  explicit Verdict(Kind what) : kind(what) {}
  // user, alias or list.
  [[nodiscard]] bool is_ours() const { return kind <= Kind::list; }
  // What to say to RCPT: 250 2.1.5; 550 5.1.1; 554 5.7.1 for remote (unless the asker relays for
  // this client); 451 4.3.0; what the transports table says.
  [[nodiscard]] smtp::Reply reply() const;
};

struct ResolverSettings {
  std::vector<std::string> domains;       // ours; any case, U-labels or A-labels
  std::string recipient_delimiter = "+";  // each of its characters is one; "" = none
  std::string postmaster;  // an address; who gets <Postmaster> where no table and no user says it
  ResolverSettings() = default;
};

// Whether a user may write a reverse-path.
struct Ownership {
  enum class Kind { owner, stranger, unavailable };
  Kind kind = Kind::unavailable;
  std::string why;  // unavailable: for the log

  Ownership() = default;
  explicit Ownership(Kind what, std::string text = {}) : kind(what), why(std::move(text)) {}
};

// Site, tables and users are not owned. May be asked by many at once.
class Resolver {
 public:
  // Null tables are empty ones.
  struct Tables {
    Table* virtuals = nullptr;
    Table* aliases = nullptr;
    Table* lists = nullptr;
    Table* transports = nullptr;
  };
  Resolver(const service::Site& site, ResolverSettings settings, Tables tables, UserLookup& users,
           Transport local, Transport remote);

  void set(ResolverSettings settings);  // a reload
  void set_defaults(Transport local, Transport remote);

  [[nodiscard]] bool is_ours(std::string_view domain) const;
  // The address as tables spell it: lower local-part (only for a domain of ours), canonical domain,
  // <Postmaster> completed with our first domain.
  [[nodiscard]] smtp::Mailbox canonical(const smtp::Mailbox& mailbox) const;

  // For RCPT. Nothing is expanded.
  async::Task<Verdict> resolve(smtp::Mailbox mailbox);

  // For VRFY and EXPN of clients that may ask; `argument` as it came: a user's name, an address, or
  // either in brackets. VRFY: 250 2.1.5 <ann@example.org>, 550 5.1.1, 252 for an address that is
  // not ours, 553 5.1.3 for what is none. EXPN: 250 with one line a member of a list or alias,
  // 550 5.1.1 if it is neither.
  async::Task<smtp::Reply> vrfy(std::string argument);
  async::Task<smtp::Reply> expn(std::string argument);

  // May `user` (a login: "ann@example.org" or "ann") write this reverse-path? Yes for the login
  // itself, any extension of it, and what aliases and catch-alls turn into one of these; lists give
  // no such right. A login without a domain owns that local-part in every domain of ours.
  async::Task<Ownership> owns(std::string user, smtp::Mailbox sender);

  // One step of expansion, for expansion.h.
  struct Step {
    Verdict verdict;
    std::string key;  // alias, list: where it was found, "virtual ann@example.org"
    std::vector<smtp::Mailbox> members;  // alias, list
    smtp::Mailbox owner;                 // list

    Step() = default;
    explicit Step(Verdict what) : verdict(std::move(what)) {}
  };
  // `users_only`: as if there were no virtual, aliases and lists.
  async::Task<Step> step(smtp::Mailbox mailbox, bool users_only);
  // Where a final recipient goes. The error is a table that gave no answer.
  async::Task<Result<Transport, TableError>> transport(smtp::Mailbox mailbox);

 private:
  // The address in parts, as keys are made of it.
  struct Name {
    std::string full;    // "ann+tag@example.org"
    std::string local;   // "ann+tag"
    std::string base;    // "ann"; equals local if there is no extension
    std::string domain;  // canonical
    Name() = default;
  };
  struct Found {
    enum class Kind { no, yes, failed };
    Kind kind = Kind::no;
    std::string key;
    std::string value;  // yes; of failed, why
    Found() = default;
  };
  [[nodiscard]] Name name_of(const smtp::Mailbox& mailbox) const;
  [[nodiscard]] std::string without_extension(std::string_view local) const;
  [[nodiscard]] static std::vector<std::string> keys_of(const Name& name, bool with_locals);
  // The first of `keys` that is there.
  async::Task<Found> look_up(Table* table, std::vector<std::string> keys);
  async::Task<Step> find_in_tables(const Name& name);
  async::Task<Step> find_user(const Name& name);
  async::Task<Step> find_implied(const Name& name);
  async::Task<Step> local_step(const Name& name, bool users_only);
  [[nodiscard]] bool is_login(const smtp::Mailbox& mailbox, std::string_view login) const;

  const service::Site& site_;
  ResolverSettings settings_;
  std::unordered_set<std::string> domains_;  // canonical
  Tables tables_;
  UserLookup& users_;
  Transport local_;
  Transport remote_;
};

}  // namespace posthorn::route
