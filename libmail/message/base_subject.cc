#include "libmail/message/base_subject.h"

#include <algorithm>

#include "libmail/base/text.h"
#include "libmail/message/encoded_word.h"

namespace posthorn::message {

namespace {

// "[...]" at the front, blanks behind it included; 0 if there is none.
std::size_t blob_size(std::string_view text) {
  if (text.empty() || text[0] != '[') return 0;
  const std::size_t end = text.find_first_of("[]", 1);
  if (end == std::string_view::npos || text[end] != ']') return 0;
  return std::min(text.find_first_not_of(' ', end + 1), text.size());
}

// subj-refwd: ("re" / "fw" / "fwd") [blanks] [subj-blob] ":"; 0 if there is none. Blobs in front of it belong
// to it, too (subj-leader). `no_leader`: how much text is left where a row of blobs was found to end in
// no leader, so that the rest of the row isn't looked at again and again.
std::size_t leader_size(std::string_view text, std::size_t& no_leader) {
  if (text.size() > no_leader) return 0;
  std::size_t at = 0;
  while (const std::size_t blob = blob_size(text.substr(at))) at += blob;
  const std::string_view rest = text.substr(at);
  std::size_t size = 0;
  if (istarts_with(rest, "fwd")) {
    size = 3;
  } else if (istarts_with(rest, "re") || istarts_with(rest, "fw")) {
    size = 2;
  } else {
    no_leader = rest.size();
    return 0;
  }
  while (size < rest.size() && rest[size] == ' ') ++size;
  size += blob_size(rest.substr(size));
  if (size < rest.size() && rest[size] == ':') return at + size + 1;
  no_leader = rest.size();
  return 0;
}

void skip_blanks(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
}

// Steps 2 to 5 of RFC 5256 2.1.
std::string_view without_artifacts(std::string_view text, bool& reply) {
  while (true) {
    while (true) {
      text = trim(text);
      if (text.size() < 5 || !iequals(text.substr(text.size() - 5), "(fwd)")) break;
      text.remove_suffix(5);
      reply = true;
    }
    bool more = true;
    std::size_t no_leader = std::string_view::npos;
    while (more) {
      skip_blanks(text);
      more = false;
      if (const std::size_t leader = leader_size(text, no_leader)) {
        text.remove_prefix(leader);
        reply = more = true;
      } else if (const std::size_t blob = blob_size(text); blob != 0 && blob < text.size()) {
        text.remove_prefix(blob);
        more = true;
      }
    }
    if (text.size() < 6 || !istarts_with(text, "[fwd:") || text.back() != ']') return text;
    text = text.substr(5, text.size() - 6);
    reply = true;
  }
}

}  // namespace

BaseSubject base_subject(std::string_view subject) {
  // Step 1: UTF-8, runs of blanks as one space.
  std::string text;
  for (const char c : decode_encoded_words(subject)) {
    if (!is_space(c)) {
      text += c;
    } else if (text.empty() || text.back() != ' ') {
      text += ' ';
    }
  }
  BaseSubject base;
  base.text = without_artifacts(text, base.reply);
  return base;
}

}  // namespace posthorn::message
