#include "libmail/base/base64_run.h"

#include <array>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace posthorn::base64 {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t none = 0xff;

constexpr auto make_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(none);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}
constexpr auto values = make_values();

// Each character's six bits where they stand in the group's 24; bit 31 for what is no character.
constexpr auto make_shifted() {
  std::array<std::array<std::uint32_t, 256>, 4> shifted{};
  for (std::size_t place = 0; place < 4; ++place) {
    for (std::size_t c = 0; c < 256; ++c) {
      shifted[place][c] =
          values[c] == none ? 0x80000000u : std::uint32_t{values[c]} << (18 - 6 * place);
    }
  }
  return shifted;
}
constexpr auto shifted = make_shifted();

constexpr std::uint32_t no_group = 0x80000000u;

std::uint32_t group_at(const char* text) {
  const auto at = [&](std::size_t i) { return shifted[i][static_cast<unsigned char>(text[i])]; };
  return at(0) | at(1) | at(2) | at(3);
}

void write_octets(std::uint32_t group, char* out) {
  out[0] = static_cast<char>(group >> 16);
  out[1] = static_cast<char>(group >> 8);
  out[2] = static_cast<char>(group);
}

// The octets of a line end at the front of `text`, 0 if there is none.
std::size_t line_end(const char* text, const char* end) {
  if (text != end && *text == '\n') return 1;
  return end - text >= 2 && text[0] == '\r' && text[1] == '\n' ? 2 : 0;
}

Run decode_scalar(std::string_view text, char* out, LineEnds ends) {
  const char* in = text.data();
  const char* const end = in + text.size();
  char* const begin = out;
  while (true) {
    while (end - in >= 4) {
      const std::uint32_t group = group_at(in);
      if (group >= no_group) break;
      write_octets(group, out);
      in += 4;
      out += 3;
    }
    const std::size_t skip = ends == LineEnds::skip ? line_end(in, end) : 0;
    if (skip == 0) break;
    in += skip;
  }
  return {static_cast<std::size_t>(in - text.data()), static_cast<std::size_t>(out - begin)};
}

Run encode_scalar(std::string_view octets, char* out) {
  std::size_t in = 0;
  char* const begin = out;
  for (; in + 3 <= octets.size(); in += 3) {
    const auto at = [&](std::size_t i) {
      return std::uint32_t{static_cast<unsigned char>(octets[in + i])};
    };
    const std::uint32_t group = at(0) << 16 | at(1) << 8 | at(2);
    *out++ = alphabet[group >> 18];
    *out++ = alphabet[group >> 12 & 63];
    *out++ = alphabet[group >> 6 & 63];
    *out++ = alphabet[group & 63];
  }
  return {in, static_cast<std::size_t>(out - begin)};
}

#if defined(__x86_64__)

// A character is judged by its two halves: the upper one has a class bit, the lower one the classes in
// which it makes no character; both have a bit in common if it is none. The distance from a character
// to its value hangs on the upper half alone, but for '/', which takes the free entry 1.
struct Nibbles {
  std::array<std::int8_t, 16> upper{};
  std::array<std::int8_t, 16> lower{};
  std::array<std::int8_t, 16> distance{};
};

constexpr unsigned class_of(unsigned upper) {
  switch (upper) {
    case 2:
      return 0;
    case 3:
      return 1;
    case 4:
    case 6:
      return 2;
    case 5:
    case 7:
      return 3;
    default:
      return 4;
  }
}

constexpr Nibbles make_nibbles() {
  Nibbles table;
  for (unsigned c = 0; c < 256; ++c) {
    const unsigned upper = c >> 4;
    const unsigned lower = c & 15;
    table.upper[upper] = static_cast<std::int8_t>(1u << class_of(upper));
    if (values[c] == none) {
      table.lower[lower] = static_cast<std::int8_t>(table.lower[lower] | (1 << class_of(upper)));
    } else {
      table.distance[c == '/' ? 1 : upper] =
          static_cast<std::int8_t>(values[c] - static_cast<int>(c));
    }
  }
  return table;
}
constexpr Nibbles nibbles = make_nibbles();

