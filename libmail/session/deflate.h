// Raw deflate in memory, as COMPRESS=DEFLATE has it (RFC 4978, RFC 1951); without I/O.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct z_stream_s;

namespace posthorn::session {

// What it costs while it lasts: deflate takes 2^(window_bits + 2) + 2^(memory_level + 9) octets, inflate 40 KiB.
struct DeflateSettings {
  int level = 6;
  int window_bits = 15;  // of what we send: 9 to 15
  int memory_level = 8;  // 1 to 9

  DeflateSettings() = default;
};

class Deflater {
 public:
  // What is packed refers so far back at most: more history is useless.
  static constexpr std::size_t longest_history = 32 * 1024;

  explicit Deflater(const DeflateSettings& settings = {});
  ~Deflater();
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  // With `flush` the peer can read all of it.
  [[nodiscard]] std::string pack(std::string_view octets, bool flush = true);
  // Goes on with another peer's octets, or with the same peer's after others: `history` is the end of what that peer has read.
  // Only behind a flush.
  void restart(std::string_view history);

 private:
  std::unique_ptr<z_stream_s> stream_;
};

class Inflater {
 public:
  enum class State : std::uint8_t { more, ended, broken };

  Inflater();
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Takes octets from the front of `packed` and appends `limit` at most to `into`, whatever they blow up to.
  [[nodiscard]] State unpack(std::string_view& packed, std::size_t limit, std::string& into);
  // The limit of the last call cut it off: there may be more without more input.
  [[nodiscard]] bool has_more() const { return more_inside_; }
  // Between two flushed pieces only what the peer may refer to stays in memory: what it said, 32 KiB at most. A peer that ends its
  // pieces in the middle of an octet (a partial flush) keeps all.
  void rest();
  [[nodiscard]] std::string_view error() const { return error_; }

 private:
  void wake();

  std::unique_ptr<z_stream_s> stream_;  // nullptr at rest
  std::string history_;                 // at rest
  std::string error_;
  bool more_inside_ = false;
};

}  // namespace posthorn::session
