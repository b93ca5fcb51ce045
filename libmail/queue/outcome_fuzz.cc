#include <algorithm>

#include "libmail/base/result.h"
#include "libmail/queue/outcome.h"

using namespace posthorn;
using namespace posthorn::queue;

// A .out file whose check sums are right: each line of the input gets one.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  const OutcomeFileContents raw = read_outcomes(octets, 5);
  check(raw.whole <= size, "beyond the end");
  std::string file;
  std::size_t at = 0;
  while (at < octets.size()) {
    const std::size_t end = std::min(octets.find('\n', at), octets.size());
    append_checked(file, 5, octets.substr(at, end - at));
    at = end + 1;
  }
  const OutcomeFileContents contents = read_outcomes(file, 5);
  for (const auto& [id, history] : contents.messages) {
    std::string block;
    append_block(block, 5, id, history.state);
    const auto again = read_block(block, 5, id);
    check(again.has_value() && again->recipients == history.state.recipients, "not read back");
  }
  return 0;
}
