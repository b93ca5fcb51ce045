#include "libmail/service/options.h"

#include <unistd.h>

#include <algorithm>
#include <climits>

#include "libmail/service/row.h"

namespace posthorn::service {

namespace {

std::string machine_name() {
  char name[HOST_NAME_MAX + 1] = {};
  if (::gethostname(name, HOST_NAME_MAX) != 0 || name[0] == 0) return "localhost";
  return name;
}

std::string in_quotes(std::string_view text) {
  return "\"" + printable(text, 100) + "\"";
}

// "unix:run/x.sock" -> "unix:/site/run/x.sock"; everything else as it is.
std::string resolve_endpoint(const std::string& text, const Site& site) {
  constexpr std::string_view unix_prefix = "unix:";
  if (!text.starts_with(unix_prefix)) return text;
  return std::string(unix_prefix) + site.path(std::string_view(text).substr(unix_prefix.size()));
}

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 32 || c == 127) {
      out += "\\u00" + hex(std::string_view(&c, 1));
      continue;
    }
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "\"";
}

bool parse_bool(std::string_view text, bool& into) {
  if (text != "true" && text != "false") return false;
  into = text == "true";
  return true;
}

std::string number_problem(std::optional<std::uint64_t> number, std::string_view text,
                           std::string_view expected, std::uint64_t least, std::uint64_t greatest) {
  if (!number) return "expects " + std::string(expected) + ", not " + in_quotes(text);
  if (*number < least) return "is " + std::string(text) + ", the least is " + std::to_string(least);
  if (*number > greatest)
    return "is " + std::string(text) + ", the greatest is " + std::to_string(greatest);
  return {};
}

std::string endpoint_problem(std::string_view text, bool listens) {
  const auto endpoint = async::parse_endpoint(text);
  if (!endpoint) return endpoint.error();
  if (listens || endpoint->is_connectable()) return {};
  return in_quotes(text) + " can't be connected to: use inet:HOST:PORT or unix:PATH";
}

}  // namespace

std::string format_size(std::uint64_t octets) {
  constexpr std::string_view units = "\0kMG";
  std::size_t unit = 0;
  while (octets != 0 && octets % 1024 == 0 && unit < 3) octets /= 1024, ++unit;
  std::string text = std::to_string(octets);
  if (unit > 0) text.push_back(units[unit]);
  return text;
}

std::string Row::key() const {
  std::string key = option.name_;
  std::ranges::replace(key, '-', '_');
  return key;
}

std::string Row::flag() const {
  return "--" + option.name_;
}

std::string Row::problem(const std::vector<std::string>& texts) const {
  if (!takes_many() && texts.size() != 1)
    return "expects one value, not " + std::to_string(texts.size());
  for (const std::string& text : texts) {
    std::string found;
    switch (option.kind_) {
      case Option::Kind::text:
      case Option::Kind::list:
      case Option::Kind::path:
        if (text.find('\0') != std::string::npos) found = "holds a zero octet";
        break;
      case Option::Kind::number:
        found = number_problem(parse_number<std::uint64_t>(text), text, "a number", option.least_,
                               option.greatest_);
        break;
      case Option::Kind::size:
        found = number_problem(parse_size(text), text, "a size such as 4096, 250k or 16M",
                               option.least_, option.greatest_);
        break;
      case Option::Kind::duration:
        if (Duration ignored; !parse_duration(text, ignored)) {
          found = "expects a time such as 90s, 5m, 4h or 5d, not " + in_quotes(text);
        }
        break;
      case Option::Kind::flag:
        if (bool ignored = false; !parse_bool(text, ignored))
          found = "expects true or false, not " + in_quotes(text);
        break;
      case Option::Kind::endpoint:
        if (!text.empty()) found = endpoint_problem(text, false);
        break;
      case Option::Kind::listeners:
        found = endpoint_problem(text, true);
        break;
    }
    const auto& choices = option.choices_;
    if (found.empty() && !choices.empty() && std::ranges::find(choices, text) == choices.end()) {
      found = "expects one of";
      for (const std::string& choice : choices) found += " " + choice;
      found += ", not " + in_quotes(text);
    }
    if (found.empty() && option.check_) found = option.check_(text);
    if (!found.empty()) return found;
  }
  return {};
}

