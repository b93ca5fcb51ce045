// What a message submission agent checks and mends in a header (RFC 6409 6 and 8).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/base/clock.h"
#include "libmail/base/result.h"
#include "libmail/message/address_list.h"
#include "libmail/message/header.h"
#include "libmail/message/header_collector.h"

namespace posthorn::message {

struct SubmissionLimits {
  HeaderLimits header;
  AddressLimits addresses;
};

// What the check can't know by itself: used only for fields that are absent.
struct Stamp {
  std::string date;        // format_rfc5322_date()
  std::string message_id;  // make_message_id()
};

// Why a message can't be sent as it is. The reply is 554 with this enhanced status and
// reply_text().
struct Problem {
  std::string_view enhanced = "5.6.0";
  std::string field;  // name of the field as it should be; "" if the line is no field at all
  std::uint32_t line =
      0;             // of the message, the first is 1; 0: there is no such line (an absent From)
  std::string text;  // what is wrong, for people, without field and line

  // One line of printable ASCII: "Cc field in line 7: no '@' in the address".
  [[nodiscard]] std::string reply_text() const;
};

struct Fixed {
  std::string header;  // as it goes on, empty line included if there was one
  bool added_date = false;
  bool added_message_id = false;
  std::size_t removed_bcc = 0;  // fields
};

// `header_block`: everything through the empty line, or a whole message without one. Rules:
// README.md.
[[nodiscard]] Result<Fixed, Problem> check_submission(std::string_view header_block,
                                                      const Stamp& stamp,
                                                      const SubmissionLimits& limits = {});

// check_submission on a message that arrives in pieces: the header is held back until it is whole,
// the body is passed on untouched. Once there is a problem nothing comes out any more; the caller
// goes on feeding (SMTP has to read to the final dot) and answers with problem().
class SubmissionFilter {
 public:
  explicit SubmissionFilter(Stamp stamp, SubmissionLimits limits = {});

  // Appends to `out` what may go on.
  void feed(std::string_view bytes, std::string& out);
  // The message is at its end. Appends what was still held back.
  void finish(std::string& out);

  [[nodiscard]] const std::optional<Problem>& problem() const { return problem_; }
  // From now on feed() copies: a caller who wants to save the copy may pass octets on by itself.
  [[nodiscard]] bool in_body() const { return in_body_ && !problem_; }

 private:
  void check_header(std::string& out);

  Stamp stamp_;
  SubmissionLimits limits_;
  HeaderCollector header_;
  std::optional<Problem> problem_;
  bool in_body_ = false;
};

}  // namespace posthorn::message
