#include "libmail/message/address_format.h"

#include <algorithm>

#include "libmail/base/text.h"
#include "libmail/message/encoded_word.h"
#include "libmail/message/utf8.h"

namespace posthorn::message {

namespace {

constexpr std::size_t longest_local_part = 64;  // RFC 5321 4.5.3.1
constexpr std::size_t longest_domain = 255;

bool has_controls(std::string_view text) {
  while (!text.empty()) {
    if (is_control(take_code_point(text))) return true;
  }
  return false;
}

bool is_domain(std::string_view domain) {
  if (domain.front() == '[') {
    return domain.size() > 2 && domain.back() == ']' &&
           std::ranges::all_of(domain.substr(1, domain.size() - 2), [](char c) {
             return is_graph(c) && c != '[' && c != ']' && c != '\\';
           });
  }
  for (const std::string_view label : split(domain, '.')) {
    const bool good = !label.empty() && std::ranges::all_of(label, [](char c) {
      return is_alnum(c) || c == '-' || c == '_' || is_8bit(c);
    });
    if (!good) return false;
  }
  return true;
}

}  // namespace

Result<void, std::string> check_address(const Address& address) {
  const std::string shown = printable(address.local_part + "@" + address.domain, 80);
  const auto refuse = [&shown](std::string_view why) {
    return fail("'" + shown + "' is no address: " + std::string(why));
  };
  if (address.local_part.empty()) return refuse("nothing before the '@'");
  if (!is_utf8(address.local_part) || !is_utf8(address.domain)) return refuse("it is no UTF-8");
  if (has_controls(address.local_part) || has_controls(address.domain))
    return refuse("it has a control character in it");
  if (address.local_part.size() > longest_local_part)
    return refuse("more than 64 octets before the '@'");
  if (address.domain.empty()) return {};
  if (address.domain.size() > longest_domain) return refuse("the domain is longer than 255 octets");
  if (!is_domain(address.domain)) return refuse("no domain is written like that");
  return {};
}

std::string format_address(const Address& address) {
  const std::string name = encode_phrase(address.display_name);
  if (name.empty()) return address.addr_spec();
  return name + " <" + address.addr_spec() + ">";
}

std::string format_address_list(const AddressList& list) {
  std::string out;
  const auto separate = [&out] {
    if (!out.empty() && out.back() != ':') out += ',';
    if (!out.empty()) out += ' ';
  };
  std::size_t next_group = 0;
  std::size_t group_end = 0;
  bool in_group = false;
  for (std::size_t i = 0; i <= list.mailboxes.size(); ++i) {
    if (in_group && i == group_end) {
      out += ';';
      in_group = false;
    }
    // Groups hold no groups here: an inner one was flattened when it was read.
    while (!in_group && next_group < list.groups.size() && list.groups[next_group].first <= i) {
      const Group& group = list.groups[next_group++];
      if (group.first < i) continue;
      separate();
      std::string name = encode_phrase(group.name);
      out += (name.empty() ? std::string("\"\"") : name) + ":";
      if (group.count == 0) out += ';';
      in_group = group.count != 0;
      group_end = group.first + group.count;
    }
    if (i == list.mailboxes.size()) break;
    separate();
    out += format_address(list.mailboxes[i]);
  }
  return out;
}

std::string format_address_list(const std::vector<Address>& mailboxes) {
  return format_address_list(AddressList{mailboxes, {}});
}

}  // namespace posthorn::message