void Row::set(const std::vector<std::string>& texts, const Site& site) const {
  option.current_ = texts;
  option.set_(texts, site);
}

std::string Row::placeholder() const {
  switch (option.kind_) {
    case Option::Kind::number:
      return option.unit_.empty() ? "NUMBER" : upper(option.unit_);
    case Option::Kind::size:
      return "SIZE";
    case Option::Kind::duration:
      return "TIME";
    case Option::Kind::path:
      return "PATH";
    case Option::Kind::endpoint:
    case Option::Kind::listeners:
      return "ENDPOINT";
    case Option::Kind::flag:
      return "";
    case Option::Kind::text:
    case Option::Kind::list:
      break;
  }
  if (option.choices_.empty()) return option.unit_.empty() ? "TEXT" : upper(option.unit_);
  std::string all;
  for (const std::string& choice : option.choices_) all += (all.empty() ? "" : "|") + choice;
  return all;
}

std::string Row::toml(const std::vector<std::string>& texts) const {
  if (takes_many()) {
    std::string out = "[";
    for (const std::string& text : texts) out += (out.size() > 1 ? ", " : "") + toml_string(text);
    return out + "]";
  }
  const std::string& text = texts.front();
  const bool bare = option.kind_ == Option::Kind::number || option.kind_ == Option::Kind::flag;
  return bare ? text : toml_string(text);
}

Option& OptionTable::add_row(std::string_view name, std::string_view help, Option::Kind kind,
                             std::vector<std::string> preset) {
  for (const auto& row : rows_) check(row->name_ != name, "an option is declared twice");
  Option& option = *rows_.emplace_back(std::make_unique<Option>());
  option.name_ = name;
  option.group_ = group_;
  option.help_ = help;
  option.kind_ = kind;
  option.default_ = std::move(preset);
  option.current_ = option.default_;
  return option;
}

Option& OptionTable::add_number(std::string_view name, std::uint64_t preset,
                                std::function<void(std::uint64_t)> set, std::string_view help) {
  Option& option = add_row(name, help, Option::Kind::number, {std::to_string(preset)});
  // parse_size reads plain digits too, so one conversion serves both kinds.
  option.set_ = [set = std::move(set)](const auto& texts, const Site&) {
    set(*parse_size(texts.front()));
  };
  return option;
}

Option& OptionTable::add(std::string_view name, std::string& value, std::string_view help) {
  Option& option = add_row(name, help, Option::Kind::text, {value});
  option.set_ = [&value](const auto& texts, const Site&) { value = texts.front(); };
  return option;
}

Option& OptionTable::add(std::string_view name, bool& value, std::string_view help) {
  Option& option = add_row(name, help, Option::Kind::flag, {value ? "true" : "false"});
  option.set_ = [&value](const auto& texts, const Site&) { value = texts.front() == "true"; };
  return option;
}

Option& OptionTable::add(std::string_view name, std::vector<std::string>& values,
                         std::string_view help) {
  Option& option = add_row(name, help, Option::Kind::list, values);
  option.set_ = [&values](const auto& texts, const Site&) { values = texts; };
  return option;
}

Option& OptionTable::add(std::string_view name, Duration& value, std::string_view help) {
  Option& option = add_row(name, help, Option::Kind::duration, {format_duration(value)});
  option.set_ = [&value](const auto& texts, const Site&) {
    check(parse_duration(texts.front(), value), "a duration was checked before");
  };
  return option;
}

