// Any packet as the reply to the question it carries itself, and to a fixed one: what comes out is consistent.
#include <cstdint>

#include "libdns/stub/reply.h"

using namespace posthorn::dns;

namespace {

void read(std::string_view octets, const Question& question) {
  const std::vector<Name> before = {*Name::parse("before.example")};
  const Reading reading = read_reply(octets, question, true, before, 11);
  const Answer& answer = reading.answer;
  posthorn::check(reading.usable || !answer.answered(), "an answer is usable");
  posthorn::check((answer.presence == Presence::found) == !answer.records.empty(),
                  "found means records");
  posthorn::check(!answer.answered() || answer.security == Security::secure ||
                      answer.security == Security::insecure,
                  "an answer is one that can be had");
  posthorn::check(!reading.ask_next || !answer.aliases.empty(), "only an alias leads on");
  posthorn::check(answer.aliases.size() <= 12, "chains end");
  for (const Record& record : answer.records) {
    posthorn::check(record.owner == answer.owner, "records are those of the owner");
    posthorn::check(question.type == Type::any || record.type() == question.type,
                    "and of the type");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  read(octets, Question(*Name::parse("example.org"), Type::mx));
  const auto message = MessageView::parse(octets);
  if (message && !message->questions().empty()) read(octets, message->questions()[0].question());
  return 0;
}
