// A script's lines: what was taken is a message, and shown it is a script that makes the same one.
#include "agents/posthorn/dns_update_script.h"
#include "libmail/base/result.h"
#include "libmail/base/text.h"

using namespace posthorn;
using namespace posthorn::operate;

namespace {

// The requests that the lines make, each as its message.
std::string message_of(UpdateScript& script) {
  if (!script.request().zone) script.set_zone(dns::Name());
  return build_update(script.request());
}

void take_all(UpdateScript& script, std::string_view text) {
  for (const std::string_view line : split(text, '\n')) {
    const auto next = script.take(line);
    if (!next || *next == UpdateScript::Next::quit || *next == UpdateScript::Next::send) return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  UpdateScript script;
  take_all(script, text);
  const std::string message = message_of(script);
  UpdateScript again;
  take_all(again, show_update(script.request()));
  check(message_of(again) == message, "what is shown makes the same message");
  return 0;
}
