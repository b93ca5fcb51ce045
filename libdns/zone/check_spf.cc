// SPF records as far as a zone shows them (RFC 7208 12): syntax, and look-ups counted.
#include <fmt/format.h>

#include <algorithm>

#include "libdns/wire/address.h"
#include "libdns/zone/checks.h"
#include "libdns/zone/lookup.h"
#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

constexpr int deepest_include = 10;

// "%{i}", "%%", "%_", "%-" (RFC 7208 7.1).
bool has_good_macros(std::string_view text) {
  for (std::size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at)) {
    const char next = at + 1 < text.size() ? text[at + 1] : '\0';
    if (next == '%' || next == '_' || next == '-') {
      at += 2;
      continue;
    }
    if (next != '{' || at + 2 >= text.size() || !is_alpha(text[at + 2])) return false;
    at = text.find('}', at);
    if (at == std::string_view::npos) return false;
  }
  return true;
}

bool is_domain(std::string_view text) {
  return !text.empty() && has_good_macros(text) && Name::parse(text).has_value();
}

bool is_prefix_length(std::string_view text, unsigned most) {
  const auto number = parse_number<unsigned>(text);
  return number && *number <= most;
}

// "/24", "/24//64", "//64" or nothing.
bool is_dual_cidr(std::string_view text) {
  if (text.empty()) return true;
  if (text.starts_with("//")) return is_prefix_length(text.substr(2), 128);
  const std::size_t two = text.find("//");
  if (!is_prefix_length(text.substr(1, two == std::string_view::npos ? two : two - 1), 32))
    return false;
  return two == std::string_view::npos || is_prefix_length(text.substr(two + 2), 128);
}

bool is_network(std::string_view text, bool is_ip6) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::string_view address = text.substr(0, slash);
  if (is_ip6 ? !parse_aaaa(address) : !parse_a(address)) return false;
  return slash == text.size() || is_prefix_length(text.substr(slash + 1), is_ip6 ? 128 : 32);
}

class SpfCheck {
 public:
  explicit SpfCheck(const Zone& zone) : zone_(zone) {}

  SpfReport run(const std::string& record) {
    read(record, 0);
    if (!has_end_) {
      report_.warnings.push_back("no \"all\" and no redirect: everybody else is neutral");
    }
    return std::move(report_);
  }

 private:
  // Of included records only the look-ups count: their own check tells their errors.
  void read(const std::string& record, int depth) {
    const auto terms = words(std::string_view(record).substr(6));
    for (std::size_t i = 0; i < terms.size(); ++i) {
      const bool is_good = take(terms[i], depth);
      if (!is_good && depth == 0) {
        report_.errors.push_back(fmt::format("\"{}\" is no term", printable(terms[i], 64)));
      }
      if (depth == 0 && iequals(terms[i], "+all")) {
        report_.warnings.push_back("\"+all\" lets everybody send");
      }
      if (depth == 0 && is_all_ && i + 1 < terms.size() && !has_told_behind_all_ &&
          terms[i + 1].find('=') == std::string_view::npos) {
        has_told_behind_all_ = true;
        report_.warnings.push_back("what stands behind \"all\" is never looked at");
      }
    }
  }

  bool take(std::string_view term, int depth) {
    const std::size_t equals = term.find('=');
    const std::size_t special = term.find_first_of(":/");
    if (equals != std::string_view::npos && (special == std::string_view::npos || equals < special))
      return take_modifier(term.substr(0, equals), term.substr(equals + 1), depth);
    if (std::string_view("+-?~").find(term[0]) != std::string_view::npos) term.remove_prefix(1);
    const std::size_t end = std::min(term.find_first_of(":/"), term.size());
    return take_mechanism(term.substr(0, end), term.substr(end), depth);
  }

  bool take_modifier(std::string_view name, std::string_view value, int depth) {
    if (iequals(name, "redirect")) {
      if (depth == 0) has_end_ = true;
      ++report_.look_ups;
      follow(value, depth);
      return is_domain(value);
    }
    if (iequals(name, "exp")) return is_domain(value);
    return !name.empty() && is_alpha(name[0]) && has_good_macros(value);
  }

  bool take_mechanism(std::string_view name, std::string_view rest, int depth) {
    if (iequals(name, "all")) {
      if (depth == 0) has_end_ = is_all_ = true;
      return rest.empty();
    }
    if (iequals(name, "ip4")) return rest.starts_with(':') && is_network(rest.substr(1), false);
    if (iequals(name, "ip6")) return rest.starts_with(':') && is_network(rest.substr(1), true);
    const bool is_address = iequals(name, "a") || iequals(name, "mx");
    const bool is_ptr = iequals(name, "ptr");
    const bool is_include = iequals(name, "include");
    if (!is_address && !is_ptr && !is_include && !iequals(name, "exists")) return false;
    ++report_.look_ups;
    if (is_ptr && depth == 0) {
      report_.warnings.push_back("\"ptr\" is slow and often refused (RFC 7208 5.5)");
    }
    if (is_include && rest.starts_with(':')) follow(rest.substr(1), depth);
    if (!rest.starts_with(':')) return is_ptr ? rest.empty() : is_address && is_dual_cidr(rest);
    const std::string_view domain = rest.substr(1);
    if (!is_address) return is_domain(domain);
    const std::size_t slash = std::min(domain.find('/'), domain.size());
    return is_domain(domain.substr(0, slash)) && is_dual_cidr(domain.substr(slash));
  }

  void follow(std::string_view domain, int depth) {
    const auto name = Name::parse(domain);
    if (!name || depth >= deepest_include || report_.look_ups > 2 * max_spf_look_ups) return;
    const ZoneAnswer answer = look_up(zone_, *name, Type::txt, false);
    for (const RrSet* set : answer.answer) {
      if (set->type != Type::txt) continue;
      for (const Record& record : set->records()) {
        const Txt* txt = record.as<Txt>();
        if (txt != nullptr && is_spf(txt->joined())) return read(txt->joined(), depth + 1);
      }
    }
  }

  const Zone& zone_;
  SpfReport report_;
  bool has_end_ = false;
  bool is_all_ = false;
  bool has_told_behind_all_ = false;
};

}  // namespace

bool is_spf(std::string_view record) {
  return istarts_with(record, "v=spf1") && (record.size() == 6 || record[6] == ' ');
}

SpfReport check_spf(const Zone& zone, const std::string& record) {
  return SpfCheck(zone).run(record);
}

}  // namespace posthorn::dns
