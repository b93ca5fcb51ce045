#include "libdns/wire/svcb.h"

#include <fmt/format.h>

#include <algorithm>

#include "libdns/wire/address.h"
#include "libdns/wire/encoding.h"
#include "libdns/wire/presentation.h"
#include "libmail/base/base64.h"
#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

struct KeyName {
  SvcKey key;
  std::string_view name;
};
constexpr KeyName key_names[] = {{SvcKey::mandatory, "mandatory"},
                                 {SvcKey::alpn, "alpn"},
                                 {SvcKey::no_default_alpn, "no-default-alpn"},
                                 {SvcKey::port, "port"},
                                 {SvcKey::ipv4hint, "ipv4hint"},
                                 {SvcKey::ech, "ech"},
                                 {SvcKey::ipv6hint, "ipv6hint"},
                                 {SvcKey::dohpath, "dohpath"},
                                 {SvcKey::ohttp, "ohttp"}};

constexpr std::uint16_t no_key = 65535;  // "Invalid key", RFC 9460 14.3.2

std::uint16_t word_at(std::string_view octets, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(octets[at]) << 8 |
                                    static_cast<unsigned char>(octets[at + 1]));
}

void append_word(std::string& octets, std::uint16_t word) {
  octets.push_back(static_cast<char>(word >> 8));
  octets.push_back(static_cast<char>(word));
}

// Strangers choose how many there are of both, so this must not walk; `params` are in order.
bool has_key(const std::vector<SvcParam>& params, SvcKey key) {
  const auto at =
      std::lower_bound(params.begin(), params.end(), key,
                       [](const SvcParam& param, SvcKey than) { return param.key < than; });
  return at != params.end() && at->key == key;
}

// Protocol ids, each behind its length; nothing if they aren't.
std::optional<std::vector<std::string_view>> alpn_ids(std::string_view value) {
  std::vector<std::string_view> ids;
  while (!value.empty()) {
    const std::size_t length = static_cast<unsigned char>(value[0]);
    if (length == 0 || length >= value.size()) return std::nullopt;
    ids.push_back(value.substr(1, length));
    value.remove_prefix(1 + length);
  }
  if (ids.empty()) return std::nullopt;
  return ids;
}

std::string mandatory_problem(std::string_view value, const std::vector<SvcParam>& params) {
  if (value.empty() || value.size() % 2 != 0) return "mandatory needs a list of keys";
  int last = 0;
  for (std::size_t at = 0; at < value.size(); at += 2) {
    const std::uint16_t key = word_at(value, at);
    if (key == 0) return "mandatory must not name itself";
    if (key <= last) return "mandatory names a key twice or out of order";
    if (!has_key(params, static_cast<SvcKey>(key))) {
      return fmt::format("{} is mandatory but missing", to_string(static_cast<SvcKey>(key)));
    }
    last = key;
  }
  return {};
}

std::string param_problem(const SvcParam& param, const std::vector<SvcParam>& params) {
  const std::string& value = param.value;
  switch (param.key) {
    case SvcKey::mandatory:
      return mandatory_problem(value, params);
    case SvcKey::alpn:
      return alpn_ids(value) ? "" : "alpn needs a list of protocols of 1 to 255 octets each";
    case SvcKey::no_default_alpn:
    case SvcKey::ohttp:
      return value.empty() ? "" : to_string(param.key) + " takes no value";
    case SvcKey::port:
      return value.size() == 2 ? "" : "port needs a number from 0 to 65535";
    case SvcKey::ipv4hint:
      return !value.empty() && value.size() % 4 == 0 ? "" : "ipv4hint needs IPv4 addresses";
    case SvcKey::ipv6hint:
      return !value.empty() && value.size() % 16 == 0 ? "" : "ipv6hint needs IPv6 addresses";
    case SvcKey::ech:
      return value.empty() ? "ech needs a value" : "";
    default:
      return static_cast<std::uint16_t>(param.key) == no_key ? "key65535 is no key" : "";
  }
}

// A value as a word if that can say it, else in quotes.
std::string as_token(std::string_view octets) {
  const bool plain = std::all_of(octets.begin(), octets.end(), [](char c) {
    return is_graph(c) && std::string_view("\"\\;()").find(c) == std::string_view::npos;
  });
  return plain ? std::string(octets) : in_quotes(octets);
}

// RFC 9460 appendix A.1: in a list "\," and "\\" stand for comma and backslash.
std::string list_text(const std::vector<std::string_view>& items) {
  std::string text;
  for (const std::string_view item : items) {
    if (!text.empty()) text += ',';
    for (const char c : item) {
      if (c == ',' || c == '\\') text += '\\';
      text += c;
    }
  }
  return text;
}

std::optional<std::vector<std::string>> parse_list(std::string_view text) {
  std::vector<std::string> items(1);
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == ',') {
      items.emplace_back();
      continue;
    }
    if (text[at] == '\\' && ++at == text.size()) return std::nullopt;
    items.back().push_back(text[at]);
  }
  return items;
}

template <class Address>
std::string addresses_text(std::string_view value) {
  Address address;
  std::string text;
  for (std::size_t at = 0; at < value.size(); at += address.address.size()) {
    const std::string_view one = value.substr(at, address.address.size());
    std::copy(one.begin(), one.end(), address.address.begin());
    if (!text.empty()) text += ',';
    text += address.text();
  }
  return text;
}

