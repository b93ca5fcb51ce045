#include "agents/nslook/spf.h"

#include <algorithm>
#include <array>

#include "libdns/wire/address.h"
#include "libmail/base/text.h"

namespace posthorn::nslook {

bool SpfTerm::needs_look_up() const {
  constexpr std::array<std::string_view, 6> all = {"include", "a",      "mx",
                                                   "ptr",     "exists", "redirect"};
  return std::ranges::find(all, name) != all.end();
}

const SpfTerm* SpfRecord::find(std::string_view name) const {
  const auto found = std::ranges::find(terms, name, &SpfTerm::name);
  return found == terms.end() ? nullptr : &*found;
}

bool is_spf(std::string_view text) {
  return istarts_with(text, "v=spf1") && (text.size() == 6 || text[6] == ' ');
}

namespace {

using Wrong = std::optional<std::string>;

// "%{" and what follows, up to "}" (RFC 7208 7.1). Moves `at` behind it.
bool take_macro(std::string_view text, std::size_t& at) {
  const auto end = text.find('}', at);
  if (end == std::string_view::npos || end < at + 3) return false;
  const std::string_view inner = text.substr(at + 2, end - at - 2);
  at = end + 1;
  if (std::string_view("sldiphcrtv").find(to_lower(inner.front())) == std::string_view::npos) {
    return false;
  }
  std::size_t i = 1;
  while (i < inner.size() && is_digit(inner[i])) ++i;
  if (i < inner.size() && to_lower(inner[i]) == 'r') ++i;
  return inner.find_first_not_of(".-+,/_=", i) == std::string_view::npos;
}

Wrong check_macros(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '%') {
      if (!is_graph(text[at])) return "a character that isn't allowed";
      ++at;
      continue;
    }
    const char next = at + 1 < text.size() ? text[at + 1] : '\0';
    if (next == '%' || next == '_' || next == '-') {
      at += 2;
    } else if (next != '{' || !take_macro(text, at)) {
      return "\"%\" doesn't begin a macro";
    }
  }
  return std::nullopt;
}

Wrong check_domain(std::string_view text) {
  if (text.empty()) return "it lacks a domain";
  if (auto wrong = check_macros(text)) return wrong;
  if (text.find('%') == std::string_view::npos && text.find('.') == std::string_view::npos) {
    return "the domain has no dot";
  }
  return std::nullopt;
}

Wrong check_prefix(std::string_view digits, unsigned most) {
  const auto number = parse_number<unsigned>(digits);
  if (!number || *number > most || (digits.size() > 1 && digits.front() == '0')) {
    return "\"/" + std::string(digits) + "\" is no prefix length";
  }
  return std::nullopt;
}

// "a:example.org/24//64": cuts the lengths off `value`.
Wrong take_dual_prefix(std::string& value) {
  const auto slash = value.find('/');
  if (slash == std::string::npos) return std::nullopt;
  std::string_view lengths = std::string_view(value).substr(slash);
  const auto six = lengths.find("//");
  Wrong wrong;
  if (six != 0)
    wrong = check_prefix(lengths.substr(1, six == std::string_view::npos ? six : six - 1), 32);
  if (!wrong && six != std::string_view::npos) wrong = check_prefix(lengths.substr(six + 2), 128);
  value.erase(slash);
  return wrong;
}

Wrong check_network(std::string_view value, bool is_v6) {
  const auto slash = value.find('/');
  const std::string_view address = value.substr(0, slash);
  const bool good =
      is_v6 ? dns::parse_aaaa(address).has_value() : dns::parse_a(address).has_value();
  if (!good) return std::string("that is no ") + (is_v6 ? "IPv6" : "IPv4") + " address";
  if (slash == std::string_view::npos) return std::nullopt;
  return check_prefix(value.substr(slash + 1), is_v6 ? 128 : 32);
}

Wrong check_mechanism(SpfTerm& term, bool has_value) {
  const std::string& name = term.name;
  if (name == "all") return has_value ? Wrong("\"all\" takes no value") : std::nullopt;
  if (name == "ip4" || name == "ip6") return check_network(term.value, name == "ip6");
  if (name == "include" || name == "exists") return check_domain(term.value);
  if (name == "a" || name == "mx") {
    if (auto wrong = take_dual_prefix(term.value)) return wrong;
    return has_value ? check_domain(term.value) : std::nullopt;
  }
  if (name == "ptr") return has_value ? check_domain(term.value) : std::nullopt;
  return "there is no mechanism of this name";
}

Wrong check_modifier(const SpfTerm& term) {
  if (term.name == "redirect" || term.name == "exp") return check_domain(term.value);
  return check_macros(term.value);
}

Wrong read_term(std::string_view text, SpfTerm& term) {
  term.text = printable(text);
  const auto end = text.find_first_of(":=/");
  const bool is_modifier = end != std::string_view::npos && text[end] == '=';
  if (!is_modifier && std::string_view("+-~?").find(text.front()) != std::string_view::npos) {
    term.qualifier = text.front();
    text.remove_prefix(1);
  }
  const auto separator = text.find_first_of(":=/");
  term.name = lower(text.substr(0, separator));
  term.is_modifier = is_modifier;
  const bool has_value = separator != std::string_view::npos && text[separator] != '/';
  if (separator != std::string_view::npos) {
    term.value = text.substr(separator + (has_value ? 1 : 0));
  }
  const bool is_name = !term.name.empty() && std::ranges::all_of(term.name, [](char c) {
    return is_alnum(c) || c == '-' || c == '_' || c == '.';
  });
  if (!is_name) return "that is no term";
  return is_modifier ? check_modifier(term) : check_mechanism(term, has_value);
}

}  // namespace

Result<SpfRecord, std::string> parse_spf(std::string_view text) {
  SpfRecord record;
  for (const std::string_view word :
       split(text.substr(std::min<std::size_t>(6, text.size())), ' ')) {
    if (word.empty()) continue;
    SpfTerm term;
    if (const auto wrong = read_term(word, term)) {
      return fail("\"" + printable(word, 80) + "\": " + *wrong);
    }
    const bool once = term.is_modifier && (term.name == "redirect" || term.name == "exp");
    if (once && record.find(term.name) != nullptr) return fail(term.name + "= stands twice");
    record.terms.push_back(std::move(term));
  }
  return record;
}

std::optional<std::string> spf_target(const SpfTerm& term, std::string_view domain) {
  if (term.value.empty()) return std::string(domain);
  std::string target;
  for (std::size_t at = 0; at < term.value.size();) {
    const std::string_view rest = std::string_view(term.value).substr(at);
    if (istarts_with(rest, "%{d}")) {
      target += domain;
      at += 4;
    } else if (rest.front() == '%') {
      return std::nullopt;
    } else {
      target.push_back(rest.front());
      ++at;
    }
  }
  return target;
}

}  // namespace posthorn::nslook
