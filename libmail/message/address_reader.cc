#include "libmail/message/address_reader.h"

#include <algorithm>

#include "libmail/base/text.h"
#include "libmail/message/encoded_word.h"

namespace posthorn::message {

namespace {
using Kind = AddressToken::Kind;
}  // namespace

AddressReader::AddressReader(std::string_view text, const AddressLimits& limits)
    : text_(text), limits_(limits), lexer_(text, limits.comment_depth, &anomalies_) {}

std::optional<AddressReader::Item> AddressReader::next() {
  while (true) {
    if (lexer_.at_end()) {
      if (depth_ == 0) return std::nullopt;
      bad(text_.size());  // a group that isn't closed
      --depth_;
      return Item{Item::Kind::group_end, {}, text_.size()};
    }
    if (lexer_.at(',')) {
      lexer_.advance();
      continue;
    }
    if (lexer_.at(';')) {
      const std::size_t offset = lexer_.token().offset;
      lexer_.advance();
      if (depth_ > 0) {
        --depth_;
        return Item{Item::Kind::group_end, {}, offset};
      }
      bad(offset);
      continue;
    }
    if (mailboxes_ == limits_.mailboxes) {
      anomalies_.add(AnomalyKind::address_limit, lexer_.token().offset);
      lexer_.stop();
      continue;
    }
    auto item = element();
    if (!item) continue;
    if (item->kind == Item::Kind::mailbox) {
      ++mailboxes_;
      const bool separated = lexer_.at_end() || lexer_.at(',') || lexer_.at(';');
      if (!separated) bad(lexer_.token().offset);
    }
    return item;
  }
}

// A mailbox or the beginning of a group; nothing if it was rubbish.
std::optional<AddressReader::Item> AddressReader::element() {
  const std::size_t begin = lexer_.token().offset;
  (void)lexer_.take_comment();
  read_words();
  if (lexer_.at(':')) return open_group(begin);
  if (lexer_.at('<')) return angle(begin, phrase(words_.size()));
  if (lexer_.at('@')) return bare(begin);
  if (words_.empty()) {
    bad(begin);
    lexer_.advance();
    return std::nullopt;
  }
  Item item{Item::Kind::mailbox, {}, begin};
  const std::size_t before = local_part(item.address);
  if (before != 0) {
    bad(begin);
    item.address = Address();
    item.address.display_name = phrase(words_.size());
  } else {
    item.address.display_name = lexer_.take_comment();
  }
  return item;
}

// Words and dots up to something else, into words_.
void AddressReader::read_words() {
  words_.clear();
  while (lexer_.at_word() || lexer_.at('.') || lexer_.token().kind == Kind::literal) {
    words_.push_back(lexer_.token());
    lexer_.advance();
  }
}

// The first `count` of words_ as a display name.
std::string AddressReader::phrase(std::size_t count) const {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    const AddressToken& word = words_[i];
    if (!out.empty() && word.space_before) out += ' ';
    out += word.kind == Kind::special ? "." : word.text;
  }
  return out;
}

std::optional<AddressReader::Item> AddressReader::open_group(std::size_t begin) {
  std::string name = phrase(words_.size());
  lexer_.advance();
  if (name.empty() || iequals(name, "mailto")) {
    bad(begin);
    return std::nullopt;
  }
  if (depth_ == limits_.group_depth) {
    anomalies_.add(AnomalyKind::address_limit, begin);
    return std::nullopt;
  }
  if (depth_ > 0) bad(begin);
  ++depth_;
  Item item{Item::Kind::group_begin, {}, begin};
  item.address.display_name = std::move(name);
  return item;
}

// At '<'.
AddressReader::Item AddressReader::angle(std::size_t begin, std::string display_name) {
  Item item{Item::Kind::mailbox, {}, begin};
  item.address.display_name = std::move(display_name);
  lexer_.advance();
  while (lexer_.at('<')) {
    bad(lexer_.token().offset);
    lexer_.advance();
  }
  // "@a,@b:" before the address proper (RFC 5322 4.4), which nobody needs any more.
  while (lexer_.at('@') || lexer_.at(',')) {
    const bool comma = lexer_.at(',');
    lexer_.advance();
    if (!comma) (void)read_domain();
  }
  if (lexer_.at(':')) lexer_.advance();
  read_words();
  read_address(item.address);
  if (!lexer_.at('>')) bad(lexer_.token().offset);
  while (lexer_.at('>')) lexer_.advance();
  std::string comment = lexer_.take_comment();
  if (item.address.display_name.empty()) item.address.display_name = std::move(comment);
  return item;
}

