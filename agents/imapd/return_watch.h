// UNAUTHENTICATE (RFC 8437) as the front sees it: the client says it, the worker's last line is its OK, and then the worker's
// connection ends without a BYE.
#pragma once

#include <string>

#include "libmail/access/passage.h"

namespace posthorn::imapd {

class UnauthenticateWatch final : public access::ReturnWatch {
 public:
  std::optional<std::size_t> from_client(std::string_view octets) override;
  void from_worker(std::string_view octets) override;
  [[nodiscard]] bool has_returned() const override;

 private:
  // The beginning of a line that is not whole yet; only short lines mean something.
  struct Line {
    std::string text;
    bool too_long = false;
    void add(std::string_view octets);
    void clear();
  };
  Line said_;             // by the client
  std::string tag_;       // of the last UNAUTHENTICATE, and a space
  Line told_;             // by the worker
  bool told_ok_ = false;  // its last whole line was the OK of `tag_`
};

}  // namespace posthorn::imapd
