#include "libmail/message/reply.h"

#include <algorithm>

#include "libmail/base/text.h"
#include "libmail/message/address_format.h"
#include "libmail/message/address_reader.h"
#include "libmail/message/base_subject.h"
#include "libmail/message/date.h"
#include "libmail/message/encoded_word.h"
#include "libmail/message/message_id.h"

namespace posthorn::message {

namespace {

constexpr std::size_t most_recipients = 2000;

// The addresses of all fields of that name that mail can be sent to, names decoded.
std::vector<Address> addresses(const Header& header, std::string_view name) {
  std::vector<Address> found;
  for (const Field* field : header.find_all(name)) {
    AddressReader reader(header.raw_value(*field));
    while (auto item = reader.next()) {
      if (found.size() == most_recipients) return found;
      if (item->kind != AddressReader::Item::Kind::mailbox) continue;
      if (!check_address(item->address)) continue;
      item->address.display_name = shown_name(item->address);
      found.push_back(std::move(item->address));
    }
  }
  return found;
}

bool same(const Address& a, const Address& b) {
  return iequals(a.local_part, b.local_part) && iequals(a.domain, b.domain);
}

bool within(const std::vector<Address>& list, const Address& address) {
  return std::ranges::any_of(list, [&](const Address& other) { return same(other, address); });
}

// Those of `from` that aren't in `into` yet nor among `never`.
void add(std::vector<Address>& into, const std::vector<Address>& from,
         const std::vector<Address>& never) {
  for (const Address& address : from) {
    if (!within(into, address) && !within(never, address)) into.push_back(address);
  }
}

// The address in "List-Post: <mailto:list@example.org>" (RFC 2369 3.4).
std::vector<Address> list_address(const Header& header) {
  const Field* field = header.find("List-Post");
  if (field == nullptr) return {};
  const std::string value = header.value(*field);
  constexpr std::string_view scheme = "mailto:";
  const std::size_t begin = lower(value).find(scheme);
  if (begin == std::string::npos) return {};
  std::string_view uri = std::string_view(value).substr(begin + scheme.size());
  uri = uri.substr(0, uri.find_first_of(">?,"));
  auto list = parse_address_list(uri);
  if (!list || list->mailboxes.size() != 1 || !check_address(list->mailboxes[0])) return {};
  return list->mailboxes;
}

std::vector<std::string> ids(const Header& header, std::string_view name) {
  const Field* field = header.find(name);
  if (field == nullptr) return {};
  auto found = parse_message_ids(header.raw_value(*field), 200);
  // What a builder would refuse is worth nothing to a thread, either.
  std::erase_if(found, [](const std::string& id) {
    return id.size() > 900 || id.find('<', 1) != std::string::npos || !is_utf8(id);
  });
  return found;
}

std::string decoded(const Header& header, std::string_view name) {
  const Field* field = header.find(name);
  if (field == nullptr) return {};
  std::string text = decode_encoded_words(header.raw_value(*field));
  return std::string(trim(text));
}

// RFC 5322 3.6.4: the original's References, else its only In-Reply-To, and its Message-ID.
void set_references(Draft& draft, const Header& original, std::size_t most) {
  const auto own = ids(original, "Message-ID");
  draft.references = ids(original, "References");
  if (draft.references.empty()) {
    auto parents = ids(original, "In-Reply-To");
    if (parents.size() == 1) draft.references = std::move(parents);
  }
  if (!own.empty()) {
    std::erase(draft.references, own[0]);
    draft.references.push_back(own[0]);
    draft.in_reply_to = {own[0]};
  }
  // The first says which thread it is, the latest where in it.
  const std::size_t size = draft.references.size();
  if (size > most && most > 0) {
    const auto begin = draft.references.begin();
    draft.references.erase(begin + 1, begin + static_cast<std::ptrdiff_t>(size - most + 1));
  }
}

std::string name_or_address(const Address& address) {
  return address.display_name.empty() ? address.addr_spec() : address.display_name;
}

std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '\r' || c == '\n' || c == '\t' ? ' ' : c;
  return out;
}

}  // namespace

Draft make_reply(const Header& original, const ReplyOptions& options) {
  Draft draft;
  const std::vector<Address> from = addresses(original, "From");
  std::vector<Address> author = addresses(original, "Reply-To");
  if (author.empty()) author = from;
  // An answer to one's own mail goes to whom it went.
  const bool own =
      std::ranges::all_of(author, [&](const Address& a) { return within(options.own, a); });
  std::vector<Address>& to = draft.to.mailboxes;
  if (options.to_list) to = list_address(original);
  if (to.empty()) {
    if (own) {
      add(to, addresses(original, "To"), options.own);
    } else {
      add(to, author, options.own);
    }
  }
  if (to.empty()) add(to, author, {});
  if (options.to_all) {
    std::vector<Address> never = options.own;
    never.insert(never.end(), to.begin(), to.end());
    add(draft.cc.mailboxes, addresses(original, "To"), never);
    add(draft.cc.mailboxes, addresses(original, "Cc"), never);
  }
  const std::string subject = one_line(decoded(original, "Subject"));
  draft.subject = istarts_with(subject, "re:") ? subject : "Re: " + subject;
  set_references(draft, original, options.references);
  return draft;
}

Draft make_forward(const Header& original) {
  Draft draft;
  const std::string subject = one_line(decoded(original, "Subject"));
  const bool marked = istarts_with(subject, "fwd:") || istarts_with(subject, "fw:");
  draft.subject = marked ? subject : "Fwd: " + subject;
  const auto own = ids(original, "Message-ID");
  if (!own.empty()) draft.references = {own[0]};
  return draft;
}

std::string quote_text(std::string_view text, std::string_view attribution) {
  std::string out(attribution);
  if (!out.empty()) out += '\n';
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line == "-- ") break;
    out += line.starts_with('>') || line.empty() ? ">" : "> ";
    out.append(line).append("\n");
  }
  return out;
}

std::string attribution(const Header& original) {
  const auto from = addresses(original, "From");
  const std::string who = from.empty() ? "somebody" : name_or_address(from[0]);
  const Field* field = original.find("Date");
  const auto date = field == nullptr ? std::nullopt : parse_date(original.raw_value(*field));
  if (!date) return who + " wrote:";
  return "On " + format_date(date->time, date->zone) + " " + who + " wrote:";
}

std::string forwarded_head(const Header& original) {
  std::string out = "---------- Forwarded message ----------\n";
  for (const std::string_view name : {"From", "Date", "Subject", "To", "Cc"}) {
    const std::string value = one_line(decoded(original, name));
    if (!value.empty()) out.append(name).append(": ").append(value).append("\n");
  }
  return out;
}

}  // namespace posthorn::message