// words_ and what follows them, within angle brackets.
void AddressReader::read_address(Address& into) {
  const std::size_t offset = lexer_.token().offset;
  if (local_part(into) != 0 || words_.empty()) bad(offset);
  if (!lexer_.at('@')) return;
  lexer_.advance();
  into.domain = read_domain();
}

// Of words_, those at the end that dots join; returns how many stand before them.
std::size_t AddressReader::local_part(Address& into) const {
  std::size_t first = words_.size();
  const auto is_dot = [this](std::size_t i) { return words_[i].kind == Kind::special; };
  while (first > 0) {
    const bool joined =
        first == words_.size() || is_dot(first) || is_dot(first - 1) || !words_[first].space_before;
    if (!joined) break;
    --first;
  }
  for (std::size_t i = first; i < words_.size(); ++i)
    into.local_part += is_dot(i) ? "." : words_[i].text;
  return first;
}

// words_, then '@': an address without brackets.
std::optional<AddressReader::Item> AddressReader::bare(std::size_t begin) {
  Item item{Item::Kind::mailbox, {}, begin};
  const std::size_t before = local_part(item.address);
  if (before != 0 || words_.empty()) bad(begin);
  item.address.display_name = phrase(before);
  lexer_.advance();
  item.address.domain = read_domain();
  if (auto named = own_name(begin)) return named;
  std::string comment = lexer_.take_comment();
  if (item.address.display_name.empty()) item.address.display_name = std::move(comment);
  return item;
}

// "ann@example.org <ann@example.org>": what was read is a name, if a '<' follows before anything that
// ends an address.
std::optional<AddressReader::Item> AddressReader::own_name(std::size_t begin) {
  if (lexer_.at_end() || lexer_.at(',') || lexer_.at(';')) return std::nullopt;
  if (!lexer_.at('<')) {
    AddressLexer ahead = lexer_;
    while (ahead.at_word() || ahead.at('.')) ahead.advance();
    if (!ahead.at('<')) return std::nullopt;
    lexer_ = std::move(ahead);
  }
  bad(begin);
  std::string name;
  for (const char c : trim(text_.substr(begin, lexer_.token().offset - begin))) {
    if (c != '\r' && c != '\n' && c != '"') name += c;
  }
  return angle(begin, std::move(name));
}

std::string AddressReader::read_domain() {
  if (lexer_.token().kind == Kind::literal) {
    std::string literal = lexer_.token().text;
    lexer_.advance();
    return literal;
  }
  std::string domain;
  bool after_dot = true;
  while (lexer_.at('.') ||
         (lexer_.token().kind == Kind::word && (after_dot || !lexer_.token().space_before))) {
    after_dot = lexer_.at('.');
    domain += after_dot ? "." : lexer_.token().text;
    lexer_.advance();
  }
  if (domain.empty() || after_dot) bad(lexer_.token().offset);
  return domain;
}

AddressList read_address_list(std::string_view text, Anomalies* anomalies, std::uint64_t offset,
                              const AddressLimits& limits) {
  AddressReader reader(text, limits);
  AddressList list;
  std::vector<std::size_t> open;  // groups, by their place in list.groups
  while (auto item = reader.next()) {
    switch (item->kind) {
      case AddressReader::Item::Kind::mailbox:
        list.mailboxes.push_back(std::move(item->address));
        break;
      case AddressReader::Item::Kind::group_begin:
        open.push_back(list.groups.size());
        list.groups.push_back({std::move(item->address.display_name), list.mailboxes.size(), 0});
        break;
      case AddressReader::Item::Kind::group_end: {
        Group& group = list.groups[open.back()];
        group.count = list.mailboxes.size() - group.first;
        open.pop_back();
        break;
      }
    }
  }
  if (anomalies != nullptr) anomalies->append(reader.anomalies(), offset);
  return list;
}

std::string shown_name(const Address& address) {
  return decode_encoded_words(address.display_name);
}

}  // namespace posthorn::message
