// Programs that do one thing and end: `posthorn queue list`. A command is a Tool; run_tools() finds the one that is meant, reads
// its options, and turns its error into words or JSON and an exit code.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/base/result.h"
#include "libmail/service/exit_code.h"
#include "libmail/service/options.h"

namespace posthorn::service {

// Why a command could not do its work. `code` is a short word ("no-such-user"), `message` one sentence, `hint` what to do.
struct ToolError {
  int exit = exit_code::failed;
  std::string code;
  std::string message;
  std::string hint;
  ToolError() = default;
  ToolError(int e, std::string c, std::string m, std::string h = {})
      : exit(e), code(std::move(c)), message(std::move(m)), hint(std::move(h)) {}
};

struct ToolCall {
  Site site;
  std::vector<std::string> words;  // what stood behind the options
  bool json = false;  // --json: results are JSON on standard output, errors JSON on standard error
};

class Tool {
 public:
  virtual ~Tool() = default;
  Tool() = default;
  Tool(const Tool&) = delete;
  Tool& operator=(const Tool&) = delete;

  [[nodiscard]] virtual std::string_view name() const = 0;  // "queue list"
  [[nodiscard]] virtual std::string_view words()
      const = 0;  // "MESSAGE-ID...", "" if none may stand there
  [[nodiscard]] virtual std::string_view purpose() const = 0;  // one line
  virtual void describe(OptionTable&) {}
  // The exit code: 0 done, 1 nothing found or a check failed.
  virtual Result<int, ToolError> run(const ToolCall& call) = 0;
};

// `arguments` without the program's own name. Options may stand before the command's name too: posthorn --site DIR queue list.
int run_tools(std::string_view program, std::string_view purpose,
              const std::vector<std::unique_ptr<Tool>>& tools,
              const std::vector<std::string>& arguments);

// Rows under a heading, columns as wide as they need to be, two spaces apart; strangers' octets made printable.
[[nodiscard]] std::string format_columns(const std::vector<std::vector<std::string>>& rows);

}  // namespace posthorn::service
