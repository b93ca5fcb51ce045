// The command line of --exec, by the rules of Postfix's pipe(8): words, macros, flags. Values only; nothing runs here.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agents/deliverd/letter.h"

namespace posthorn::deliverd {

// What a macro stands for. Names as in pipe(8): sender, size, client_address, ...
using MacroValues = std::map<std::string, std::string, std::less<>>;

struct PipeFlags {
  bool blank_line = false;      // B: an empty line behind the message
  bool delivered_to = false;    // D: Delivered-To on top, and the loop check
  bool from_line = false;       // F: "From SENDER DATE" on top
  bool original_to = false;     // O: X-Original-To on top
  bool return_path = false;     // R: Return-Path on top
  bool final_delivery = false;  // X: reports say delivered, not relayed
  bool fold_domain = false;     // h: domains in lower case
  bool fold_user = false;       // u: local-parts in lower case
  bool quote = false;           // q: local-parts quoted where RFC 5322 wants it
  bool stuff_dots = false;      // .: one more dot before lines that begin with one
  bool escape_from = false;     // >: ">" before lines that begin with "From "
  bool operator==(const PipeFlags&) const = default;
};

struct PipeRules {
  std::vector<std::string> argv;  // with macros in it
  PipeFlags flags;
  std::string null_sender = "MAILER-DAEMON";
  std::string eol = "\n";
  std::string directory;            // "" = /
  std::string recipient_delimiter;  // "" = addresses have no extensions
  Duration time_limit = std::chrono::seconds(1000);

  PipeRules() = default;
};

// Words between blanks; a word in braces may hold blanks: "procmail -a { ${extension} } -t". Each macro is checked. The
// error says what is wrong and where.
Result<std::vector<std::string>, std::string> parse_pipe_argv(std::string_view command);
Result<PipeFlags, std::string> parse_pipe_flags(std::string_view letters);
// "\r\n": backslash and a b f n r t v, three octal digits, or backslash.
Result<std::string, std::string> parse_pipe_eol(std::string_view text);

// The values of one letter, and of one of its recipients.
MacroValues message_macros(const PipeRules& rules, const Letter& letter);
MacroValues recipient_macros(const PipeRules& rules, const smtp::Recipient& recipient);

// The words to run. A word with a macro of a recipient comes once for each of `recipients`. What a stranger chose can't
// become an option: a word that begins with a macro never begins with "-".
std::vector<std::string> expand_argv(const std::vector<std::string>& argv,
                                     const MacroValues& message,
                                     const std::vector<MacroValues>& recipients);

// The environment of local(8)'s commands. What is not in its command_expansion_filter becomes "_". `base` holds PATH,
// HOME, LOGNAME, SHELL, USER, TZ, LANG; a single recipient adds RECIPIENT, LOCAL, DOMAIN, EXTENSION, ORIGINAL_RECIPIENT.
std::map<std::string, std::string> pipe_environment(std::map<std::string, std::string> base,
                                                    const MacroValues& message,
                                                    const std::vector<MacroValues>& recipients);

}  // namespace posthorn::deliverd
