// The frame around everything: length (32 bits, high octet first; the letter counts), a letter, data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace posthorn::milter {

struct Packet {
  char letter = 0;
  std::string data;

  Packet() = default;
  Packet(char what, std::string octets) : letter(what), data(std::move(octets)) {}
  bool operator==(const Packet&) const = default;
};

void append_packet(std::string& into, char letter, std::string_view data);
void append_number(std::string& into, std::uint32_t number);  // 32 bits, high octet first
// Four octets off the front of `data`; nothing if there are fewer.
[[nodiscard]] std::optional<std::uint32_t> take_number(std::string_view& data);
// The octets before the first NUL, which is taken off too; nothing without a NUL.
[[nodiscard]] std::optional<std::string_view> take_text(std::string_view& data);

// Packets out of octets in any cut.
class PacketReader {
 public:
  explicit PacketReader(std::size_t limit) : limit_(limit) {}

  void feed(std::string_view octets);
  // The next whole packet. Nothing: feed more, or look at problem().
  [[nodiscard]] std::optional<Packet> next();
  // Why this is no stream of packets; "" while it is one. Nothing more is read then.
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] bool empty() const { return begin_ == octets_.size(); }

 private:
  std::size_t limit_;
  std::string octets_;
  std::size_t begin_ = 0;
  std::string problem_;
};

}  // namespace posthorn::milter
