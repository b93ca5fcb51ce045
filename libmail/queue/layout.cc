#include "libmail/queue/layout.h"

#include "libmail/base/text.h"

namespace posthorn::queue {

std::string generation_name(std::uint64_t generation) {
  std::string name(16, '0');
  for (std::size_t i = 16; i-- > 0; generation >>= 4) name[i] = "0123456789abcdef"[generation & 15];
  return name;
}

std::optional<std::uint64_t> parse_generation_name(std::string_view name) {
  if (name.size() != 16) return std::nullopt;
  const std::optional<std::uint64_t> generation = parse_number<std::uint64_t>(name, 16);
  // Upper case would give one generation two names.
  if (!generation || generation_name(*generation) != name) return std::nullopt;
  return generation;
}

std::string Layout::segment(std::uint64_t generation) const {
  return segments() + '/' + generation_name(generation);
}
std::string Layout::outcomes(std::uint64_t generation) const {
  return segment(generation) + ".out";
}
std::string Layout::free_segment(std::uint64_t generation) const {
  return free() + '/' + generation_name(generation);
}
std::string Layout::unfinished_segment(std::uint64_t generation) const {
  return free() + "/." + generation_name(generation);
}
std::string Layout::spooled(const MessageId& id) const {
  return (spool() + '/').append(id.text());
}

}  // namespace posthorn::queue
