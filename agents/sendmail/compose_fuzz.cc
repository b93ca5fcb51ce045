// Standard input of a stranger's script: whatever comes, what is sent is CRLF lines with one header, and Bcc is gone.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agents/sendmail/compose.h"
#include "agents/sendmail/input.h"
#include "libmail/message/header.h"
#include "libmail/smtp/dot.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace posthorn;
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = size / 3;
  sendmail::InputReader reader(false);
  reader.feed(octets.substr(0, cut));
  reader.feed(octets.substr(cut));
  reader.finish();

  sendmail::Arguments arguments;
  arguments.recipients_from_header = true;
  arguments.recipients = {"root"};
  sendmail::Caller caller;
  caller.login = "ann";
  caller.domain = "us.example";
  caller.hostname = "mail.us.example";
  const auto letter = sendmail::compose(reader.take(), arguments, caller);
  if (!letter) {
    if (letter.error().text.empty()) std::abort();
    return 0;
  }
  smtp::LineChecker lines(size + 1000);
  lines.feed(letter->message);
  lines.finish();
  if (lines.fault() != smtp::BodyFault::none) std::abort();
  const message::Header header = message::Header::parse(letter->message);
  if (header.fault() || header.count("From") != 1 || header.count("Bcc") != 0) std::abort();
  if (letter->envelope.recipients.empty()) std::abort();
  return 0;
}
