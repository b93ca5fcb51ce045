// Reports of action `relayed` (RFC 3461 5.2.2): the sender asked to be told of success, and the host that took the
// message knows nothing of DSN, so it is our last chance to say anything.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libmail/async/task.h"
#include "libmail/queue/id.h"
#include "libmail/queue/layout.h"
#include "libmail/service/log.h"
#include "libmail/smtp/envelope.h"
#include "libmail/smtp/status.h"

namespace posthorn::relayd {

struct RelayedRecipient {
  smtp::Recipient recipient;
  smtp::Status status;  // the remote host's 2xx

  RelayedRecipient(smtp::Recipient to, smtp::Status said)
      : recipient(std::move(to)), status(std::move(said)) {}
};

// True if `relayed` is due for this recipient when a host without DSN has taken it.
[[nodiscard]] bool wants_relayed(const smtp::Recipient& recipient, const smtp::ReversePath& sender);

class RelayedReports {
 public:
  explicit RelayedReports(service::Log& log) : log_(log) {}
  // `queue`: its drop directory takes the reports; "" = there are none. `hostname`: whose reports they are.
  void configure(const std::string& queue, std::string hostname);
  [[nodiscard]] bool enabled() const { return queue_.has_value(); }

  // One report for all, durable in the drop directory when it returns. `header`: the message's. Trouble is logged and
  // changes nothing: the message itself has been taken, and to say otherwise would send it again.
  async::Task<void> drop(const smtp::Envelope& envelope, std::vector<RelayedRecipient> recipients,
                         std::string header);

 private:
  service::Log& log_;
  queue::IdSource ids_;
  std::optional<queue::Layout> queue_;
  std::string hostname_;
};

}  // namespace posthorn::relayd
