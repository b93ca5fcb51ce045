// The other side of `Starter`: the process that was forked, and what both say to each other. Blocking
// calls, no loop.
//
// A request is one datagram without content that carries descriptors: a memory file with the command
// as encode_command() writes it, the socket for this run, then the program's own. On the socket of a
// run the shepherd says Began, later Ended; the daemon says Signal; its end of file says that nobody
// wants to know.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/async/launch.h"

namespace posthorn::async::detail {

// One machine, one program: integers as they lie in memory.
struct Began {
  std::int32_t error = 0;  // errno, or 0
  std::int32_t pid = 0;
};
struct Ended {
  std::int32_t code = 0;
  std::int32_t signal = 0;
};
struct Signal {
  std::int32_t number = 0;
};

// Descriptors that SCM_RIGHTS carries in one message.
inline constexpr std::size_t most_descriptors = 253;

// The command as octets, and the descriptors it speaks of, in the order in which they are to be
// passed. Every text with its length before it: any octet may stand in it.
struct EncodedCommand {
  std::string octets;
  std::vector<int> descriptors;
  EncodedCommand() = default;
};
EncodedCommand encode_command(const Command& command);
// The way back; `descriptors` are the numbers they have here. Nothing if it is not whole.
std::optional<Command> decode_command(std::string_view octets, const std::vector<int>& descriptors);

// Sends one datagram with `descriptors`. False with errno set.
bool send_descriptors(int socket, const std::vector<int>& descriptors);

// The forked process, begun with all signals blocked: closes what it does not need, takes requests
// from `socket` until its end of file, and ends.
[[noreturn]] void serve_starts(Fd socket);

}  // namespace posthorn::async::detail
