#include "agents/deliverd/exit_status.h"

#include <array>

#include "libmail/base/text.h"
#include "libmail/service/exit_code.h"

namespace posthorn::deliverd {

namespace {

using smtp::EnhancedStatus;

struct Meaning {
  int code;
  EnhancedStatus status;
  std::string_view text;
};

// sysexits.h, with the status that Postfix gives to each.
constexpr std::array meanings{
    Meaning{64, {5, 3, 0}, "command line usage error"},
    Meaning{65, {5, 6, 0}, "data format error"},
    Meaning{66, {5, 3, 0}, "cannot open input"},
    Meaning{67, {5, 1, 1}, "user unknown"},
    Meaning{68, {5, 1, 2}, "host name unknown"},
    Meaning{69, {5, 3, 0}, "service unavailable"},
    Meaning{70, {5, 3, 0}, "internal software error"},
    Meaning{71, {4, 3, 0}, "system resource problem"},
    Meaning{72, {5, 3, 0}, "critical OS file missing"},
    Meaning{73, {5, 2, 0}, "can't create user output file"},
    Meaning{74, {5, 3, 0}, "input/output error"},
    Meaning{75, {4, 3, 0}, "temporary failure"},
    Meaning{76, {5, 5, 0}, "remote error in protocol"},
    Meaning{77, {5, 7, 0}, "permission denied"},
    Meaning{78, {5, 3, 5}, "local configuration error"},
};

// What the program said, as a tail for the text.
std::string said(std::string_view output) {
  const std::string_view words = trim(output);
  return words.empty() ? std::string() : ": " + printable(words, 400);
}

}  // namespace

smtp::Status status_of_exit(const std::optional<async::ExitStatus>& ended, std::string_view output,
                            std::string_view program) {
  const std::string name(program);
  if (!ended) {
    return {EnhancedStatus(5, 3, 0), "Command time limit exceeded: " + name + said(output)};
  }
  if (ended->signal != 0) {
    return {EnhancedStatus(4, 3, 0),
            "Command died by signal " + std::to_string(ended->signal) + ": " + name + said(output)};
  }
  if (ended->code == 0) return {EnhancedStatus(2, 0, 0), "Delivered to command: " + name};

  std::string_view rest = trim(output);
  const auto told = smtp::take_enhanced_status(rest);
  if (told && (told->status_class == 4 || told->status_class == 5)) {
    const std::string_view words = trim(rest);
    return {*told, words.empty() ? "Command refused the message: " + name : printable(words, 400)};
  }
  for (const Meaning& meaning : meanings) {
    if (meaning.code == ended->code) {
      return {meaning.status, std::string(meaning.text) + ", from " + name + said(output)};
    }
  }
  return {EnhancedStatus(5, 3, 0),
          "Command failed with status " + std::to_string(ended->code) + ": " + name + said(output)};
}

int exit_code_of(const smtp::Reply& reply) {
  namespace code = service::exit_code;
  if (reply.positive()) return code::ok;
  if (reply.transient()) return code::try_again;
  if (reply.status == EnhancedStatus(5, 1, 1)) return code::unknown_user;
  if (reply.status.subject == 6) return code::data;
  return code::refused;
}

}  // namespace posthorn::deliverd
