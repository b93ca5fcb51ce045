// What `posthorn dns update` is told, in nsupdate's words, and the message that it makes (RFC 2136).
// Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libdns/wire/record.h"

namespace posthorn::operate {

// One message's worth.
struct UpdateRequest {
  std::optional<dns::Name> zone;  // none: it has to be found out
  std::vector<dns::Record> prerequisites;
  std::vector<dns::Record> updates;
  [[nodiscard]] bool empty() const { return prerequisites.empty() && updates.empty(); }
};

// Without a signature, id 0. `request.zone` is set.
[[nodiscard]] std::string build_update(const UpdateRequest& request);
// As the lines that would make it.
[[nodiscard]] std::string show_update(const UpdateRequest& request);

class UpdateScript {
 public:
  enum class Next {
    more,  // taken, go on
    send,  // request() is complete
    show,
    quit,
  };
  // One line: "server HOST [PORT]", "zone NAME", "ttl SECONDS", "key [ALGORITHM:]NAME SECRET",
  // "[update] add NAME [TTL] [CLASS] TYPE DATA", "[update] delete NAME [TYPE [DATA]]", "prereq yxdomain|
  // nxdomain|yxrrset|nxrrset ...", "show", "send" (or an empty line), "quit". The error is a sentence.
  [[nodiscard]] Result<Next, std::string> take(std::string_view line);
  // What was collected since the last clear().
  [[nodiscard]] const UpdateRequest& request() const { return request_; }
  void clear();
  void set_zone(dns::Name zone) { request_.zone = std::move(zone); }

  std::string server;  // as said: "HOST" or "HOST:PORT"; empty if it wasn't
  std::string key;     // "[ALGORITHM:]NAME:SECRET"

 private:
  using Words = std::vector<std::string_view>;
  [[nodiscard]] Result<void, std::string> add(std::string_view rest);
  [[nodiscard]] Result<void, std::string> remove(std::string_view rest);
  [[nodiscard]] Result<void, std::string> require(std::string_view rest);
  [[nodiscard]] Result<void, std::string> set(const Words& words);
  UpdateRequest request_;
  std::optional<std::uint32_t> ttl_;
};

// Words of a command line as lines of a script: "," parts commands, and a word with blanks in it is
// put into quotes.
[[nodiscard]] std::vector<std::string> script_of_words(const std::vector<std::string>& words);

}  // namespace posthorn::operate
