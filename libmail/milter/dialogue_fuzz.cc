// A hostile filter: its octets in two cuts against a whole session, and what it wants changed against a message. The
// header must stay one, and no reply may bring a line of its own.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "libmail/message/header.h"
#include "libmail/milter/change.h"
#include "libmail/milter/dialogue.h"

using namespace posthorn;
using namespace posthorn::milter;

namespace {

const std::vector<std::string> path{"<ann@a.test>"};
const Macros macros{{"i", "4XQ7k2"}};

void must(bool condition) {
  if (!condition) std::abort();
}

// False once there is nothing left to say to it.
bool listen(Dialogue& dialogue, std::string_view& octets, std::size_t cut) {
  while (dialogue.waiting() && !octets.empty()) {
    dialogue.feed(octets.substr(0, cut));
    octets.remove_prefix(std::min(cut, octets.size()));
  }
  for (const char c : dialogue.verdict().reply.text) {
    must(c == '\n' || (static_cast<unsigned char>(c) >= 32 && c != 127));
  }
  return dialogue.problem().empty() && !dialogue.waiting();
}

void change(Dialogue& dialogue) {
  HeaderEdit header("Received: us\r\nSubject: one\r\nTo: two\r\n\r\n");
  smtp::Envelope envelope;
  envelope.recipients.emplace_back(smtp::Mailbox("bob", "b.test"));
  for (const Change& each : dialogue.take_changes()) (void)apply(each, false, header, envelope);
  const std::string text = header.text();
  const auto parsed = message::Header::parse(text);
  must(!parsed.fault() && parsed.fields().size() == header.fields().size());
  must(parsed.body() == text.size());
  for (const smtp::Recipient& each : envelope.recipients) must(!each.mailbox.local_part.empty());
}

void run(std::string_view octets, std::uint32_t version, std::size_t cut) {
  Dialogue dialogue(version, Limits());
  dialogue.negotiate();
  if (!listen(dialogue, octets, cut)) return;
  dialogue.connect("a.test", ClientAddress(), macros);
  if (!listen(dialogue, octets, cut)) return;
  dialogue.hello("a.test", macros);
  if (!listen(dialogue, octets, cut)) return;
  for (int message = 0; message < 2; ++message) {
    dialogue.mail(path, macros);
    if (!listen(dialogue, octets, cut)) return;
    dialogue.rcpt(path, macros);
    if (!listen(dialogue, octets, cut)) return;
    dialogue.data(macros);
    if (!listen(dialogue, octets, cut)) return;
    dialogue.field("Subject", " one");
    if (!listen(dialogue, octets, cut)) return;
    dialogue.end_of_header(macros);
    if (!listen(dialogue, octets, cut)) return;
    if (dialogue.wants_body()) dialogue.body("x\r\n");
    if (!listen(dialogue, octets, cut)) return;
    dialogue.end_of_message(macros);
    if (!listen(dialogue, octets, cut)) return;
    change(dialogue);
  }
  dialogue.quit();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  run(octets, newest_version, 7);
  run(octets, oldest_version, 4096);
  return 0;
}
