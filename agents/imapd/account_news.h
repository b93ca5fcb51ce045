// What the sessions of one account tell each other: what a client did to names, subscriptions and annotations. Sessions that asked
// for it (NOTIFY, ENABLE METADATA) read it. On the loop's thread only.
#pragma once

#include <string>
#include <vector>

#include "libmail/base/function.h"

namespace posthorn::imapd {

struct AccountEvent {
  enum class Kind { created, deleted, renamed, subscription, metadata };
  Kind kind = Kind::metadata;
  std::string mailbox;               // metadata: "" = the server's
  std::string old_name;              // of renamed
  std::vector<std::string> entries;  // of metadata
  bool subscribed = false;           // of subscription

  AccountEvent() = default;
  AccountEvent(Kind what, std::string name) : kind(what), mailbox(std::move(name)) {}
};

class AccountNews {
 public:
  // One session's place. `news` outlives it.
  class Reader {
   public:
    // `wake` is called when there is something to take.
    Reader(AccountNews& news, Function<void()> wake);
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    std::vector<AccountEvent> take();
    // More came than was taken in time: what came behind is lost.
    [[nodiscard]] bool ran_over() const { return ran_over_; }
    [[nodiscard]] bool empty() const { return events_.empty() && !ran_over_; }

   private:
    friend class AccountNews;
    static constexpr std::size_t most = 1000;
    AccountNews& news_;
    Function<void()> wake_;
    std::vector<AccountEvent> events_;
    bool ran_over_ = false;
  };

  // To all readers but `teller` (may be nullptr).
  void tell(const AccountEvent& event, const Reader* teller);

 private:
  std::vector<Reader*> readers_;
};

}  // namespace posthorn::imapd
