#include "libmail/message/charset.h"

#include <iconv.h>

#include <array>
#include <cerrno>
#include <utility>

#include "libmail/base/text.h"
#include "libmail/message/charset_tables.h"

namespace posthorn::message {

namespace {

bool is_single(Charset charset) {
  return charset >= Charset::ibm866 && charset <= Charset::x_mac_cyrillic;
}

// What glibc calls the superset that mail of this label is really in.
const char* iconv_name(Charset charset) {
  switch (charset) {
    case Charset::gb18030:
      return "GB18030";
    case Charset::big5:
      return "BIG5-HKSCS";
    case Charset::euc_jp:
      return "EUC-JP-MS";
    case Charset::iso_2022_jp:
      return "ISO-2022-JP";
    case Charset::shift_jis:
      return "CP932";
    case Charset::euc_kr:
      return "UHC";
    default:
      return nullptr;
  }
}

constexpr std::string_view utf8_mark = "\xef\xbb\xbf";

}  // namespace

// A converter of glibc. Its modules are loaded from disk when they are first wanted; where that can't be (a
// sandbox without them) every octet above 127 becomes U+FFFD.
struct CharsetDecoder::Iconv {
  explicit Iconv(const char* name) : handle(iconv_open("UTF-8", name)) {}
  ~Iconv() {
    if (usable()) iconv_close(handle);
  }
  Iconv(const Iconv&) = delete;
  Iconv& operator=(const Iconv&) = delete;
  [[nodiscard]] bool usable() const { return handle != reinterpret_cast<iconv_t>(-1); }

