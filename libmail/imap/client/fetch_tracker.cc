#include "libmail/imap/client/fetch_tracker.h"

#include "libmail/base/text.h"

namespace posthorn::imap::client {

// "* 12 FETCH (" or "* UIDFETCH 12 (".
void FetchTracker::begin(std::string_view text) {
  begun_ = true;
  Scanner in(text);
  in.want('*');
  in.space();
  const bool by_uid = in.take_word("UIDFETCH ");
  const std::uint32_t number = in.nz_number();
  in.space();
  if (!by_uid) in.want_word("FETCH ");
  in.want('(');
  if (!in.ok()) return;
  is_fetch_ = true;
  (by_uid ? uid_ : number_) = number;
  at_ = in.position();
  token_ = at_;
  depth_ = 1;
}

// A value or a name of the outermost parentheses is over.
void FetchTracker::token_ends(std::string_view text, std::size_t end) {
  if (end == token_) return;
  if (!expects_value_) {
    name_begin_ = token_;
    name_end_ = end;
  } else if (iequals(text.substr(name_begin_, name_end_ - name_begin_), "UID")) {
    uid_ = parse_number<std::uint32_t>(text.substr(token_, end - token_)).value_or(0);
  }
  expects_value_ = !expects_value_;
}

void FetchTracker::advance(std::string_view text, std::size_t end) {
  for (; at_ < end; ++at_) {
    const char c = text[at_];
    if (escaped_) {
      escaped_ = false;
    } else if (quoted_) {
      escaped_ = c == '\\';
      if (c == '"') quoted_ = false;
    } else if (c == '"') {
      quoted_ = true;
    } else if (bracket_) {
      if (c == ']') bracket_ = false;
    } else if (c == '[' && depth_ == 1) {
      bracket_ = true;
    } else if (c == '(') {
      ++depth_;
    } else if (c == ')' && depth_ > 0) {
      if (--depth_ == 0) token_ends(text, at_);
    } else if (c == ' ' && depth_ == 1) {
      token_ends(text, at_);
      token_ = at_ + 1;
    }
  }
}

std::optional<FetchItem> FetchTracker::announced(std::string_view text) {
  if (!begun_) begin(text);
  std::size_t open = text.rfind('{');
  if (!is_fetch_ || open == std::string_view::npos || open < at_) return std::nullopt;
  if (open > 0 && text[open - 1] == '~') --open;
  advance(text, open);
  if (depth_ != 1 || quoted_ || bracket_ || !expects_value_ || token_ != open) return std::nullopt;
  Scanner in(text.substr(name_begin_, name_end_ - name_begin_));
  std::optional<FetchItem> item = scan_response_item(in);
  if (!item || !in.at_end()) return std::nullopt;
  switch (item->kind) {
    case FetchItem::Kind::body_section:
    case FetchItem::Kind::binary:
    case FetchItem::Kind::rfc822:
    case FetchItem::Kind::rfc822_header:
    case FetchItem::Kind::rfc822_text:
      return item;
    default:
      return std::nullopt;
  }
}

void FetchTracker::passed(std::string_view text, std::size_t size) {
  at_ = text.size() + 2 + size;
}

}  // namespace posthorn::imap::client