// From a value to its character, by the kind of value: 0 a-z, 1 to 10 digits, 11 '+', 12 '/', 13 A-Z.
constexpr std::array<std::int8_t, 16> to_character = {
    'a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
    '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A',      0,        0};

__attribute__((target("ssse3"))) inline __m128i load16(const void* from) {
  return _mm_loadu_si128(static_cast<const __m128i*>(from));
}

// Decodes 16 characters of which the first `*valid` are of the alphabet; the others give rubbish.
__attribute__((target("ssse3"))) inline __m128i decode16(__m128i text, unsigned* valid) {
  const __m128i low_half = _mm_set1_epi8(0x0f);
  const __m128i upper = _mm_and_si128(_mm_srli_epi32(text, 4), low_half);
  const __m128i lower = _mm_and_si128(text, low_half);
  const __m128i wrong = _mm_and_si128(_mm_shuffle_epi8(load16(nibbles.upper.data()), upper),
                                      _mm_shuffle_epi8(load16(nibbles.lower.data()), lower));
  const auto right =
      static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(wrong, _mm_setzero_si128())));
  *valid = static_cast<unsigned>(__builtin_ctz(~right | 0x10000u));
  const __m128i slash = _mm_cmpeq_epi8(text, _mm_set1_epi8('/'));
  const __m128i distance =
      _mm_shuffle_epi8(load16(nibbles.distance.data()), _mm_add_epi8(upper, slash));
  const __m128i six = _mm_add_epi8(text, distance);
  const __m128i twelve = _mm_maddubs_epi16(six, _mm_set1_epi32(0x01400140));
  const __m128i all = _mm_madd_epi16(twelve, _mm_set1_epi32(0x00011000));
  return _mm_shuffle_epi8(all,
                          _mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1));
}

// Lines of 76 characters and CRLF, as almost everybody writes them: where the next load is hangs on no
// character, so that lines overlap in the processor. Ends before the first line that isn't one.
__attribute__((target("ssse3"))) void decode_lines16(const char*& in, const char* end, char*& out) {
  constexpr std::array<std::size_t, 5> places = {0, 16, 32, 48, 60};  // one group twice
  while (end - in >= 78 && in[76] == '\r' && in[77] == '\n') {
    __m128i octets[places.size()];
    unsigned valid = 0;
    for (std::size_t i = 0; i < places.size(); ++i) {
      unsigned here = 0;
      octets[i] = decode16(load16(in + places[i]), &here);
      valid += here;
    }
    if (valid != 16 * places.size()) return;
    for (std::size_t i = 0; i < places.size(); ++i)
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + places[i] / 4 * 3), octets[i]);
    in += 78;
    out += 57;
  }
}

__attribute__((target("ssse3"))) Run decode_ssse3(std::string_view text, char* out, LineEnds ends) {
  const char* in = text.data();
  const char* const end = in + text.size();
  char* const begin = out;
  if (ends == LineEnds::skip) decode_lines16(in, end, out);
  while (end - in >= 16) {
    unsigned valid = 0;
    const __m128i octets = decode16(load16(in), &valid);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), octets);
    const unsigned groups = valid / 4;
    in += groups * std::size_t{4};
    out += groups * std::size_t{3};
    if (valid == 16) continue;
    const std::size_t skip = ends == LineEnds::skip ? line_end(in, end) : 0;
    if (skip == 0) break;
    in += skip;
    decode_lines16(in, end, out);
  }
  const auto read = static_cast<std::size_t>(in - text.data());
  const Run rest = decode_scalar(text.substr(read), out, ends);
  return {read + rest.read, static_cast<std::size_t>(out - begin) + rest.written};
}

