// What a program reads on its standard input: the message with pipe(8)'s fields on top and its lines changed as the flags
// ask. Sans I/O.
#pragma once

#include <string>
#include <string_view>

#include "agents/deliverd/pipe_command.h"

namespace posthorn::deliverd {

// From line, Return-Path, X-Original-To, Delivered-To, as far as the flags ask for them; LF line ends. `recipient` is null
// when the program runs once for several.
std::string pipe_head(const PipeRules& rules, const Letter& letter,
                      const smtp::Recipient* recipient);

// Changes the lines of a message with LF line ends, cut anywhere.
class PipeLines {
 public:
  explicit PipeLines(const PipeRules& rules) : rules_(rules) {}
  void append(std::string_view text, std::string& out);
  // The end: flag B's empty line.
  void finish(std::string& out);

 private:
  const PipeRules& rules_;
  std::string beginning_;  // of a line, as long as it may still become "From "
  bool at_start_ = true;
};

}  // namespace posthorn::deliverd
