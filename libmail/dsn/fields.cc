#include "libmail/dsn/fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::dsn {

namespace {

constexpr std::size_t usual_line = 76;
constexpr std::size_t longest_word = 900;
constexpr std::size_t most_blanks = 60;

// The length of the well-formed UTF-8 sequence that `text` begins with; 0 if there is none.
std::size_t sequence_length(std::string_view text) {
  for (std::size_t length = 2; length <= 4 && length <= text.size(); ++length) {
    if (is_utf8(text.substr(0, length))) return length;
  }
  return 0;
}

bool is_c1_control(std::string_view sequence) {
  return sequence.size() == 2 && sequence[0] == '\xc2' &&
         static_cast<unsigned char>(sequence[1]) < 0xa0;
}

}  // namespace

std::string clean_text(std::string_view octets, Charset charset, std::size_t limit) {
  std::string out;
  for (std::size_t i = 0; i < octets.size();) {
    if (out.size() >= limit) return out + "...";
    const char c = octets[i];
    const std::string_view rest = octets.substr(i);
    const std::size_t sequence = is_8bit(c) && charset == Charset::utf8 ? sequence_length(rest) : 0;
    if (sequence != 0 && !is_c1_control(rest.substr(0, sequence))) {
      out.append(rest.substr(0, sequence));
      i += sequence;
      continue;
    }
    if (c == ' ' || is_graph(c)) {
      out += c;
    } else if (c == '\n' || c == '\t' || c == '\r') {
      if (!out.empty() && out.back() != ' ') out += ' ';
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
    ++i;
  }
  return out;
}

void append_field(std::string& into, std::string_view name, std::string_view value) {
  into.append(name).append(": ");
  value = trim(value);
  std::size_t column = name.size() + 2;
  bool first = true;
  while (!value.empty()) {
    // Blanks and the word behind them. All blanks survive unfolding, unless a line would be full of them.
    const std::size_t blanks = std::min(value.find_first_not_of(" \t"), value.size());
    if (blanks > most_blanks) value.remove_prefix(blanks - most_blanks);
    const std::size_t word = std::min(value.find_first_not_of(" \t"), value.size());
    const std::size_t end = std::min(value.find_first_of(" \t", word), value.size());
    const std::string_view piece = value.substr(0, std::min(end, word + longest_word));
    value.remove_prefix(piece.size());
    // The first word stays beside the name: a line of blanks alone would be no fold.
    if (!first && column + piece.size() > usual_line) {
      into += is_space(piece.front()) ? "\r\n" : "\r\n ";
      column = 0;
    }
    into += piece;
    column += piece.size();
    first = false;
  }
  into += "\r\n";
}

void append_wrapped(std::string& into, std::string_view indent, std::string_view text,
                    std::size_t width) {
  std::string line;
  for (std::string_view word : words(text)) {
    while (!word.empty()) {
      const std::string_view piece = word.substr(0, longest_word);
      word.remove_prefix(piece.size());
      if (!line.empty() && indent.size() + line.size() + 1 + piece.size() > width) {
        into.append(indent).append(line).append("\r\n");
        line.clear();
      }
      if (!line.empty()) line += ' ';
      line += piece;
    }
  }
  if (!line.empty()) into.append(indent).append(line).append("\r\n");
}

}  // namespace posthorn::dsn
