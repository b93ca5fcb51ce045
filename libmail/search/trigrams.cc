#include "libmail/search/trigrams.h"

#include <algorithm>

namespace posthorn::search {

namespace {

constexpr std::size_t trigram_count = std::size_t{1} << 24;

std::string token_of(std::string_view octets) {
  std::string token(octets);
  std::transform(token.begin(), token.end(), token.begin(), token_octet);
  return token;
}

}  // namespace

void Trigrams::begin() {
  if (seen_.empty()) seen_.resize(trigram_count / 64);
  for (const std::uint32_t trigram : marked_) seen_[trigram / 64] = 0;
  marked_.clear();
}

bool Trigrams::is_new(const char* token) {
  std::uint32_t trigram = 0;
  for (int i = 0; i < 3; ++i) trigram = trigram << 8 | static_cast<unsigned char>(token[i]);
  std::uint64_t& word = seen_[trigram / 64];
  const std::uint64_t bit = std::uint64_t{1} << (trigram % 64);
  if ((word & bit) != 0) return false;
  word |= bit;
  marked_.push_back(trigram);
  return true;
}

Wanted wanted_of(std::string_view needle) {
  Wanted wanted;
  if (needle.size() < shortest_needle) return wanted;
  if (needle.size() < 3) {
    wanted.is_prefix = true;
    wanted.tokens.push_back(token_of(needle));
    return wanted;
  }
  const std::size_t all = needle.size() - 2;
  const std::size_t count = std::min(all, longest_query);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = count == 1 ? 0 : i * (all - 1) / (count - 1);
    wanted.tokens.push_back(token_of(needle.substr(at, 3)));
  }
  std::sort(wanted.tokens.begin(), wanted.tokens.end());
  wanted.tokens.erase(std::unique(wanted.tokens.begin(), wanted.tokens.end()), wanted.tokens.end());
  return wanted;
}

}  // namespace posthorn::search
