// Octets of a stranger before log-in, cut where the first octet says: the core neither crashes nor holds more than its limits.
#include <cstdint>
#include <cstdlib>

#include "libmail/imap/server/login_core.h"

using namespace posthorn::imap;

namespace {

void answer(LoginCore& core, const LoginEvent& event, const LoginSettings& settings) {
  switch (event.kind) {
    case LoginEvent::Kind::start_tls:
      core.tls_started(settings);
      break;
    case LoginEvent::Kind::login:
      core.refused(no("AUTHENTICATIONFAILED", "no"));
      break;
    case LoginEvent::Kind::sasl_start:
      core.challenge("?");
      break;
    case LoginEvent::Kind::sasl_response:
      core.refused(no("AUTHENTICATIONFAILED", "no"));
      break;
    case LoginEvent::Kind::sasl_cancel:
    case LoginEvent::Kind::close:
      break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = data[0] + std::size_t{1};
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  LoginSettings settings;
  settings.plaintext = settings.can_start_tls = true;
  settings.mechanisms = {"PLAIN"};
  LoginCore core(settings);
  std::size_t said = core.take_output().size();
  for (std::size_t at = 0; at < text.size(); at += piece) {
    core.feed(text.substr(at, piece));
    while (const auto event = core.next()) {
      if (event->kind == LoginEvent::Kind::close) return 0;
      answer(core, *event, settings);
    }
    said += core.take_output().size();
  }
  // 100 commands, each answered with a line or two.
  if (said > 200 * 1024) std::abort();
  return 0;
}