__attribute__((target("avx2"))) inline __m256i twice(const std::array<std::int8_t, 16>& table) {
  return _mm256_broadcastsi128_si256(
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(table.data())));
}

__attribute__((target("avx2"))) inline __m256i decode32(__m256i text, unsigned* valid) {
  const __m256i low_half = _mm256_set1_epi8(0x0f);
  const __m256i upper = _mm256_and_si256(_mm256_srli_epi32(text, 4), low_half);
  const __m256i lower = _mm256_and_si256(text, low_half);
  const __m256i wrong = _mm256_and_si256(_mm256_shuffle_epi8(twice(nibbles.upper), upper),
                                         _mm256_shuffle_epi8(twice(nibbles.lower), lower));
  const auto right =
      static_cast<unsigned>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(wrong, _mm256_setzero_si256())));
  *valid = right == 0xffffffffu ? 32u : static_cast<unsigned>(__builtin_ctz(~right));
  const __m256i slash = _mm256_cmpeq_epi8(text, _mm256_set1_epi8('/'));
  const __m256i distance =
      _mm256_shuffle_epi8(twice(nibbles.distance), _mm256_add_epi8(upper, slash));
  const __m256i six = _mm256_add_epi8(text, distance);
  const __m256i twelve = _mm256_maddubs_epi16(six, _mm256_set1_epi32(0x01400140));
  const __m256i all = _mm256_madd_epi16(twelve, _mm256_set1_epi32(0x00011000));
  const __m256i packed =
      _mm256_shuffle_epi8(all, _mm256_broadcastsi128_si256(_mm_setr_epi8(
                                   2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1)));
  return _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7));
}

// decode_lines16() with more room.
__attribute__((target("avx2"))) void decode_lines32(const char*& in, const char* end, char*& out) {
  while (end - in >= 78 && in[76] == '\r' && in[77] == '\n') {
    unsigned first = 0;
    unsigned second = 0;
    unsigned third = 0;
    const __m256i one = decode32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(in)), &first);
    const __m256i two =
        decode32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + 32)), &second);
    const __m128i three = decode16(load16(in + 60), &third);  // one group for the second time
    if (first + second + third != 32 + 32 + 16) return;
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), one);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 24), two);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 45), three);
    in += 78;
    out += 57;
  }
}

__attribute__((target("avx2"))) Run decode_avx2(std::string_view text, char* out, LineEnds ends) {
  const char* in = text.data();
  const char* const end = in + text.size();
  char* const begin = out;
  if (ends == LineEnds::skip) decode_lines32(in, end, out);
  while (end - in >= 32) {
    unsigned valid = 0;
    const __m256i octets =
        decode32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(in)), &valid);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), octets);
    const unsigned groups = valid / 4;
    in += groups * std::size_t{4};
    out += groups * std::size_t{3};
    if (valid == 32) continue;
    const std::size_t skip = ends == LineEnds::skip ? line_end(in, end) : 0;
    if (skip == 0) break;
    in += skip;
    decode_lines32(in, end, out);
  }
  const auto read = static_cast<std::size_t>(in - text.data());
  const Run rest = decode_scalar(text.substr(read), out, ends);
  return {read + rest.read, static_cast<std::size_t>(out - begin) + rest.written};
}

// Twelve octets at the front of `octets` to 16 characters.
__attribute__((target("ssse3"))) inline __m128i encode12(__m128i octets) {
  // Each group's three octets as two 16-bit words, so that a multiplication shifts every six bits
  // to an octet of their own.
  const __m128i words =
      _mm_shuffle_epi8(octets, _mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10));
  const __m128i odd =
      _mm_mulhi_epu16(_mm_and_si128(words, _mm_set1_epi32(0x0fc0fc00)), _mm_set1_epi32(0x04000040));
  const __m128i even =
      _mm_mullo_epi16(_mm_and_si128(words, _mm_set1_epi32(0x003f03f0)), _mm_set1_epi32(0x01000010));
  const __m128i six = _mm_or_si128(odd, even);
  const __m128i capital = _mm_and_si128(_mm_cmplt_epi8(six, _mm_set1_epi8(26)), _mm_set1_epi8(13));
  const __m128i kind = _mm_or_si128(_mm_subs_epu8(six, _mm_set1_epi8(51)), capital);
  return _mm_add_epi8(six, _mm_shuffle_epi8(load16(to_character.data()), kind));
}

