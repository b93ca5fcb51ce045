// A hostile server: its octets in two cuts against a whole transaction. Every recipient must end
// with one status, and a success only if the server took the message.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "libmail/smtp/client.h"

using namespace posthorn::smtp;

namespace {

void run(std::string_view octets, ClientDialect dialect, std::size_t cut, bool xclient) {
  ClientOptions options;
  options.dialect = dialect;
  options.name = "us.example";
  options.remote_name = "mx.example";
  options.xclient = xclient;
  ClientCore core(options);
  std::size_t at = 0;
  const auto feed = [&](std::size_t count) {
    const std::string_view piece = octets.substr(at, count);
    at += piece.size();
    core.receive(piece);
    return !piece.empty();
  };
  while (core.phase() == ClientCore::Phase::opening && feed(1)) {
  }
  if (core.phase() != ClientCore::Phase::ready) return;

  Envelope envelope;
  envelope.trace_id = "4XQ7k2";
  core.mail(envelope);
  for (const char* name : {"ann", "bob", "eve"})
    core.rcpt(Recipient(Mailbox(name, "there.example")));
  core.begin_body();
  if (core.body_open()) core.body("a\r\n.\r\n", LastPiece::no);
  while (!core.finished()) {
    if (core.body_open()) core.body("b\nc\r\n", LastPiece::yes);
    if (!feed(cut)) break;
  }
  if (!core.finished()) core.lost("lost connection");
  if (!core.finished() || core.results().size() != 3) std::abort();
  for (const Status& status : core.results())
    for (const char c : status.text)
      if (static_cast<unsigned char>(c) < 32 || c == 127) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  run(octets, ClientDialect::smtp, 7, false);
  run(octets, ClientDialect::lmtp, 4096, false);
  run(octets, ClientDialect::smtp, 11, true);
  return 0;
}
