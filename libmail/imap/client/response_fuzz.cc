// A hostile server: the same events at two cuts, a view that adds up, an end with a reason.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "libmail/imap/client/client.h"

using namespace posthorn::imap;
using namespace posthorn::imap::client;

namespace {

std::string play(std::string_view octets, std::size_t cut) {
  CoreOptions options;
  options.limits.line = 4096;
  options.limits.literal = 512;
  options.limits.literals = 2048;
  options.limits.items = 200;
  options.most_remembered = 1000;
  options.keep_bodies = 3;
  Core core(options);
  Select what;
  what.mailbox.name = "x";
  core.send(client::select(Manner(), what));
  Fetch fetch;
  fetch.uid = true;
  fetch.messages = SequenceSet::all();
  fetch.items = {FetchItem::body_peek()};
  core.send(client::fetch(fetch));
  core.send(client::append(Manner(), "y", AppendMessage(), 10));
  core.send(client::simple("IDLE", Answers::alone));
  std::string log;
  for (const std::string_view piece : {octets.substr(0, cut), octets.substr(cut)}) {
    core.feed(piece);
    while (auto event = core.next()) {
      if (const auto* part = std::get_if<BodyOctets>(&*event)) {
        log += part->octets;
        continue;
      }
      log += static_cast<char>('a' + event->index());
      if (const auto* closed = std::get_if<Closed>(&*event)) return log + closed->why;
      if (const auto* more = std::get_if<Continuation>(&*event))
        if (core.may_send_octets(more->id)) core.octets("0123456789");
    }
    const View& view = core.view();
    for (std::uint32_t n = 1; n <= view.count() && n < 300; ++n) {
      const std::uint32_t uid = view.uid_of(n);
      if (uid != 0 && view.number_of(uid) != n) std::abort();
    }
  }
  core.lost("lost");
  return log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view octets(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::size_t cut = octets.empty() ? 0 : data[0] % (octets.size() + 1);
  // STARTTLS isn't asked for, so nothing is thrown away and cuts make no difference.
  if (play(octets, cut) != play(octets, octets.size())) std::abort();
  return 0;
}
