#include "libmail/message/encoded_word.h"

#include <algorithm>

#include "libmail/base/base64.h"
#include "libmail/base/percent.h"
#include "libmail/base/text.h"
#include "libmail/message/base64.h"
#include "libmail/message/charset.h"
#include "libmail/message/quoted_printable.h"

namespace posthorn::message {

namespace {

constexpr std::string_view word_begin = "=?utf-8?";
constexpr std::size_t word_overhead = 12;  // =?utf-8?Q??=
// RFC 2047 2 allows 75; with fewer a word fits behind the name of its field.
constexpr std::size_t longest_word = 64;
constexpr std::size_t longest_charset = 64;
// An ASCII word that no fold can break.
constexpr std::size_t longest_plain_word = 300;

bool is_blank(char c) {
  return is_space(c) || c == '\r' || c == '\n';
}

// One encoded-word as it stands in the text.
struct Word {
  std::string_view charset;
  char encoding = 'Q';
  std::string_view text;
  std::size_t size = 0;  // of all of it
};

// The word at the front of `text`, which begins "=?"; size 0 if it is none.
Word parse_word(std::string_view text) {
  Word word;
  const std::size_t charset_end = text.substr(0, longest_charset + 2).find('?', 2);
  if (charset_end == std::string_view::npos || charset_end + 3 > text.size()) return {};
  word.charset = text.substr(2, charset_end - 2);
  word.charset = word.charset.substr(0, word.charset.find('*'));  // a language (RFC 2231 5)
  if (word.charset.empty() || !std::ranges::all_of(word.charset, is_graph)) return {};
  word.encoding = to_upper(text[charset_end + 1]);
  if ((word.encoding != 'Q' && word.encoding != 'B') || text[charset_end + 2] != '?') return {};
  const std::size_t begin = charset_end + 3;
  // Whatever comes first, the end or the beginning of another word: a search stays short.
  std::size_t at = begin;
  while (true) {
    at = text.find('?', at);
    if (at == std::string_view::npos || at + 1 == text.size()) return {};
    if (text[at + 1] == '=') break;
    if (at > begin && text[at - 1] == '=') return {};
    ++at;
  }
  word.text = text.substr(begin, at - begin);
  word.size = at + 2;
  return word;
}

std::string decode_q(std::string_view text, bool& bad) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '_') {
      out += ' ';
    } else if (c != '=') {
      out += c;
    } else if (i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]));
      i += 2;
    } else {
      bad = true;
      out += c;
    }
  }
  return out;
}

// Stands for itself wherever it stands.
bool is_plain(char c) {
  return (c >= ' ' && c < 127) || c == '\t';
}

// Without a branch for each octet, so that the compiler takes many at once.
bool all_plain(std::string_view text) {
  bool plain = true;
  for (const char c : text) plain = plain & is_plain(c);
  return plain;
}

// Well-formed UTF-8 without controls; true if there were some.
bool append_clean(std::string& out, std::string_view text) {
  bool controls = false;
  while (!text.empty()) {
    const auto* plain_end = std::ranges::find_if_not(text, is_plain);
    const auto plain = static_cast<std::size_t>(plain_end - text.begin());
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const std::string_view before = text;
    const char32_t c = take_code_point(text);
    if (is_control(c) && c != '\t') {
      controls = true;
    } else {
      out.append(before.substr(0, before.size() - text.size()));
    }
  }
  return controls;
}

class Decoder {
 public:
  Decoder(std::string_view text, Anomalies* anomalies, std::uint64_t offset)
      : text_(text), anomalies_(anomalies), offset_(offset) {}

  std::string decode() {
    out_.reserve(text_.size());
    while (at_ < text_.size()) {
      const std::size_t begin = text_.find("=?", search_);
      if (begin == std::string_view::npos) break;
      const Word word = parse_word(text_.substr(begin));
      if (word.size == 0) {
        note(AnomalyKind::bad_encoded_word, begin);
        search_ = begin + 2;
        continue;
      }
      raw(begin);
      add(word, begin);
      at_ = search_ = begin + word.size;
    }
    raw(text_.size());
    flush();
    return std::move(out_);
  }

 private:
  void note(AnomalyKind kind, std::size_t at) {
    if (anomalies_ != nullptr) anomalies_->add(kind, offset_ + at);
  }

  // What stands between words, up to `end`. Blanks alone between two words belong to neither.
  void raw(std::size_t end) {
    const std::string_view text = text_.substr(at_, end - at_);
    if (text.empty()) return;
    const bool blank = std::ranges::all_of(text, is_blank);
    if (blank && behind_word_ && end != text_.size()) return;
    behind_word_ = false;
    flush();
    if (is_ascii(text)) {
      append_clean(out_, text);
      return;
    }
    if (!is_utf8(text)) note(AnomalyKind::unencoded_8bit, at_);
    append_clean(out_, raw_to_utf8(text));
  }

  void add(const Word& word, std::size_t begin) {
    if (!octets_.empty() && !iequals(charset_, word.charset)) flush();
    if (octets_.empty()) first_ = begin;
    behind_word_ = true;
    charset_ = word.charset;
    if (word.encoding == 'Q') {
      bool bad = false;
      octets_ += decode_q(word.text, bad);
      if (bad) note(AnomalyKind::bad_quoted_printable, begin);
      return;
    }
    Base64Decoder decoder;
    decoder.feed(word.text, octets_);
    decoder.finish(octets_);
    Base64Notes notes = decoder.notes();
    notes.missing_padding = false;  // so common that it says nothing
    if (anomalies_ != nullptr) notes.report(*anomalies_, offset_ + begin);
  }

