// The parts that enclose the place a parser is at, and the boundaries that end what is in them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/message/line_scan.h"

namespace posthorn::message {

struct OpenPart {
  std::uint32_t part = 0;
  std::uint32_t last_child = UINT32_MAX;
  std::uint32_t text = 0;  // of the boundary in the arena
  std::uint32_t size = 0;  // 0: a message/rfc822, which has none
  bool digest = false;
  bool closed = false;  // its closing delimiter was there: what follows is its epilogue
};

// What a line that begins with "--" is.
struct BoundaryMatch {
  enum class Kind : std::uint8_t {
    none,
    delimiter,
    close,
    after_close,  // of a multipart that is closed
    with_tail,    // begins with an open boundary and goes on; RFC 2046 5.1.1 would let it pass
  };
  Kind kind = Kind::none;
  std::size_t level = 0;  // index into the open parts; of none and with_tail: nothing
};

// A stack, outermost first.
class OpenParts {
 public:
  void push(std::uint32_t part, std::string_view boundary, bool digest);
  void pop();

  [[nodiscard]] std::size_t size() const { return open_.size(); }
  [[nodiscard]] bool empty() const { return open_.empty(); }
  [[nodiscard]] OpenPart& operator[](std::size_t level) { return open_[level]; }
  [[nodiscard]] OpenPart& back() { return open_.back(); }
  // Whether a line could be a delimiter at all.
  [[nodiscard]] bool any_boundary() const { return boundaries_ != 0; }
  // The most octets of a line that decide.
  [[nodiscard]] std::size_t longest() const { return longest_ + 4; }

  // The whole line decides, blanks behind it aside. Where it is a delimiter of several, the longest
  // boundary wins, then the outermost part; a closed one only if no other does.
  [[nodiscard]] BoundaryMatch match(const Line& line) const;
  // It is open already, or it and an open one differ by "--" at the end, so that one's delimiter is
  // the other's closing.
  [[nodiscard]] bool confusable(std::string_view boundary) const;

 private:
  [[nodiscard]] std::string_view boundary(const OpenPart& part) const {
    return std::string_view(arena_).substr(part.text, part.size);
  }

  std::vector<OpenPart> open_;
  std::string arena_;
  std::size_t boundaries_ = 0;
  std::size_t longest_ = 0;
};

}  // namespace posthorn::message
