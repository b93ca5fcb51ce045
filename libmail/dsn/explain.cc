#include "libmail/dsn/explain.h"

#include <array>

namespace posthorn::dsn {

namespace {

struct Line {
  std::uint16_t subject;
  std::uint16_t detail;
  std::string_view text;
};

// By subject and detail; 4.x and 5.x mean the same thing, for now or for good.
constexpr std::array lines = {
    Line{1, 0, "The address was not accepted."},
    Line{1, 1, "There is no mailbox of that name."},
    Line{1, 2, "The domain of the address takes no mail or does not exist."},
    Line{1, 3, "The address is not written as an address must be."},
    Line{1, 6, "The mailbox has moved, and nobody said where to."},
    Line{1, 7, "Your own address was not accepted."},
    Line{1, 8, "The domain of your own address was not accepted."},
    Line{1, 10, "The domain says that it takes no mail at all."},
    Line{2, 0, "The mailbox can't take the message."},
    Line{2, 1, "The mailbox is switched off."},
    Line{2, 2, "The mailbox is full."},
    Line{2, 3, "The message is too large for this mailbox."},
    Line{3, 1, "The mail system there has no room left."},
    Line{3, 2, "The mail system there takes no messages just now."},
    Line{3, 4, "The message is too large."},
    Line{4, 1, "The mail system there does not answer."},
    Line{4, 2, "The connection to the mail system there broke."},
    Line{4, 3, "The addresses of the mail system there could not be looked up."},
    Line{4, 4, "No way to that domain could be found."},
    Line{4, 6, "The message went round in a circle."},
    Line{4, 7, "It could not be delivered for too long."},
    Line{5, 3, "The message has too many recipients."},
    Line{6, 0, "The content of the message was not accepted."},
    Line{6, 7, "The mail system there does not take addresses with letters like these."},
    Line{7, 0, "It was refused by a rule of the mail system there."},
    Line{7, 1, "It was refused by a rule of the mail system there."},
    Line{7, 2, "You may not write to this list."},
    Line{7, 10, "A safe connection to the mail system there could not be made."},
};

}  // namespace

std::string_view explain(const smtp::EnhancedStatus& status) {
  if (status.status_class != 4 && status.status_class != 5) return {};
  for (const Line& line : lines) {
    if (line.subject == status.subject && line.detail == status.detail) return line.text;
  }
  return {};
}

}  // namespace posthorn::dsn
