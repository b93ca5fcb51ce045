// How much a peer may make us hold, for both sides of IMAP. What is over a limit is an error that names it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace posthorn::imap {

struct Limits {
  std::size_t line = 64 * 1024;  // octets of a command or response, its kept literals not counted
                                 // (RFC 7162 section 4 asks servers for 8192 at least)
  std::size_t literal = 64 * 1024;    // octets of one literal that is kept
  std::size_t literals = 256 * 1024;  // of all kept literals of one command or response
  std::size_t literal_count = 1000;   // kept or streamed, of one command or response
  unsigned nesting = 50;              // of parentheses, and of search keys
  std::size_t items = 10000;          // of one list: flags, search keys, fetch items, ranges

  Limits() = default;
  // What a server takes from whom it doesn't know (anchors: memory before login).
  static Limits before_login() {
    Limits limits;
    limits.line = 8192;
    limits.literal = 4096;
    limits.literals = 8192;
    limits.literal_count = 8;
    limits.items = 100;
    return limits;
  }
  // What a client takes from a server: envelopes, lists of flags and SEARCH results are long.
  static Limits of_client() {
    Limits limits;
    limits.line = 16 * 1024 * 1024;
    limits.literal = 1024 * 1024;
    limits.literals = 8 * 1024 * 1024;
    limits.literal_count = 100000;
    limits.nesting = 100;
    limits.items = 4 * 1024 * 1024;
    return limits;
  }
};

}  // namespace posthorn::imap
