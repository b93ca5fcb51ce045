// Octets that must not stay in memory: keys. Wiped when they go.
#pragma once

#include <string>
#include <string_view>

namespace posthorn::dns {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view octets) : octets_(octets) {}
  // Leaves nothing in `octets`.
  [[nodiscard]] static Secret take(std::string&& octets);
  Secret(const Secret& other) = default;
  Secret(Secret&& other) noexcept;
  Secret& operator=(const Secret& other);
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { wipe(); }

  [[nodiscard]] std::string_view view() const { return octets_; }
  [[nodiscard]] bool empty() const { return octets_.empty(); }
  void append(std::string_view octets);
  // In time that depends on the lengths only.
  bool operator==(const Secret& other) const;

 private:
  void wipe() { wipe(octets_); }
  static void wipe(std::string& octets);
  std::string octets_;
};

// Equal, in time that depends on the lengths only.
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace posthorn::dns
