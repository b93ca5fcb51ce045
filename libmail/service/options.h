// One table of options per agent: flags, configuration file, defaults, --help, --print-config and
// the reload all come from it.
//
//   void Options::describe(service::OptionTable& table) {
//     table.group("Limits");
//     table.add("max-recipients", max_recipients, "recipients of one message, more get
//     452").unit("recipients"); table.add("idle-time", idle_time, "a client that is silent this
//     long is sent away"); table.add_path("aliases", aliases, "alias table");           //
//     "conf/aliases", relative to the site
//   }
//
// The name on the command line is --max-recipients, the key in DIR/conf/NAME.toml max_recipients. A
// flag beats NAME.toml, which beats posthorn.toml (only for site_keys()), which beats the value
// that the variable had when it was declared.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/async/endpoint.h"
#include "libmail/base/clock.h"
#include "libmail/base/result.h"
#include "libmail/base/text.h"
#include "libmail/service/site.h"

namespace posthorn::service {

// "16M" for 16777216: the shortest text that parse_size reads back.
[[nodiscard]] std::string format_size(std::uint64_t octets);

struct SocketAccess;

// One row. The setters chain: table.add(...).unit("seconds").at_start();
class Option {
 public:
  enum class Kind { text, list, number, size, duration, flag, path, endpoint, listeners };

  // What the number counts, for --help.
  Option& unit(std::string_view name) { return unit_ = name, *this; }
  // A change by SIGHUP is not taken but answered with the log line `needs-restart`. Listeners,
  // endpoints of our own, users and directories are so without being told.
  Option& at_start() { return reloads_ = false, *this; }
  // Only on the command line, never in a file ("--stdin").
  Option& flag_only() { return in_file_ = false, *this; }
  // A short form: 'f' gives -f.
  Option& short_name(char letter) { return short_name_ = letter, *this; }
  // The values a text may have.
  Option& one_of(std::vector<std::string> values) { return choices_ = std::move(values), *this; }
  // The least and the greatest value of a number, inclusive.
  Option& between(std::uint64_t least, std::uint64_t greatest) {
    return least_ = least, greatest_ = greatest, *this;
  }
  // Anything else: gives what is wrong with a value, "" if nothing is.
  Option& check_with(std::function<std::string(const std::string&)> check) {
    return check_ = std::move(check), *this;
  }

 private:
  friend class OptionTable;
  friend struct Row;
  std::string name_;   // "max-recipients"
  std::string group_;  // heading in --help and --print-config
  std::string help_;   // one sentence
  std::string unit_;
  Kind kind_ = Kind::text;
  char short_name_ = 0;
  bool reloads_ = true;
  bool in_file_ = true;
  std::vector<std::string> choices_;
  std::uint64_t least_ = 0;
  std::uint64_t greatest_ = UINT64_MAX;
  std::function<std::string(const std::string&)> check_;
  std::function<void(const std::vector<std::string>&, const Site&)>
      set_;  // of texts without a fault
  std::vector<std::string> default_;
  std::vector<std::string> current_;  // as written, relative names still relative
  SocketAccess* access_ = nullptr;    // listeners
};

// How the sockets of a listener option are: who may connect to the Unix ones, and how many UDP
// sockets stand beside each TCP one, on the same address and port. Of several the kernel gives each
// client's packets to the same one.
struct SocketAccess {
  std::string mode = "0666";
  std::string owner;  // "" = who started us, or `user` if that is root in the machine's site
  std::string group;  // "" = the owner's
  unsigned datagrams = 0;
  SocketAccess() = default;
  explicit SocketAccess(std::string octal) : mode(std::move(octal)) {}
};

class OptionTable {
 public:
  OptionTable() = default;
  OptionTable(const OptionTable&) = delete;
  OptionTable& operator=(const OptionTable&) = delete;

  // Options declared from here on stand under this heading.
  void group(std::string_view heading) { group_ = heading; }

  // `value` holds the default now, is set by parse() and by a reload, and outlives the table. Names
  // are lower-case words joined by '-'.
  Option& add(std::string_view name, std::string& value, std::string_view help);
  Option& add(std::string_view name, bool& value, std::string_view help);  // also gives --no-NAME
  Option& add(std::string_view name, std::vector<std::string>& values, std::string_view help);
  Option& add(std::string_view name, Duration& value,
              std::string_view help);  // "90s", "5m", "4h", "5d"
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  Option& add(std::string_view name, T& value, std::string_view help) {
    auto set = [&value](std::uint64_t number) { value = static_cast<T>(number); };
    return add_number(name, value, std::move(set), help).between(0, std::numeric_limits<T>::max());
  }
  // Octets: "16M", "250k", 1024.
  template <std::unsigned_integral T>
  Option& add_size(std::string_view name, T& value, std::string_view help) {
    auto set = [&value](std::uint64_t number) { value = static_cast<T>(number); };
    Option& option = add_number(name, value, std::move(set), help);
    option.kind_ = Option::Kind::size;
    option.default_ = {format_size(value)};
    return option.between(0, std::numeric_limits<T>::max());
  }
  // The option "hostname": empty in a file means the machine's name, and `value` never is empty after
  // parsing.
  Option& add_hostname(std::string& value, std::string_view help);
  // A file or directory; a relative name is one inside the site, and `value` becomes absolute. "" =
  // none.
  Option& add_path(std::string_view name, std::string& value, std::string_view help);
  // A server that we are a client of: "unix:PATH" or "inet:HOST:PORT"; a relative PATH is one
  // inside the site. Kept as text, "" = none; read it with async::parse_endpoint, which cannot fail
  // then.
  Option& add_endpoint(std::string_view name, std::string& value, std::string_view help);
  // Where we listen; a flag says --NAME none for nowhere. The name is also the one sockets are passed under (LISTEN_FDNAMES);
  // Daemon::serve() takes it. With `access` it also declares NAME-mode, NAME-owner and NAME-group.
  Option& add_listeners(std::string_view name, std::vector<std::string>& values,
                        std::string_view help, SocketAccess* access = nullptr);

  // For this room: rows in order of declaration.
  [[nodiscard]] const std::vector<std::unique_ptr<Option>>& rows() const { return rows_; }

 private:
  Option& add_row(std::string_view name, std::string_view help, Option::Kind kind,
                  std::vector<std::string> preset);
  Option& add_number(std::string_view name, std::uint64_t preset,
                     std::function<void(std::uint64_t)> set, std::string_view help);
  std::string group_;
  std::vector<std::unique_ptr<Option>> rows_;
};

// Keys several agents share: declare the ones you need with these words, so that they read alike
// everywhere.
struct HostOptions {
  std::string hostname;  // as in greetings and Received lines; default: the machine's name
  std::vector<std::string> domains;  // the domains this site takes mail for
  HostOptions();                     // the machine's name, for tests that parse nothing
  void describe(OptionTable& table);
};
struct TlsOptions {
  std::string tls_cert = "tls/cert.pem";  // PEM chain; absolute after parsing
  std::string tls_key = "tls/key.pem";
  void describe(OptionTable& table);
  [[nodiscard]] bool has_certificate() const;  // the file is there
};

// The endpoint that a client option names, a Unix socket's path inside the site. `text` was checked when it was read;
// "" gives an endpoint that can't be connected to.
[[nodiscard]] async::Endpoint endpoint_of(const Site& site, const std::string& text);
[[nodiscard]] async::Endpoint endpoint_of(const Site& site, async::Endpoint endpoint);
// Whether reaching it takes a network. False for "" and for what is no endpoint.
[[nodiscard]] bool is_inet(const std::string& text);

}  // namespace posthorn::service