Option& OptionTable::add_hostname(std::string& value, std::string_view help) {
  Option& option = add_row("hostname", help, Option::Kind::text, {""});
  option.set_ = [&value](const auto& texts, const Site&) {
    value = texts.front().empty() ? machine_name() : texts.front();
  };
  return option;
}

Option& OptionTable::add_path(std::string_view name, std::string& value, std::string_view help) {
  Option& option = add_row(name, help, Option::Kind::path, {value});
  option.set_ = [&value](const auto& texts, const Site& site) {
    value = texts.front().empty() ? std::string() : site.path(texts.front());
  };
  return option;
}

Option& OptionTable::add_endpoint(std::string_view name, std::string& value,
                                  std::string_view help) {
  Option& option = add_row(name, help, Option::Kind::endpoint, {value});
  option.set_ = [&value](const auto& texts, const Site& site) {
    value = resolve_endpoint(texts.front(), site);
  };
  return option.at_start();
}

Option& OptionTable::add_listeners(std::string_view name, std::vector<std::string>& values,
                                   std::string_view help, SocketAccess* access) {
  Option& option = add_row(name, help, Option::Kind::listeners, values);
  option.access_ = access;
  option.set_ = [&values](const auto& texts, const Site& site) {
    values.clear();
    for (const std::string& text : texts) values.push_back(resolve_endpoint(text, site));
  };
  if (access != nullptr) {
    const std::string prefix(name);
    add(prefix + "-mode", access->mode, "permission bits of its Unix sockets, octal")
        .at_start()
        .check_with([](const std::string& text) {
          const auto mode = parse_number<unsigned>(text, 8);
          return std::string(mode && *mode <= 0777 ? ""
                                                   : "expects octal permission bits such as 0660");
        });
    add(prefix + "-owner", access->owner, "user its Unix sockets belong to; empty: who starts us")
        .at_start();
    add(prefix + "-group", access->group, "group its Unix sockets belong to; empty: who starts us")
        .at_start();
  }
  return option.at_start();
}

namespace {

// A typing error here would make a site refuse its own mail. A-labels, or U-labels in UTF-8.
std::string domain_problem(const std::string& text) {
  bool bad = text.empty() || text.front() == '.' || text.back() == '.' || text.size() > 255 ||
             text.find("..") != std::string::npos;
  for (const char octet : text) {
    const bool in_name = is_alnum(octet) || octet == '-' || octet == '.' || octet == '_' ||
                         static_cast<unsigned char>(octet) >= 0x80;
    if (!in_name) bad = true;
  }
  return bad ? "expects a domain such as example.org, not " + in_quotes(text) : std::string();
}

}  // namespace

HostOptions::HostOptions() : hostname(machine_name()) {}

void HostOptions::describe(OptionTable& table) {
  table.add_hostname(hostname, "our name in greetings and trace lines; empty: the machine's name");
  table.add("domains", domains, "the domains that this site takes mail for")
      .unit("domain")
      .check_with(domain_problem);
}

void TlsOptions::describe(OptionTable& table) {
  table.add_path("tls-cert", tls_cert, "PEM file with our certificate and its chain");
  table.add_path("tls-key", tls_key, "PEM file with the private key of that certificate");
}

bool TlsOptions::has_certificate() const {
  return ::access(tls_cert.c_str(), F_OK) == 0;
}

async::Endpoint endpoint_of(const Site& site, const std::string& text) {
  return endpoint_of(site, async::parse_endpoint(text).value_or(async::Endpoint()));
}

async::Endpoint endpoint_of(const Site& site, async::Endpoint endpoint) {
  if (endpoint.kind == async::Endpoint::Kind::unix_socket) endpoint.path = site.path(endpoint.path);
  return endpoint;
}

bool is_inet(const std::string& text) {
  const auto endpoint = async::parse_endpoint(text);
  return endpoint && endpoint->kind == async::Endpoint::Kind::inet;
}

}  // namespace posthorn::service
