// The dialogue of nslookup(1): commands in, text out.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agents/nslook/look_up.h"
#include "agents/nslook/zone_source.h"

namespace posthorn::nslook {

using Output = std::function<void(std::string_view)>;

// Work of the other modes as commands of the dialogue: "trace NAME", "dnssec NAME", "mail DOMAIN".
using Extra = std::function<async::Task<std::string>(const Settings& settings, std::string command,
                                                     std::string argument)>;

class Dialogue {
 public:
  // All outlive it.
  Dialogue(Asker& asker, ZoneSource& zones, Settings settings, Output output, Extra extra);

  // One line. False: the dialogue is over.
  async::Task<bool> take(std::string line);
  // 1 if the last look-up found nothing, as the exit code of a script is.
  [[nodiscard]] int exit_code() const { return exit_code_; }
  [[nodiscard]] const Settings& settings() const { return settings_; }

 private:
  using Words = std::vector<std::string>;
  async::Task<std::string> run(Words words);
  std::string set(const Words& words);
  // "server" asks the present server for the address, "lserver" the first one.
  async::Task<std::string> change_server(Words words);
  async::Task<std::string> go_to_root();
  async::Task<std::string> list(Words words);
  std::string view(const Words& words);
  async::Task<std::string> find(Words words);
  void write(const std::string& text, const std::string& file, bool append);

  Asker& asker_;
  ZoneSource& zones_;
  Settings settings_;
  std::vector<Place> first_servers_;
  Output output_;
  Extra extra_;
  int exit_code_ = 0;
};

[[nodiscard]] std::string_view help_text();

// `ls`: which records of a zone are shown, and how.
struct Listing {
  std::vector<dns::Type> types;  // empty: all
  std::string zone;
};
// The words behind "ls". The error is a sentence.
[[nodiscard]] Result<Listing, std::string> parse_listing(const std::vector<std::string>& words);
[[nodiscard]] std::string show_listing(const std::vector<dns::Record>& records);

}  // namespace posthorn::nslook
