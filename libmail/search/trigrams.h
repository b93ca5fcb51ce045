// What the index is made of: every three octets that follow each other in a folded text. Of octets, not characters, because the
// verifier compares octets as well: a text that has a needle has all trigrams of the needle, whatever they mean, so no text is
// ever missed. (A character of Chinese is a trigram of its own.) NUL stands as 0xFF: SQLite's queries end at NUL.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace posthorn::search {

// Needles shorter than this are in too many messages for an index to help.
inline constexpr std::size_t shortest_needle = 2;
// Of a needle at most so many trigrams are asked for, spread over it.
inline constexpr std::size_t longest_query = 24;

[[nodiscard]] constexpr char token_octet(char octet) {
  return octet == '\0' ? '\xFF' : octet;
}

// Finds each trigram of a text once. The last two octets and the last one are tokens as well, so that every two octets
// of a text begin some token. One object for many texts: it keeps 2 MiB.
class Trigrams {
 public:
  // Calls `take(std::string_view)` for each token, until it gives false; the octets live as long as the call.
  template <class Take>
  void each(std::string_view text, Take take) {
    begin();
    bool goes_on = true;
    for (std::size_t i = 0; goes_on && i < text.size(); ++i) {
      const char token[] = {token_octet(text[i]),
                            i + 1 < text.size() ? token_octet(text[i + 1]) : '\0',
                            i + 2 < text.size() ? token_octet(text[i + 2]) : '\0'};
      const std::size_t size = text.size() - i < 3 ? text.size() - i : 3;
      if (size < 3 || is_new(token)) goes_on = take(std::string_view(token, size));
    }
  }

 private:
  void begin();
  bool is_new(const char* token);
  std::vector<std::uint64_t> seen_;  // a bit for each trigram
  std::vector<std::uint32_t> marked_;
};

// What a text that has `needle` must have too: trigrams, or `needle` itself as the beginning of some token. Empty:
// nothing can be said.
struct Wanted {
  std::vector<std::string> tokens;
  bool is_prefix = false;
};
[[nodiscard]] Wanted wanted_of(std::string_view needle);

}  // namespace posthorn::search