__attribute__((target("ssse3"))) Run encode_ssse3(std::string_view octets, char* out) {
  std::size_t in = 0;
  char* const begin = out;
  for (; in + 16 <= octets.size(); in += 12, out += 16) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), encode12(load16(octets.data() + in)));
  }
  const Run rest = encode_scalar(octets.substr(in), out);
  return {in + rest.read, static_cast<std::size_t>(out - begin) + rest.written};
}

__attribute__((target("avx2"))) inline __m256i encode24(__m256i octets) {
  const __m256i words =
      _mm256_shuffle_epi8(octets, _mm256_broadcastsi128_si256(_mm_setr_epi8(
                                      1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10)));
  const __m256i odd = _mm256_mulhi_epu16(_mm256_and_si256(words, _mm256_set1_epi32(0x0fc0fc00)),
                                         _mm256_set1_epi32(0x04000040));
  const __m256i even = _mm256_mullo_epi16(_mm256_and_si256(words, _mm256_set1_epi32(0x003f03f0)),
                                          _mm256_set1_epi32(0x01000010));
  const __m256i six = _mm256_or_si256(odd, even);
  const __m256i capital =
      _mm256_and_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(26), six), _mm256_set1_epi8(13));
  const __m256i kind = _mm256_or_si256(_mm256_subs_epu8(six, _mm256_set1_epi8(51)), capital);
  return _mm256_add_epi8(six, _mm256_shuffle_epi8(twice(to_character), kind));
}

__attribute__((target("avx2"))) Run encode_avx2(std::string_view octets, char* out) {
  std::size_t in = 0;
  char* const begin = out;
  for (; in + 28 <= octets.size(); in += 24, out += 32) {
    const auto* from = reinterpret_cast<const __m128i*>(octets.data() + in);
    const auto* second = reinterpret_cast<const __m128i*>(octets.data() + in + 12);
    const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(from)),
                                                 _mm_loadu_si128(second), 1);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), encode24(both));
  }
  const Run rest = encode_scalar(octets.substr(in), out);
  return {in + rest.read, static_cast<std::size_t>(out - begin) + rest.written};
}

#endif

std::vector<Kernel> find_kernels() {
  std::vector<Kernel> found = {Kernel::scalar};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("ssse3")) found.push_back(Kernel::ssse3);
  if (__builtin_cpu_supports("avx2")) found.push_back(Kernel::avx2);
#endif
  return found;
}

}  // namespace

const std::vector<Kernel>& kernels() {
  static const std::vector<Kernel> found = find_kernels();
  return found;
}

Run decode_run(std::string_view text, char* out, LineEnds ends, Kernel kernel) {
#if defined(__x86_64__)
  if (kernel == Kernel::avx2) return decode_avx2(text, out, ends);
  if (kernel == Kernel::ssse3) return decode_ssse3(text, out, ends);
#else
  (void)kernel;
#endif
  return decode_scalar(text, out, ends);
}

Run encode_run(std::string_view octets, char* out, Kernel kernel) {
#if defined(__x86_64__)
  if (kernel == Kernel::avx2) return encode_avx2(octets, out);
  if (kernel == Kernel::ssse3) return encode_ssse3(octets, out);
#else
  (void)kernel;
#endif
  return encode_scalar(octets, out);
}

std::uint8_t value_of(char c) {
  return values[static_cast<unsigned char>(c)];
}

char character_of(std::uint32_t value) {
  return alphabet[value];
}

}  // namespace posthorn::base64
