// Parse, look at everything, write it again, and parse that: a message that was accepted once must survive.
#include <cstdint>

#include "libdns/wire/builder.h"
#include "libdns/wire/presentation.h"

using namespace posthorn::dns;

namespace {

void check_text(const Record& record) {
  const auto again = parse_rdata(record.type(), to_text(record.data));
  // Records of UPDATE have no data (RFC 2136 2.4), which only octets can say.
  if (std::holds_alternative<Opaque>(record.data)) return;
  posthorn::check(again && *again == record.data, "RDATA survives its text");
  static_cast<void>(canonical_rdata(record.data));
}

bool add_section(MessageBuilder& builder, std::span<const RecordView> section,
                 bool (MessageBuilder::*add)(const Record&)) {
  for (const RecordView& record : section) {
    if (record.type == Type::opt) continue;
    check_text(record.record());
    if (!(builder.*add)(record.record())) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = MessageView::parse({reinterpret_cast<const char*>(data), size});
  if (!message) {
    static_cast<void>(message.error().text());
    return 0;
  }
  MessageBuilder builder(message->header());
  if (message->edns()) {
    EdnsSettings edns;
    for (const EdnsOption& option : message->edns()->options) {
      edns.options.emplace_back(option.code, std::string(option.octets));
    }
    if (const auto error = message->edns()->extended_error()) static_cast<void>(error->describe());
    if (!builder.edns(std::move(edns))) return 0;
  }
  for (const QuestionView& question : message->questions()) {
    const auto again = Name::parse(question.name.text());
    posthorn::check(again && again->wire() == question.name.name().wire(),
                    "a name survives its text");
    if (!builder.question(question.question())) return 0;
  }
  // Compression may undo what the sender did better: what doesn't fit any more is no fault.
  if (!add_section(builder, message->answer(), &MessageBuilder::answer)) return 0;
  if (!add_section(builder, message->authority(), &MessageBuilder::authority)) return 0;
  if (!add_section(builder, message->additional(), &MessageBuilder::additional)) return 0;
  const std::string octets = builder.finish();
  const auto again = MessageView::parse(octets);
  posthorn::check(again.has_value(), "what we write we can read");
  posthorn::check(again->answer().size() == message->answer().size(), "no record gets lost");
  for (std::size_t i = 0; i < message->answer().size(); ++i) {
    posthorn::check(again->answer()[i].record() == message->answer()[i].record(),
                    "records survive");
  }
  return 0;
}
