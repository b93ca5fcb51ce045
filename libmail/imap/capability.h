// A server's capabilities (RFC 9051 6.1.1, 7.2.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace posthorn::imap {

class Capabilities {
 public:
  Capabilities() = default;
  // "IMAP4rev1 STARTTLS AUTH=PLAIN", at most 1000 words; the rest is left out.
  [[nodiscard]] static Capabilities parse(std::string_view words);

  void add(std::string_view word);
  void remove(std::string_view word);
  [[nodiscard]] bool has(std::string_view word) const;  // without regard to case
  // Of "AUTH=": PLAIN and so on, in the server's order and upper case.
  [[nodiscard]] std::vector<std::string> values(std::string_view key) const;
  // "APPENDLIMIT=1000".
  [[nodiscard]] std::optional<std::uint64_t> number(std::string_view key) const;
  [[nodiscard]] bool rev2() const { return has("IMAP4rev2"); }
  [[nodiscard]] bool condstore() const { return has("CONDSTORE") || has("QRESYNC"); }
  [[nodiscard]] bool empty() const { return words_.empty(); }
  // As they were added, in order.
  [[nodiscard]] const std::vector<std::string>& words() const { return words_; }
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::string> words_;
};

}  // namespace posthorn::imap
