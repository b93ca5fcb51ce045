// Every server mechanism against any client: the first octet chooses it, the rest are its messages,
// cut at "\n\n". Also the parsers of what lies on disk.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "libmail/sasl/mechanism.h"
#include "libmail/sasl/passwd_file.h"
#include "libmail/sasl/prep.h"
#include "libmail/sasl/scram.h"

using namespace posthorn::sasl;

namespace {

void exchange(std::string_view name, std::string_view messages, bool offered_plus) {
  ServerOptions options;
  options.nonce = "server-nonce-of-some-length";
  if (offered_plus) options.channel_binding = std::string(32, 'b');
  options.external_identity = "front";
  auto machine = make_server_mechanism(name, options);
  if (!machine) return;
  bool first = true;
  Step step;
  do {
    const std::size_t cut = messages.find("\n\n");
    const std::string_view message = messages.substr(0, cut);
    step = first ? machine->start(message) : machine->respond(message);
    first = false;
    if (step.kind == Step::Kind::need_keys)
      step = machine->keys(decoy_keys("secret", step.user), true);
    if (step.kind == Step::Kind::check_password) step = machine->checked(step.password == "secret");
    // Nobody knows the decoy's password, so SCRAM must not succeed.
    if (step.kind == Step::Kind::success && name.substr(0, 5) == "SCRAM") std::abort();
    messages = cut == std::string_view::npos ? std::string_view() : messages.substr(cut + 2);
  } while (step.kind == Step::Kind::challenge && !messages.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 6) {
    case 0:
      exchange("PLAIN", rest, false);
      break;
    case 1:
      exchange("LOGIN", rest, false);
      break;
    case 2:
      exchange("SCRAM-SHA-256", rest, (data[0] & 0x80) != 0);
      break;
    case 3:
      exchange("SCRAM-SHA-256-PLUS", rest, true);
      break;
    case 4:
      exchange("EXTERNAL", rest, false);
      break;
    default:
      for (const auto& entry : parse_passwd_file(rest).entries) {
        const PasswdFile again = parse_passwd_file(format_passwd_entry(entry));
        if (again.entries.size() != 1 || !(again.entries[0].user == entry.user)) std::abort();
      }
      if (const auto once = sasl_prep(rest)) {
        if (sasl_prep(*once) != once) std::abort();
      }
      (void)parse_server_first(rest);
  }
  return 0;
}
