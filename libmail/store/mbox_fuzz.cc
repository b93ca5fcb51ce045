// Any octets as an mbox, and as messages put into one; the first octet says where the text is cut.
#include <cstdint>
#include <string>

#include "libmail/base/result.h"
#include "libmail/store/mbox_format.h"

using namespace posthorn;
using namespace posthorn::store;

namespace {

template <class Converter>
std::string convert(std::string_view text, std::size_t cut) {
  std::string out;
  Converter converter;
  converter.append(text.substr(0, cut), out);
  converter.append(text.substr(cut), out);
  converter.finish(out);
  return out;
}

MboxScanner scan(std::string_view text, std::size_t cut) {
  MboxScanner scanner;
  scanner.feed(text.substr(0, cut));
  scanner.feed(text.substr(cut));
  scanner.finish();
  return scanner;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = data[0] * text.size() / 256;

  const MboxScanner whole = scan(text, 0);
  const MboxScanner parts = scan(text, cut);
  check(whole.messages().size() == parts.messages().size(), "cuts change nothing");
  std::uint64_t at = 0;
  for (std::size_t i = 0; i < whole.messages().size(); ++i) {
    const auto& message = whole.messages()[i];
    check(message.from >= at && message.start > message.from && message.end >= message.start &&
              message.end <= text.size(),
          "messages follow each other");
    check(message.crlf_size == parts.messages()[i].crlf_size, "cuts change no size");
    at = message.end;
  }

  // A message that was put in comes out alone and as it was.
  const std::string quoted = convert<MboxQuoter>(text, cut);
  check(quoted == convert<MboxQuoter>(text, 0), "cuts change no quoting");
  const std::string file = "From a\n" + quoted + "From b\n\n";
  const MboxScanner two = scan(file, cut);
  check(two.messages().size() == 2, "quoting hides every From line");
  const auto& first = two.messages()[0];
  const std::string out = convert<MboxUnquoter>(
      std::string_view(file).substr(first.start, first.end - first.start), cut);
  check(out == text || out == std::string(text) + "\n", "reading undoes the quoting");
  return 0;
}
