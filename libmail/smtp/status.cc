#include "libmail/smtp/status.h"

#include <algorithm>

namespace posthorn::smtp {

namespace {

StatusClass class_of(std::uint8_t digit) {
  switch (digit) {
    case 2:
      return StatusClass::success;
    case 5:
      return StatusClass::permanent;
    default:
      return StatusClass::transient;
  }
}

int usual_code(StatusClass status_class) {
  switch (status_class) {
    case StatusClass::success:
      return 250;
    case StatusClass::transient:
      return 451;
    case StatusClass::permanent:
      return 550;
  }
  return 451;
}

}  // namespace

Status::Status(EnhancedStatus code, std::string words, std::string host)
    : status_class(class_of(code.status_class)),
      enhanced(code),
      text(std::move(words)),
      remote_mta(std::move(host)) {}

Status to_status(const Reply& reply, std::string remote_mta) {
  EnhancedStatus enhanced = reply.status;
  const int hundreds = reply.code / 100;
  if (hundreds != 2 && hundreds != 4 && hundreds != 5) {
    enhanced = EnhancedStatus(4, 5, 0);
  } else if (enhanced.status_class != hundreds) {
    // The code of the reply is what the client acts on (RFC 5321 4.2.1); an enhanced one that
    // contradicts it is noise.
    enhanced = EnhancedStatus(static_cast<std::uint8_t>(hundreds), 0, 0);
  }
  std::string text = reply.text;
  std::replace(text.begin(), text.end(), '\n', ' ');
  return {enhanced, std::move(text), std::move(remote_mta)};
}

Reply to_reply(const Status& status, int code) {
  if (code / 100 != static_cast<int>(status.status_class)) code = usual_code(status.status_class);
  return {code, status.enhanced, status.text};
}

}  // namespace posthorn::smtp