std::string keys_text(std::string_view value) {
  std::string text;
  for (std::size_t at = 0; at < value.size(); at += 2) {
    if (!text.empty()) text += ',';
    text += to_string(static_cast<SvcKey>(word_at(value, at)));
  }
  return text;
}

// Each parses the value of its key, escapes of the token resolved already.
std::optional<std::string> parse_keys(std::string_view text) {
  std::vector<SvcKey> keys;
  for (const std::string_view one : split(text, ',')) {
    const auto key = parse_svc_key(one);
    if (!key) return std::nullopt;
    keys.push_back(*key);
  }
  std::sort(keys.begin(), keys.end());
  std::string value;
  for (const SvcKey key : keys) append_word(value, static_cast<std::uint16_t>(key));
  return value;
}

std::optional<std::string> parse_alpn(std::string_view text) {
  const auto items = parse_list(text);
  if (!items) return std::nullopt;
  std::string value;
  for (const std::string& item : *items) {
    if (item.empty() || item.size() > 255) return std::nullopt;
    value.push_back(static_cast<char>(item.size()));
    value += item;
  }
  return value;
}

template <class Address>
std::optional<std::string> parse_addresses(std::string_view text,
                                           std::optional<Address> (*parse)(std::string_view)) {
  std::string value;
  for (const std::string_view one : split(text, ',')) {
    const auto address = parse(one);
    if (!address) return std::nullopt;
    for (const std::uint8_t octet : address->address) value.push_back(static_cast<char>(octet));
  }
  return value;
}

std::optional<std::string> parse_port(std::string_view text) {
  const auto port = parse_number<std::uint16_t>(text);
  if (!port) return std::nullopt;
  std::string value;
  append_word(value, *port);
  return value;
}

std::optional<std::string> parse_value(SvcKey key, std::string text) {
  switch (key) {
    case SvcKey::mandatory:
      return parse_keys(text);
    case SvcKey::alpn:
      return parse_alpn(text);
    case SvcKey::port:
      return parse_port(text);
    case SvcKey::ipv4hint:
      return parse_addresses<A>(text, parse_a);
    case SvcKey::ipv6hint:
      return parse_addresses<Aaaa>(text, parse_aaaa);
    case SvcKey::ech:
      return decode_base64(text);
    default:
      return text;
  }
}

}  // namespace

std::string to_string(SvcKey key) {
  for (const KeyName& one : key_names) {
    if (one.key == key) return std::string(one.name);
  }
  return fmt::format("key{}", static_cast<unsigned>(key));
}

std::optional<SvcKey> parse_svc_key(std::string_view text) {
  for (const KeyName& one : key_names) {
    if (one.name == text) return one.key;
  }
  // RFC 9460 2.1: no leading zeros.
  if (!text.starts_with("key") || (text.size() > 4 && text[3] == '0')) return std::nullopt;
  const auto number = parse_number<std::uint16_t>(text.substr(3));
  if (!number) return std::nullopt;
  return static_cast<SvcKey>(*number);
}

std::string svc_params_problem(const std::vector<SvcParam>& params) {
  for (std::size_t i = 0; i < params.size(); ++i) {
    if (params[i].value.size() > 0xffff) return to_string(params[i].key) + " over 65535 octets";
    if (i != 0 && params[i].key <= params[i - 1].key) {
      return to_string(params[i].key) + " twice or out of order";
    }
  }
  for (const SvcParam& param : params) {
    std::string problem = param_problem(param, params);
    if (!problem.empty()) return problem;
  }
  return {};
}

std::string to_text(const SvcParam& param) {
  std::string value = param.value;
  switch (param.key) {
    case SvcKey::mandatory:
      value = keys_text(value);
      break;
    case SvcKey::alpn:
      value = list_text(alpn_ids(value).value_or(std::vector<std::string_view>()));
      break;
    case SvcKey::port:
      value = std::to_string(word_at(value, 0));
      break;
    case SvcKey::ipv4hint:
      value = addresses_text<A>(value);
      break;
    case SvcKey::ipv6hint:
      value = addresses_text<Aaaa>(value);
      break;
    case SvcKey::ech:
      value = encode_base64(value);
      break;
    default:
      break;
  }
  if (value.empty()) return to_string(param.key);
  return to_string(param.key) + "=" + as_token(value);
}

Result<SvcParam, std::string> parse_svc_param(std::string_view text) {
  const std::size_t equals = std::min(text.find('='), text.size());
  const auto key = parse_svc_key(text.substr(0, equals));
  if (!key) return fail(std::string("has an unknown key"));
  std::string_view raw = text.substr(std::min(equals + 1, text.size()));
  if (raw.starts_with('"')) {
    if (raw.size() < 2 || !raw.ends_with('"')) return fail(std::string("has one quote only"));
    raw = raw.substr(1, raw.size() - 2);
  }
  auto octets = unescape(raw);
  if (!octets) return fail(std::string("has a bad escape"));
  // "key1=..." says octets even if 1 has a name.
  const bool by_number = text.starts_with("key");
  auto value = by_number ? std::move(octets) : parse_value(*key, std::move(*octets));
  if (!value) return fail("has no value that " + to_string(*key) + " can take");
  return SvcParam{*key, std::move(*value)};
}

}  // namespace posthorn::dns
