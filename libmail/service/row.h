// The inside of an option row, for the files of this room that read flags and files and print them.
#pragma once

#include "libmail/service/options.h"

namespace posthorn::service {

struct Row {
  Option& option;

  [[nodiscard]] const std::string& name() const { return option.name_; }
  [[nodiscard]] std::string key() const;   // "max_recipients"
  [[nodiscard]] std::string flag() const;  // "--max-recipients"
  [[nodiscard]] const std::string& group() const { return option.group_; }
  [[nodiscard]] const std::string& help() const { return option.help_; }
  [[nodiscard]] Option::Kind kind() const { return option.kind_; }
  [[nodiscard]] char short_name() const { return option.short_name_; }
  [[nodiscard]] bool in_file() const { return option.in_file_; }
  [[nodiscard]] bool reloads() const { return option.reloads_; }
  // Null if it has none of its own.
  [[nodiscard]] const SocketAccess* access() const { return option.access_; }
  [[nodiscard]] bool is_preset() const { return option.current_ == option.default_; }
  [[nodiscard]] bool takes_many() const {
    return option.kind_ == Option::Kind::list || option.kind_ == Option::Kind::listeners;
  }
  [[nodiscard]] const std::vector<std::string>& current() const { return option.current_; }
  [[nodiscard]] const std::vector<std::string>& preset() const { return option.default_; }

  // What is wrong with these texts as a value ("expects a number, not \"ten\""), "" if nothing is.
  [[nodiscard]] std::string problem(const std::vector<std::string>& texts) const;
  void set(const std::vector<std::string>& texts, const Site& site) const;
  // What a value looks like, for --help: "NUMBER recipients".
  [[nodiscard]] std::string placeholder() const;
  // The right side of key = value in TOML.
  [[nodiscard]] std::string toml(const std::vector<std::string>& texts) const;
};

}  // namespace posthorn::service
