#include "agents/mua/error.h"

#include "libmail/base/text.h"

namespace posthorn::mua {

namespace exit_code = service::exit_code;

service::ToolError tool_error(const MailError& error, const std::string& account) {
  const std::string text = account.empty() ? error.text : account + ": " + error.text;
  const std::string shown = printable(text, 2000);
  using Kind = MailError::Kind;
  switch (error.kind) {
    case Kind::not_found:
      return {exit_code::unknown_user, "not-found", shown, error.hint};
    case Kind::exists:
      return {exit_code::failed, "exists", shown, error.hint};
    case Kind::bad_data:
      return {exit_code::data, "bad-data", shown, error.hint};
    case Kind::refused:
      return {exit_code::refused, "refused", shown, error.hint};
    case Kind::unsupported:
      return {exit_code::unavailable, "unsupported", shown, error.hint};
    case Kind::try_again:
      return {exit_code::try_again, "try-again", shown, error.hint};
    case Kind::config:
      return {exit_code::config, "configuration", shown, error.hint};
    case Kind::unavailable:
      break;
  }
  return {exit_code::unavailable, "unavailable", shown, error.hint};
}

}  // namespace posthorn::mua