  // Decodes what the words since the last flush hold, all of one charset.
  void flush() {
    if (octets_.empty()) return;
    std::uint64_t replaced = 0;
    if (is_forbidden_label(charset_)) {
      note(AnomalyKind::forbidden_charset, first_);
    } else if (!find_charset(charset_)) {
      note(AnomalyKind::unknown_charset, first_);
    }
    const bool controls = append_clean(out_, label_to_utf8(octets_, charset_, &replaced));
    if (controls) note(AnomalyKind::control_in_encoded_word, first_);
    if (replaced != 0) note(AnomalyKind::invalid_in_charset, first_);
    octets_.clear();
  }

  std::string_view text_;
  Anomalies* anomalies_;
  std::uint64_t offset_;
  std::string out_;
  std::size_t at_ = 0;      // everything before is done
  std::size_t search_ = 0;  // where the next word may begin
  std::string octets_;      // of words not decoded yet
  std::string_view charset_;
  bool behind_word_ = false;
  std::size_t first_ = 0;  // where the first of these words begins
};

bool stands_in_q(char c, WordPlace place) {
  if (is_alnum(c)) return true;
  constexpr std::string_view in_phrases = "!*+-/";
  if (place == WordPlace::phrase) return in_phrases.find(c) != std::string_view::npos;
  return is_graph(c) && c != '=' && c != '?' && c != '_';
}

std::size_t q_cost(std::string_view text, WordPlace place) {
  std::size_t cost = 0;
  for (const char c : text) cost += c == ' ' || stands_in_q(c, place) ? 1 : 3;
  return cost;
}

std::string encode_q(std::string_view text, WordPlace place) {
  std::string out;
  for (const char c : text) {
    if (c == ' ') {
      out += '_';
    } else if (stands_in_q(c, place)) {
      out += c;
    } else {
      append_escape(out, c);
    }
  }
  return out;
}

// The words that `text` becomes in one encoding.
std::string words_of(std::string_view text, WordPlace place, bool base64) {
  constexpr std::size_t room = longest_word - word_overhead;
  std::string out;
  while (!text.empty()) {
    std::size_t size = 0;
    std::size_t cost = 0;
    std::string_view rest = text;
    while (!rest.empty()) {
      const std::string_view before = rest;
      (void)take_code_point(rest);
      const std::string_view c = before.substr(0, before.size() - rest.size());
      cost = base64 ? (size + c.size() + 2) / 3 * 4 : cost + q_cost(c, place);
      if (cost > room) break;
      size += c.size();
    }
    const std::string_view part = text.substr(0, size);
    if (!out.empty()) out += ' ';
    out.append(word_begin).append(base64 ? "B?" : "Q?");
    out.append(base64 ? encode_base64(part) : encode_q(part, place)).append("?=");
    text.remove_prefix(size);
  }
  return out;
}

std::string without_controls(std::string_view text) {
  std::string clean;
  std::string mended = repair_utf8(text);
  for (char& c : mended) {
    if (static_cast<unsigned char>(c) < 32 || c == 127) c = ' ';
  }
  append_clean(clean, mended);
  return clean;
}

bool needs_encoding(std::string_view word) {
  return !is_ascii(word) || word.size() > longest_plain_word ||
         word.find("=?") != std::string_view::npos;
}

bool is_atoms(std::string_view text) {
  constexpr std::string_view more = "!#$%&'*+-/=?^_`{|}~";
  char last = ' ';
  for (const char c : text) {
    if (c == ' ' ? last == ' ' : !is_alnum(c) && more.find(c) == std::string_view::npos)
      return false;
    last = c;
  }
  return last != ' ';
}

}  // namespace

std::string decode_encoded_words(std::string_view text, Anomalies* anomalies,
                                 std::uint64_t offset) {
  // Most of all fields.
  if (all_plain(text) && text.find("=?") == std::string_view::npos) return std::string(text);
  return Decoder(text, anomalies, offset).decode();
}

std::string make_encoded_words(std::string_view text, WordPlace place) {
  const std::string clean = without_controls(text);
  std::string q = words_of(clean, place, false);
  std::string b = words_of(clean, place, true);
  return b.size() < q.size() ? b : q;
}

std::string encode_text(std::string_view text) {
  const std::string clean = without_controls(text);
  // The stretch from the first to the last word that can't stand as it is.
  std::size_t begin = std::string::npos;
  std::size_t end = 0;
  for (std::size_t at = 0; at < clean.size();) {
    const std::size_t word_end = std::min(clean.find(' ', at), clean.size());
    if (needs_encoding(std::string_view(clean).substr(at, word_end - at))) {
      begin = std::min(begin, at);
      end = word_end;
    }
    at = word_end + 1;
  }
  if (begin == std::string::npos) return clean;
  const std::string_view all = clean;
  return std::string(all.substr(0, begin)) +
         make_encoded_words(all.substr(begin, end - begin), WordPlace::text) +
         std::string(all.substr(end));
}

std::string encode_phrase(std::string_view name) {
  const std::string clean(trim(without_controls(name)));
  if (clean.empty()) return {};
  if (needs_encoding(clean)) return make_encoded_words(clean, WordPlace::phrase);
  if (is_atoms(clean)) return clean;
  std::string quoted = "\"";
  for (const char c : clean) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace posthorn::message