  iconv_t handle;
};

CharsetDecoder::CharsetDecoder(Charset charset) : charset_(charset) {
  if (const char* name = iconv_name(charset)) iconv_ = std::make_unique<Iconv>(name);
}
CharsetDecoder::~CharsetDecoder() = default;
CharsetDecoder::CharsetDecoder(CharsetDecoder&&) noexcept = default;
CharsetDecoder& CharsetDecoder::operator=(CharsetDecoder&&) noexcept = default;

void CharsetDecoder::replace(std::string& out) {
  out.append(replacement_character);
  ++replaced_;
}

void CharsetDecoder::feed(std::string_view octets, std::string& out) {
  if (octets.empty()) return;
  if (is_single(charset_)) return feed_single(octets, out);
  if (charset_ == Charset::replacement) {
    if (at_start_) replace(out);
    at_start_ = false;
    return;
  }
  std::string joined;
  if (!held_.empty()) {
    joined = held_.append(octets);
    held_.clear();
    octets = joined;
  }
  if (charset_ == Charset::utf_8) return feed_utf8(octets, out);
  if (iconv_) return feed_iconv(octets, out);
  feed_utf16(octets, out);
}

void CharsetDecoder::feed_single(std::string_view octets, std::string& out) {
  const auto& table = charset_tables[static_cast<std::size_t>(charset_) -
                                     static_cast<std::size_t>(Charset::ibm866)];
  out.reserve(out.size() + octets.size());
  while (!octets.empty()) {
    const std::size_t ascii = ascii_prefix(octets);
    out.append(octets.substr(0, ascii));
    octets.remove_prefix(ascii);
    while (!octets.empty() && is_8bit(octets.front())) {
      const char16_t c = table[static_cast<unsigned char>(octets.front()) - 0x80u];
      if (c == 0xfffd) ++replaced_;
      append_utf8(out, c);
      octets.remove_prefix(1);
    }
  }
}

void CharsetDecoder::feed_utf8(std::string_view octets, std::string& out) {
  if (at_start_) {
    if (octets.size() < utf8_mark.size() && utf8_mark.starts_with(octets)) {
      held_.assign(octets);
      return;
    }
    if (octets.starts_with(utf8_mark)) octets.remove_prefix(utf8_mark.size());
    at_start_ = false;
  }
  while (!octets.empty()) {
    const Utf8Scan scan = scan_utf8(octets);
    out.append(octets.substr(0, scan.good));
    octets.remove_prefix(scan.good);
    if (scan.cut) {
      held_.assign(octets);
      return;
    }
    if (scan.bad != 0) replace(out);
    octets.remove_prefix(scan.bad);
  }
}

void CharsetDecoder::feed_utf16(std::string_view octets, std::string& out) {
  const auto at = [&octets](std::size_t i) {
    return static_cast<unsigned>(static_cast<unsigned char>(octets[i]));
  };
  while (octets.size() >= 2) {
    if (at_start_) {
      at_start_ = false;
      const bool big = at(0) == 0xfe && at(1) == 0xff;
      const bool little = at(0) == 0xff && at(1) == 0xfe;
      if (big) charset_ = Charset::utf_16be;
      if (little) charset_ = Charset::utf_16le;
      if (big || little) {
        octets.remove_prefix(2);
        continue;
      }
    }
    const bool big = charset_ == Charset::utf_16be;
    put_unit(static_cast<char16_t>(at(big ? 0 : 1) << 8 | at(big ? 1 : 0)), out);
    octets.remove_prefix(2);
  }
  held_.assign(octets);
}

void CharsetDecoder::put_unit(char16_t unit, std::string& out) {
  const bool high = unit >= 0xd800 && unit < 0xdc00;
  const bool low = unit >= 0xdc00 && unit < 0xe000;
  if (surrogate_ != 0) {
    const char16_t first = std::exchange(surrogate_, char16_t{0});
    if (low) {
      append_utf8(out, 0x10000u + ((first & 0x3ffu) << 10 | (unit & 0x3ffu)));
      return;
    }
    replace(out);
  }
  if (high) {
    surrogate_ = unit;
  } else if (low) {
    replace(out);
  } else {
    append_utf8(out, unit);
  }
}

void CharsetDecoder::feed_iconv(std::string_view octets, std::string& out) {
  constexpr std::size_t longest_character = 16;  // escapes of ISO-2022-JP counted
  if (!iconv_->usable()) {
    for (const char c : octets) is_8bit(c) ? replace(out) : out.push_back(c);
    return;
  }
  auto* in = const_cast<char*>(octets.data());  // iconv() only reads there
  std::size_t left = octets.size();
  while (left != 0) {
    std::array<char, 4096> room;
    char* to = room.data();
    std::size_t free = room.size();
    errno = 0;
    const std::size_t result = iconv(iconv_->handle, &in, &left, &to, &free);
    const int error = errno;
    out.append(room.data(), room.size() - free);
    if (result != static_cast<std::size_t>(-1) || left == 0) continue;
    if (error == EINVAL && left < longest_character) {
      held_.assign(in, left);
      return;
    }
    if (error == E2BIG && free != room.size()) continue;
    replace(out);
    ++in;
    --left;
  }
}

void CharsetDecoder::finish(std::string& out) {
  if (charset_ == Charset::utf_8 && at_start_ && !held_.empty()) at_start_ = false;
  if (!held_.empty() || surrogate_ != 0) replace(out);
  held_.clear();
  surrogate_ = 0;
  if (!iconv_ || !iconv_->usable()) return;
  std::array<char, 64> room;  // Big5 keeps a letter back that an accent may follow
  char* to = room.data();
  std::size_t free = room.size();
  (void)iconv(iconv_->handle, nullptr, nullptr, &to, &free);
  out.append(room.data(), room.size() - free);
}

std::string to_utf8(std::string_view octets, Charset charset, std::uint64_t* replaced) {
  CharsetDecoder decoder(charset);
  std::string out;
  decoder.feed(octets, out);
  decoder.finish(out);
  if (replaced != nullptr) *replaced += decoder.replaced();
  return out;
}

std::string raw_to_utf8(std::string_view octets) {
  return is_utf8(octets) ? std::string(octets) : to_utf8(octets, Charset::windows_1252);
}

namespace {

// "us-ascii" promises that there is nothing but ASCII; where that isn't true, the label says nothing.
std::optional<Charset> charset_of(std::string_view label) {
  label = trim(label);
  if (iequals(label, "us-ascii") || iequals(label, "ascii")) return std::nullopt;
  return find_charset(label);
}

}  // namespace

std::string label_to_utf8(std::string_view octets, std::string_view label,
                          std::uint64_t* replaced) {
  const auto charset = charset_of(label);
  return charset ? to_utf8(octets, *charset, replaced) : raw_to_utf8(octets);
}

TextDecoder::TextDecoder(std::string_view label)
    : charset_(charset_of(label)), unknown_(!trim(label).empty() && !find_charset(label)) {
  if (charset_) decoder_.emplace(*charset_);
}

void TextDecoder::feed(std::string_view octets, std::string& out) {
  if (decoder_) return decoder_->feed(octets, out);
  if (held_.empty()) {
    const std::size_t ascii = ascii_prefix(octets);
    out.append(octets.substr(0, ascii));
    octets.remove_prefix(ascii);
  }
  held_.append(octets);
  const Utf8Scan first = scan_utf8(std::string_view(held_).substr(0, 4));
  if (!held_.empty() && (first.good != 0 || !first.cut)) decide(out);
}

// held_ begins with an 8-bit octet.
void TextDecoder::decide(std::string& out) {
  charset_ = scan_utf8(held_).good != 0 ? Charset::utf_8 : Charset::windows_1252;
  decoder_.emplace(*charset_);
  decoder_->feed(held_, out);
  held_.clear();
}

void TextDecoder::finish(std::string& out) {
  if (!held_.empty()) decide(out);
  if (decoder_) decoder_->finish(out);
}

}  // namespace posthorn::message
