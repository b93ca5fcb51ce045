// Everything in this room that reads a stranger's header: nothing may crash, and the stream form
// must agree with the whole form.
#include <cstdlib>

#include "libmail/message/message_id.h"
#include "libmail/message/submission.h"
#include "libmail/message/trace.h"

using namespace posthorn::message;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Header header = Header::parse(text);
  for (const Field& field : header.fields()) {
    if (!is_field_name(header.name(field))) std::abort();
    const auto list = parse_address_list(header.raw_value(field));
    if (list) {
      for (const Address& address : list->mailboxes) (void)address.addr_spec();
    }
    (void)parse_message_ids(header.raw_value(field));
  }
  (void)count_received(header);
  (void)has_delivered_to(header, "ann@example.org");

  const Stamp stamp{"now", "<id@here>"};
  std::string whole;
  SubmissionFilter one(stamp);
  one.feed(text, whole);
  one.finish(whole);
  std::string pieces;
  SubmissionFilter many(stamp);
  for (std::size_t at = 0; at < size; at += 3) many.feed(text.substr(at, 3), pieces);
  many.finish(pieces);
  if (whole != pieces || one.problem().has_value() != many.problem().has_value()) std::abort();
  return 0;
}
