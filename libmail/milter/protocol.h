// The words of the milter protocol, versions 2 to 6: single letters and bits, as libmilter's peers have them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace posthorn::milter {

// From us to the filter.
enum class Command : char {
  negotiate = 'O',
  macros = 'D',  // for the command behind it
  connect = 'C',
  hello = 'H',
  mail = 'M',
  rcpt = 'R',
  data = 'T',  // since version 4
  field = 'L',
  end_of_header = 'N',
  body = 'B',
  end_of_message = 'E',
  abort = 'A',
  quit = 'Q'
};

// What a filter may do at the end of a message.
namespace action {
inline constexpr std::uint32_t add_fields = 0x1;
inline constexpr std::uint32_t change_body = 0x2;
inline constexpr std::uint32_t add_recipients = 0x4;
inline constexpr std::uint32_t delete_recipients = 0x8;
inline constexpr std::uint32_t change_fields = 0x10;
inline constexpr std::uint32_t quarantine = 0x20;
inline constexpr std::uint32_t change_sender = 0x40;  // since version 6, as all below
inline constexpr std::uint32_t add_recipients_with_parameters = 0x80;
inline constexpr std::uint32_t choose_macros = 0x100;
inline constexpr std::uint32_t version_2 = 0x3f;
inline constexpr std::uint32_t version_6 = 0x1ff;
}  // namespace action

// Which steps a filter does without (no_*), and which it does not answer (silent_*).
namespace step {
inline constexpr std::uint32_t no_connect = 0x1;
inline constexpr std::uint32_t no_hello = 0x2;
inline constexpr std::uint32_t no_mail = 0x4;
inline constexpr std::uint32_t no_rcpt = 0x8;
inline constexpr std::uint32_t no_body = 0x10;
inline constexpr std::uint32_t no_fields = 0x20;
inline constexpr std::uint32_t no_end_of_header = 0x40;
inline constexpr std::uint32_t silent_fields = 0x80;
inline constexpr std::uint32_t no_unknown = 0x100;  // a command that is none; we send it to nobody
inline constexpr std::uint32_t no_data = 0x200;
inline constexpr std::uint32_t skip = 0x400;  // the filter may answer `skip`
inline constexpr std::uint32_t silent_connect = 0x1000;
inline constexpr std::uint32_t silent_hello = 0x2000;
inline constexpr std::uint32_t silent_mail = 0x4000;
inline constexpr std::uint32_t silent_rcpt = 0x8000;
inline constexpr std::uint32_t silent_data = 0x10000;
inline constexpr std::uint32_t silent_unknown = 0x20000;
inline constexpr std::uint32_t silent_end_of_header = 0x40000;
inline constexpr std::uint32_t silent_body = 0x80000;
// Values of header fields come and go with the blank behind the colon.
inline constexpr std::uint32_t leading_space = 0x100000;
inline constexpr std::uint32_t version_2 = 0x7f;
inline constexpr std::uint32_t version_3 = version_2 | silent_fields | no_unknown;
inline constexpr std::uint32_t version_4 = version_3 | no_data;
inline constexpr std::uint32_t version_6 =
    version_4 | skip | silent_connect | silent_hello | silent_mail | silent_rcpt | silent_data |
    silent_unknown | silent_end_of_header | silent_body | leading_space;
}  // namespace step

inline constexpr std::uint32_t oldest_version = 2;
inline constexpr std::uint32_t newest_version = 6;
// What a version knows; what is offered when it is the newest that we are to speak.
[[nodiscard]] constexpr std::uint32_t actions_of(std::uint32_t version) {
  return version < newest_version ? action::version_2 : action::version_6;
}
[[nodiscard]] constexpr std::uint32_t steps_of(std::uint32_t version) {
  if (version < 3) return step::version_2;
  if (version < 4) return step::version_3;
  return version < newest_version ? step::version_4 : step::version_6;
}

inline constexpr std::size_t body_chunk = 65535;  // octets of the body in one packet, either way

struct Limits {
  std::size_t packet = 1 << 20;  // octets of a packet from a filter, its letter included
  std::size_t changes = 10000;   // of one message by one filter, pieces of a body not counted
  std::size_t change_octets = 4 << 20;  // of these
  std::uint64_t body = 64ULL << 20;     // octets of a new body

  Limits() = default;
};

}  // namespace posthorn::milter
