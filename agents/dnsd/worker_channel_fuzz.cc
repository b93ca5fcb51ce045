// Whatever comes by the channel is a note or none, and what is one is written the same again.
#include "agents/dnsd/worker_channel.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace posthorn;
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  const auto note = dnsd::decode_note(octets);
  if (!note) return 0;
  check(dnsd::encode_note(*note) == octets, "a note is written as it was read");
  const auto packet = dnsd::decode_packet(note->text);
  if (packet) check(dnsd::encode_packet(*packet) == note->text, "so is a packet");
  return 0;
}
