// Lines of the auth protocol, both sides of both sockets: what parses must be written and read back
// the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "libmail/sasl/userdb.h"

using namespace posthorn::sasl::dovecot;

namespace {

template <class Parse, class Format>
void round_trip(std::string_view line, Parse parse, Format format) {
  const auto message = parse(line);
  if (!message) return;
  std::string again = format(*message);
  if (again.empty() || again.back() != '\n' || again.find('\n') != again.size() - 1) std::abort();
  again.pop_back();
  if (again.size() > max_line) return;  // escapes made it longer than a line may be
  const auto back = parse(again);
  if (!back || !(*back == *message)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  LineReader reader;
  const std::size_t cut = bytes.empty() ? 0 : data[0] % (bytes.size() + 1);
  for (const auto part : {bytes.substr(0, cut), bytes.substr(cut)}) {
    reader.feed(part);
    while (const auto line = reader.next()) {
      round_trip(*line, parse_client_line, format_client_line);
      round_trip(*line, parse_server_line, format_server_line);
      round_trip(*line, parse_userdb_request, format_userdb_request);
      round_trip(*line, parse_userdb_reply, format_userdb_reply);
    }
  }
  return 0;
}
