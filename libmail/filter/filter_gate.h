// What the filters (filters.h) have said of one SMTP session so far. Each filter has a connection of its own for the
// session; one that was lost is made again at the next MAIL, and told what it has missed.
//
//   connect, hello, mail, rcpt, data    a negative reply is for the client
//   judge()                             the message as a whole; PassingMessage (passing_message.h) brings it there
//   reset()                             behind RSET, a lost client, a body that was refused
//
// A message is shown to one filter after the other when it is whole, so each sees what those before it have changed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/filter/filters.h"
#include "libmail/filter/held_message.h"
#include "libmail/milter/header_edit.h"

namespace posthorn::filter {

class FilterGate {
 public:
  // `filters` outlives it.
  explicit FilterGate(Filters& filters);
  ~FilterGate();
  FilterGate(const FilterGate&) = delete;
  FilterGate& operator=(const FilterGate&) = delete;

  // Before the greeting; a negative reply is one that may stand there: 421 or 554.
  async::Task<smtp::Reply> connect(const smtp::SessionInfo& session);
  async::Task<smtp::Reply> hello(const smtp::SessionInfo& session);
  async::Task<smtp::Reply> mail(const smtp::Envelope& envelope, const smtp::SessionInfo& session);
  async::Task<smtp::Reply> rcpt(const smtp::Envelope& envelope, const smtp::Recipient& recipient);
  async::Task<smtp::Reply> data(const smtp::Envelope& envelope);
  // There is nobody to ask: a message may go its way at once.
  [[nodiscard]] bool is_open() const { return links_.empty(); }
  async::Task<void> reset();
  // The client is told 250, and the message is thrown away.
  [[nodiscard]] bool discards() const { return discards_; }

  // A message on its way through the filters.
  struct Message {
    smtp::Envelope envelope;
    milter::HeaderEdit header;
    HeldMessage body;

    Message(smtp::Envelope e, milter::HeaderEdit h, HeldMessage b)
        : envelope(std::move(e)), header(std::move(h)), body(std::move(b)) {}
  };
  // Shows it to all, and changes it as they want. A negative reply is the client's; with a positive one look at discards().
  async::Task<smtp::Reply> judge(Message& message);
  [[nodiscard]] const FilterSet& filters() const { return *set_; }

 private:
  struct Link {
    const FilterSet::Filter* filter = nullptr;
    std::unique_ptr<session::MilterClient> client;
    bool knows_hello = false;
    bool has_served = false;  // it was asked about a message, over this connection
    std::optional<smtp::Reply>
        lost;  // it failed in this message: the answer to the rest of it, if that is negative
    bool left_out = false;  // it failed, and the message goes on without it

    [[nodiscard]] bool takes_part() const {
      return !left_out && !lost && client != nullptr && client->is_open();
    }
  };
  class NewBody;

  async::Task<bool> introduce(Link& link, const smtp::SessionInfo& session);
  async::Task<smtp::Reply> take_up(Link& link, const smtp::Envelope& envelope,
                                   const smtp::SessionInfo& session);
  async::Task<bool> ask_sender(Link& link, const smtp::Envelope& envelope,
                               const smtp::SessionInfo& session);
  async::Task<smtp::Reply> ask_envelope(Link& link, std::string_view id, const char* stage);
  async::Task<smtp::Reply> judge_by(Link& link, Message& message);
  using Done =
      Result<void, std::string>;  // the error says what is wrong with the filter, or with us
  async::Task<Done> show(Link& link, const Message& message, NewBody& body);
  async::Task<Done> show_body(Link& link, const Message& message);
  async::Task<Done> change(Link& link, Message& message, NewBody& body);
  smtp::Reply take(Link& link, std::string_view id, const char* stage);
  smtp::Reply give_up(Link& link, std::string_view id, const char* stage, std::string_view why);

  Filters& shared_;
  std::shared_ptr<const FilterSet> set_;
  std::vector<Link> links_;
  std::string hold_;  // why the message is to be held, so far
  bool discards_ = false;
};

}  // namespace posthorn::filter
