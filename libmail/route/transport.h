// Where queued hands a recipient over (DESIGN section 3: the only thing it executes is LMTP).
#pragma once

#include <string>
#include <string_view>

#include "libmail/async/endpoint.h"
#include "libmail/service/site.h"
#include "libmail/smtp/status.h"

namespace posthorn::route {

struct Transport {
  enum class Kind {
    lmtp,     // endpoint: a delivery agent
    discard,  // taken and thrown away: delivered
    error,    // status: refused
  };
  Kind kind = Kind::lmtp;
  async::Endpoint endpoint;
  smtp::Status status;  // Kind::error: 4xx or 5xx

  Transport() = default;
  static Transport lmtp(async::Endpoint endpoint);
  static Transport discard();
  static Transport error(smtp::Status status);

  // The form it is written in: "lmtp:unix:/run/x.sock", "discard:", "error:5.1.2 no such place".
  // Equal texts are equal transports, so queued groups by it.
  [[nodiscard]] std::string text() const;
  bool operator==(const Transport&) const = default;
};

// "lmtp:unix:PATH", "lmtp:inet:HOST:PORT", "discard:", "error:TEXT", where TEXT may begin with an
// enhanced status of class 4 or 5 (else it is 5.0.0). A relative PATH lies in the site. The error
// says what is expected.
[[nodiscard]] Result<Transport, std::string> parse_transport(std::string_view text,
                                                             const service::Site& site);

}  // namespace posthorn::route
