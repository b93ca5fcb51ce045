#include "agents/mua/query_match.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>

#include "agents/mua/envelope.h"
#include "libmail/base/text.h"
#include "libmail/message/body_reader.h"
#include "libmail/message/charset.h"
#include "libmail/message/encoded_word.h"
#include "libmail/render/html_text.h"

namespace posthorn::mua {

using imap::SearchKey;
using Kind = SearchKey::Kind;

namespace {

imap::Date day_of(std::chrono::sys_seconds time) {
  const std::chrono::year_month_day date(std::chrono::floor<std::chrono::days>(time));
  return {static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day())};
}

bool holds(std::string_view text, const std::string& folded_words) {
  return folded_words.empty() || fold(text).find(folded_words) != std::string::npos;
}

bool field_holds(const message::Header& header, std::string_view name, const std::string& words) {
  for (const message::Field* field : header.find_all(name)) {
    if (holds(message::decode_encoded_words(header.value(*field)), words)) return true;
  }
  return false;
}

bool body_holds(const std::string& octets, const std::string& words) {
  const message::MessageView view(octets);
  for (std::uint32_t i = 0; i < view.tree().parts.size(); ++i) {
    const message::Part& part = view.part(i);
    if (part.media.top != message::TopType::text ||
        view.tree().first_child(i) != message::Part::none)
      continue;
    std::string text = message::decode_text(view, i);
    if (holds(text, words)) return true;
    if (part.media.sub == message::Subtype::html && holds(render::html_to_text(text).text, words))
      return true;
  }
  return false;
}

bool header_holds(const message::Header& header, const std::string& words) {
  return std::ranges::any_of(header.fields(), [&](const message::Field& field) {
    return holds(message::decode_encoded_words(header.value(field)), words);
  });
}

bool text_matches(const SearchKey& key, const Candidate& message) {
  const std::string words = fold(key.text);
  const std::string& octets = message.octets();
  const message::Header header = message::Header::parse(octets);
  switch (key.kind) {
    case Kind::from:
      return field_holds(header, "From", words);
    case Kind::to:
      return field_holds(header, "To", words);
    case Kind::cc:
      return field_holds(header, "Cc", words);
    case Kind::bcc:
      return field_holds(header, "Bcc", words);
    case Kind::subject:
      return field_holds(header, "Subject", words);
    case Kind::header:
      return field_holds(header, key.field, words);
    case Kind::body:
      return body_holds(octets, words);
    default:
      return header_holds(header, words) || body_holds(octets, words);
  }
}

bool sent_matches(const SearchKey& key, const Candidate& message) {
  Summary summary;
  read_header(message.octets(), summary);
  if (!summary.date) return false;
  const imap::Date day = day_of(*summary.date);
  if (key.kind == Kind::sent_before) return day < key.date;
  return key.kind == Kind::sent_on ? day == key.date : day >= key.date;
}

// What stands at the leaves; the tree above is matches()'s.
bool leaf_matches(const SearchKey& key, const Candidate& message, std::uint32_t last) {
  switch (key.kind) {
    case Kind::all:
      return true;
    case Kind::uids:
      return key.set.resolve(last).contains(message.uid);
    case Kind::flag:
      return message.flags.has(key.text);
    case Kind::no_flag:
      return !message.flags.has(key.text);
    case Kind::before:
      return day_of(message.received) < key.date;
    case Kind::on:
      return day_of(message.received) == key.date;
    case Kind::since:
      return day_of(message.received) >= key.date;
    case Kind::sent_before:
    case Kind::sent_on:
    case Kind::sent_since:
      return sent_matches(key, message);
    case Kind::larger:
      return message.size > key.number;
    case Kind::smaller:
      return message.size < key.number;
    case Kind::from:
    case Kind::to:
    case Kind::cc:
    case Kind::bcc:
    case Kind::subject:
    case Kind::header:
    case Kind::body:
    case Kind::text:
      return text_matches(key, message);
    default:
      return false;
  }
}

}  // namespace

std::string fold(std::string_view utf8) {
  if (is_ascii(utf8)) return lower(utf8);
  const std::string whole = message::repair_utf8(utf8);
  utf8proc_uint8_t* out = nullptr;
  const auto size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(whole.data()),
                   static_cast<utf8proc_ssize_t>(whole.size()), &out,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE |
                                                  UTF8PROC_COMPAT | UTF8PROC_CASEFOLD));
  if (size < 0) return lower(whole);
  std::string folded(reinterpret_cast<char*>(out), static_cast<std::size_t>(size));
  std::free(out);  // NOLINT: utf8proc_map's malloc
  return folded;
}

// The query language bounds the depth of its trees (query.cc).
bool matches(const SearchKey& key, const Candidate& message, std::uint32_t last) {
  const auto child = [&](const SearchKey& each) { return matches(each, message, last); };
  if (key.kind == Kind::both) return std::ranges::all_of(key.children, child);
  if (key.kind == Kind::either) return std::ranges::any_of(key.children, child);
  if (key.kind == Kind::none_of) return std::ranges::none_of(key.children, child);
  return leaf_matches(key, message, last);
}

}  // namespace posthorn::mua
