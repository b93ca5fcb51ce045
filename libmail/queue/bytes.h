// Numbers as octets, little endian; the readers' callers have checked the length.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace posthorn::queue {

template <class T>
void put_number(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}
inline void put_u16(std::string& out, std::uint16_t value) {
  put_number(out, value);
}
inline void put_u32(std::string& out, std::uint32_t value) {
  put_number(out, value);
}
inline void put_u64(std::string& out, std::uint64_t value) {
  put_number(out, value);
}

template <class T>
[[nodiscard]] T get_number(std::string_view octets, std::size_t at) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value | static_cast<T>(static_cast<unsigned char>(octets[at + i]))
                                       << (8 * i));
  }
  return value;
}
[[nodiscard]] inline std::uint16_t get_u16(std::string_view octets, std::size_t at) {
  return get_number<std::uint16_t>(octets, at);
}
[[nodiscard]] inline std::uint32_t get_u32(std::string_view octets, std::size_t at) {
  return get_number<std::uint32_t>(octets, at);
}
[[nodiscard]] inline std::uint64_t get_u64(std::string_view octets, std::size_t at) {
  return get_number<std::uint64_t>(octets, at);
}

}  // namespace posthorn::queue
