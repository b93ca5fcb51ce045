#include "libmail/imap/capability.h"

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::imap {

namespace {
constexpr std::size_t most_words = 1000;
}  // namespace

Capabilities Capabilities::parse(std::string_view text) {
  Capabilities all;
  for (const std::string_view word : posthorn::words(text)) {
    if (all.words_.size() == most_words) break;
    all.add(word);
  }
  return all;
}

void Capabilities::add(std::string_view word) {
  if (!has(word)) words_.emplace_back(word);
}

void Capabilities::remove(std::string_view word) {
  std::erase_if(words_, [word](const std::string& one) { return iequals(one, word); });
}

bool Capabilities::has(std::string_view word) const {
  return std::any_of(words_.begin(), words_.end(),
                     [word](const std::string& one) { return iequals(one, word); });
}

std::vector<std::string> Capabilities::values(std::string_view key) const {
  std::vector<std::string> found;
  for (const std::string& word : words_)
    if (word.size() > key.size() && word[key.size()] == '=' && istarts_with(word, key))
      found.push_back(upper(std::string_view(word).substr(key.size() + 1)));
  return found;
}

std::optional<std::uint64_t> Capabilities::number(std::string_view key) const {
  for (const std::string& value : values(key))
    if (const auto number = parse_number<std::uint64_t>(value)) return number;
  return std::nullopt;
}

std::string Capabilities::text() const {
  std::string text;
  for (const std::string& word : words_) {
    if (!text.empty()) text += ' ';
    text += word;
  }
  return text;
}

}  // namespace posthorn::imap
