#include "libmail/base/result.h"
#include "libmail/queue/batch.h"

using namespace posthorn;
using namespace posthorn::queue;

namespace {

struct Outcome {
  std::string text;
  std::size_t messages = 0;
  bool failed = false;
  bool operator==(const Outcome&) const = default;
};

Outcome read(std::string_view file, std::size_t piece) {
  Outcome outcome;
  BatchReader reader;
  while (!file.empty()) {
    std::string_view input = file.substr(0, piece);
    file.remove_prefix(input.size());
    while (true) {
      const auto event = reader.next(input);
      if (!event) {
        outcome.failed = true;
        return outcome;
      }
      if (*event == BatchReader::Event::more) break;
      if (*event == BatchReader::Event::message) ++outcome.messages;
      if (*event == BatchReader::Event::text) outcome.text += reader.text();
      if (*event == BatchReader::Event::envelope) {
        // What was read can be written and read again.
        const std::string again = format_batch(reader.envelope(), "");
        BatchReader second;
        std::string_view rest = again;
        const auto same = second.next(rest);
        check(same.has_value() && *same == BatchReader::Event::envelope, "not read back");
        check(second.envelope().recipients == reader.envelope().recipients, "recipients changed");
      }
    }
  }
  outcome.failed = !reader.finish();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view file(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = read(file, file.size() + 1);
  const Outcome split = read(file, data[0] + 1u);
  // Text before an error may come out in another cut.
  check(whole.failed == split.failed, "the cut decides about an error");
  if (!whole.failed) check(whole == split, "the cut decides about the text");
  return 0;
}
