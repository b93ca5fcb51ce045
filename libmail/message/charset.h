// Text of any charset to UTF-8. What comes out is always well-formed: U+FFFD stands for what can't be read.
//
// Labels are looked up by the aliases of the WHATWG Encoding Standard and never reach iconv: glibc's
// modules for rare sets have been attacked by mail (CVE-2024-2961, CVE-2021-3326, CVE-2026-4046). UTF-7 is
// no charset here: as a label it is unknown, so "+ADw-script+AD4-" stays what it looks like.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/message/utf8.h"

namespace posthorn::message {

enum class Charset : std::uint8_t {
  utf_8,
  // Single octets, own tables. ISO-8859-1 and US-ASCII are windows-1252, ISO-8859-9 is windows-1254,
  // ISO-8859-11 and TIS-620 are windows-874.
  ibm866,
  iso_8859_2,
  iso_8859_3,
  iso_8859_4,
  iso_8859_5,
  iso_8859_6,
  iso_8859_7,
  iso_8859_8,
  iso_8859_10,
  iso_8859_13,
  iso_8859_14,
  iso_8859_15,
  iso_8859_16,
  koi8_r,
  koi8_u,
  macintosh,
  windows_874,
  windows_1250,
  windows_1251,
  windows_1252,
  windows_1253,
  windows_1254,
  windows_1255,
  windows_1256,
  windows_1257,
  windows_1258,
  x_mac_cyrillic,
  // Two octets; a byte order mark at the front wins over the order that the label says.
  utf_16be,
  utf_16le,
  // glibc's iconv, by these names only.
  gb18030,
  big5,
  euc_jp,
  iso_2022_jp,
  shift_jis,
  euc_kr,
  // Sets that hide ASCII behind escapes (ISO-2022-KR, ISO-2022-CN, HZ): one U+FFFD for the whole text.
  replacement,
};

// Case and blanks at both ends are ignored. Nothing for an unknown label.
[[nodiscard]] std::optional<Charset> find_charset(std::string_view label);
// UTF-7 and the sets of Charset::replacement: known, and refused.
[[nodiscard]] bool is_forbidden_label(std::string_view label);
// The name to write: "UTF-8", "windows-1252".
[[nodiscard]] std::string_view charset_name(Charset charset);

// Decodes a text that may be cut anywhere, in the middle of a character too.
class CharsetDecoder {
 public:
  explicit CharsetDecoder(Charset charset);
  ~CharsetDecoder();
  CharsetDecoder(CharsetDecoder&&) noexcept;
  CharsetDecoder& operator=(CharsetDecoder&&) noexcept;

  void feed(std::string_view octets, std::string& out);
  // The text is at its end: a character that is cut off becomes U+FFFD.
  void finish(std::string& out);
  // How many U+FFFD stand for octets that are none of the charset's.
  [[nodiscard]] std::uint64_t replaced() const { return replaced_; }

 private:
  struct Iconv;
  void feed_single(std::string_view octets, std::string& out);
  void feed_utf8(std::string_view octets, std::string& out);
  void feed_utf16(std::string_view octets, std::string& out);
  void feed_iconv(std::string_view octets, std::string& out);
  void put_unit(char16_t unit, std::string& out);
  void replace(std::string& out);

  Charset charset_;
  bool at_start_ = true;
  std::string held_;        // of a character not whole yet
  char16_t surrogate_ = 0;  // the first of a pair
  std::unique_ptr<Iconv> iconv_;
  std::uint64_t replaced_ = 0;
};

[[nodiscard]] std::string to_utf8(std::string_view octets, Charset charset,
                                  std::uint64_t* replaced = nullptr);
// Octets that nobody labelled, or with a label nobody knows: UTF-8 if they are, else windows-1252.
[[nodiscard]] std::string raw_to_utf8(std::string_view octets);
// By a label, with raw_to_utf8() for none ("") and for an unknown one. What is labelled US-ASCII but
// has 8-bit octets is read as raw, too.
[[nodiscard]] std::string label_to_utf8(std::string_view octets, std::string_view label,
                                        std::uint64_t* replaced = nullptr);

// The same for a body that streams: without a usable label the first 8-bit octets decide (well-formed
// UTF-8 or not), because nothing can be taken back.
class TextDecoder {
 public:
  explicit TextDecoder(std::string_view label);
  void feed(std::string_view octets, std::string& out);
  void finish(std::string& out);
  [[nodiscard]] std::uint64_t replaced() const { return decoder_ ? decoder_->replaced() : 0; }
  // The label was there and is none we know.
  [[nodiscard]] bool unknown_label() const { return unknown_; }
  // What it is read as; nothing yet if it was ASCII so far and no label says more.
  [[nodiscard]] std::optional<Charset> charset() const { return charset_; }

 private:
  void decide(std::string& out);

  std::optional<Charset> charset_;
  std::optional<CharsetDecoder> decoder_;
  std::string held_;  // the first 8-bit octets, until they decide
  bool unknown_ = false;
};

}  // namespace posthorn::message
