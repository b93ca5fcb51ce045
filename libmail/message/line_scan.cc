#include "libmail/message/line_scan.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace posthorn::message {
namespace {

// One octet.
void count(char c, Tally& tally) {
  if (c == '\n') {
    ++tally.lf;
    if (tally.previous == '\r') {
      ++tally.crlf;
      if (tally.run > 0) --tally.run;
    }
    if (tally.run > longest_line) tally.long_line = true;
    tally.run = 0;
  } else {
    ++tally.run;
    if (c == '\r') ++tally.cr;
    if (c == 0) tally.nul = true;
    if (static_cast<unsigned char>(c) > 127) tally.eight_bit = true;
    // The last octet may be the CR of the line end.
    if (tally.run > longest_line + 1) tally.long_line = true;
  }
  tally.previous = c;
}

#if defined(__x86_64__)

// Lines in a piece that is too long for short lines only: exact, by memchr.
void measure_lines(std::string_view piece, Tally& tally) {
  std::size_t at = 0;
  while (at < piece.size()) {
    const auto* found =
        static_cast<const char*>(std::memchr(piece.data() + at, '\n', piece.size() - at));
    const std::size_t end =
        found == nullptr ? piece.size() : static_cast<std::size_t>(found - piece.data());
    std::uint64_t run = tally.run + (end - at);
    if (found != nullptr) {
      const char before = end > 0 ? piece[end - 1] : tally.previous;
      if (before == '\r' && run > 0) --run;
      if (run > longest_line) tally.long_line = true;
      tally.run = 0;
      at = end + 1;
    } else {
      if (run > longest_line + 1) tally.long_line = true;
      tally.run = run;
      at = end;
    }
  }
}

constexpr std::size_t block = 64;
// Octets between two looks at the longest gap.
constexpr std::size_t piece_size = 32 * 1024;

// The end of a piece of whole blocks: what the vector loop found out goes into the tally.
void end_piece(std::string_view piece, std::size_t longest_gap, Tally& tally) {
  if (tally.run + (longest_gap + 2) * block > longest_line) {
    measure_lines(piece, tally);
  } else {
    const std::size_t last = piece.rfind('\n');
    tally.run = last == std::string_view::npos ? tally.run + piece.size() : piece.size() - last - 1;
  }
  tally.previous = piece.back();
}

// Both vector loops look at each octet and at the one in front of it, which is a second load: lines
// begin and end between two octets. The octet in front of the first one is in the tally, so the
// first octet is counted by itself before.
struct Piece {
  const char* begin;
  std::size_t blocks;
  std::size_t done = 0;  // blocks counted
  std::size_t longest_gap = 0;
  bool stopped = false;  // a '-' that begins a line is in the block behind
};

__attribute__((target("avx2"))) void count_avx2(Piece& piece, bool stop_at_dash, Tally& tally) {
  const __m256i lf = _mm256_set1_epi8('\n');
  const __m256i cr = _mm256_set1_epi8('\r');
  const __m256i dash = _mm256_set1_epi8('-');
  const __m256i zero = _mm256_setzero_si256();
  __m256i lf_total = zero, crlf_total = zero, cr_total = zero, any = zero;
  __m256i least = _mm256_set1_epi8(-1);
  std::size_t gap = 0;
  while (piece.done < piece.blocks) {
    __m256i lf_count = zero, crlf_count = zero, cr_count = zero;
    const std::size_t end = std::min(piece.blocks, piece.done + 100);
    for (; piece.done < end; ++piece.done) {
      const char* at = piece.begin + piece.done * block;
      const auto* here = reinterpret_cast<const __m256i*>(at);
      const auto* before = reinterpret_cast<const __m256i*>(at - 1);
      const __m256i a = _mm256_loadu_si256(here), b = _mm256_loadu_si256(here + 1);
      const __m256i pa = _mm256_loadu_si256(before), pb = _mm256_loadu_si256(before + 1);
      if (stop_at_dash) {
        const __m256i starts = _mm256_or_si256(
            _mm256_and_si256(_mm256_cmpeq_epi8(a, dash), _mm256_cmpeq_epi8(pa, lf)),
            _mm256_and_si256(_mm256_cmpeq_epi8(b, dash), _mm256_cmpeq_epi8(pb, lf)));
        if (_mm256_testz_si256(starts, starts) == 0) {
          piece.stopped = true;
          break;
        }
      }
      const __m256i lf_a = _mm256_cmpeq_epi8(a, lf), lf_b = _mm256_cmpeq_epi8(b, lf);
      const __m256i cr_a = _mm256_cmpeq_epi8(pa, cr), cr_b = _mm256_cmpeq_epi8(pb, cr);
      lf_count = _mm256_sub_epi8(lf_count, _mm256_add_epi8(lf_a, lf_b));
      cr_count = _mm256_sub_epi8(cr_count, _mm256_add_epi8(cr_a, cr_b));
      crlf_count = _mm256_sub_epi8(
          crlf_count, _mm256_add_epi8(_mm256_and_si256(lf_a, cr_a), _mm256_and_si256(lf_b, cr_b)));
      any = _mm256_or_si256(any, _mm256_or_si256(a, b));
      least = _mm256_min_epu8(least, _mm256_min_epu8(a, b));
      const __m256i ends = _mm256_or_si256(lf_a, lf_b);
      gap = _mm256_testz_si256(ends, ends) != 0 ? gap + 1 : 0;
      piece.longest_gap = std::max(piece.longest_gap, gap);
    }
    lf_total = _mm256_add_epi64(lf_total, _mm256_sad_epu8(lf_count, zero));
    crlf_total = _mm256_add_epi64(crlf_total, _mm256_sad_epu8(crlf_count, zero));
    cr_total = _mm256_add_epi64(cr_total, _mm256_sad_epu8(cr_count, zero));
    if (piece.stopped) break;
  }
  const auto sum = [](__m256i v) __attribute__((target("avx2"))) {
    return static_cast<std::uint64_t>(_mm256_extract_epi64(v, 0)) +
           static_cast<std::uint64_t>(_mm256_extract_epi64(v, 1)) +
           static_cast<std::uint64_t>(_mm256_extract_epi64(v, 2)) +
           static_cast<std::uint64_t>(_mm256_extract_epi64(v, 3));
  };
  tally.lf += sum(lf_total);
  tally.crlf += sum(crlf_total);
  tally.cr += sum(cr_total);
  tally.eight_bit |= _mm256_movemask_epi8(any) != 0;
  tally.nul |= _mm256_movemask_epi8(_mm256_cmpeq_epi8(least, zero)) != 0;
}

void count_sse2(Piece& piece, bool stop_at_dash, Tally& tally) {
  const __m128i lf = _mm_set1_epi8('\n');
  const __m128i cr = _mm_set1_epi8('\r');
  const __m128i dash = _mm_set1_epi8('-');
  const __m128i zero = _mm_setzero_si128();
  __m128i lf_total = zero, crlf_total = zero, cr_total = zero, any = zero;
  __m128i least = _mm_set1_epi8(-1);
  std::size_t gap = 0;
  while (piece.done < piece.blocks) {
    __m128i lf_count = zero, crlf_count = zero, cr_count = zero;
    const std::size_t end = std::min(piece.blocks, piece.done + 60);
    for (; piece.done < end; ++piece.done) {
      const char* at = piece.begin + piece.done * block;
      __m128i ends = zero, starts = zero;
      __m128i lfs = zero, crs = zero, crlfs = zero;
      for (int i = 0; i < 4; ++i) {
        const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 16 * i));
        const __m128i p = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 16 * i - 1));
        const __m128i is_lf = _mm_cmpeq_epi8(a, lf);
        const __m128i was_cr = _mm_cmpeq_epi8(p, cr);
        starts =
            _mm_or_si128(starts, _mm_and_si128(_mm_cmpeq_epi8(a, dash), _mm_cmpeq_epi8(p, lf)));
        ends = _mm_or_si128(ends, is_lf);
        lfs = _mm_add_epi8(lfs, is_lf);
        crs = _mm_add_epi8(crs, was_cr);
        crlfs = _mm_add_epi8(crlfs, _mm_and_si128(is_lf, was_cr));
        any = _mm_or_si128(any, a);
        least = _mm_min_epu8(least, a);
      }
      if (stop_at_dash && _mm_movemask_epi8(starts) != 0) {
        piece.stopped = true;
        break;
      }
      lf_count = _mm_sub_epi8(lf_count, lfs);
      cr_count = _mm_sub_epi8(cr_count, crs);
      crlf_count = _mm_sub_epi8(crlf_count, crlfs);
      gap = _mm_movemask_epi8(ends) == 0 ? gap + 1 : 0;
      piece.longest_gap = std::max(piece.longest_gap, gap);
    }
    lf_total = _mm_add_epi64(lf_total, _mm_sad_epu8(lf_count, zero));
    crlf_total = _mm_add_epi64(crlf_total, _mm_sad_epu8(crlf_count, zero));
    cr_total = _mm_add_epi64(cr_total, _mm_sad_epu8(cr_count, zero));
    if (piece.stopped) break;
  }
  const auto sum = [](__m128i v) {
    return static_cast<std::uint64_t>(_mm_cvtsi128_si64(v)) +
           static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_srli_si128(v, 8)));
  };
  tally.lf += sum(lf_total);
  tally.crlf += sum(crlf_total);
  tally.cr += sum(cr_total);
  tally.eight_bit |= _mm_movemask_epi8(any) != 0;
  tally.nul |= _mm_movemask_epi8(_mm_cmpeq_epi8(least, zero)) != 0;
}

using CountBlocks = void (*)(Piece&, bool, Tally&);

CountBlocks choose(Instructions with) {
  static const bool avx2 = __builtin_cpu_supports("avx2") != 0;
  return avx2 && with == Instructions::best ? count_avx2 : count_sse2;
}

// Whole blocks of at most one piece from `at` on, which is not the first octet. Returns the octets
// taken; `stopped`: a candidate is in the next block.
std::size_t scan_piece(std::string_view bytes, std::size_t at, StopAt stop, Tally& tally,
                       CountBlocks count_blocks, bool& stopped) {
  Piece piece{bytes.data() + at, std::min(bytes.size() - at, piece_size) / block};
  // The loops count CRs as "in front of this octet": one that was counted when it came must not be
  // counted again, the last one of the piece must be.
  if (tally.previous == '\r') --tally.cr;
  count_blocks(piece, stop == StopAt::dash, tally);
  const std::string_view taken(piece.begin, piece.done * block);
  if ((taken.empty() ? tally.previous : taken.back()) == '\r') ++tally.cr;
  if (!taken.empty()) end_piece(taken, piece.longest_gap, tally);
  stopped = piece.stopped;
  return taken.size();
}

#endif

// The reference, octet by octet, and what is done with less than two blocks.
std::size_t scan_octets(std::string_view bytes, StopAt stop, Tally& tally) {
  std::size_t at = 0;
  for (; at < bytes.size(); ++at) {
    if (stop == StopAt::dash && bytes[at] == '-' && tally.previous == '\n') break;
    count(bytes[at], tally);
  }
  return at;
}

}  // namespace

std::size_t scan_lines(std::string_view bytes, StopAt stop, Tally& tally, Instructions with) {
#if defined(__x86_64__)
  if (bytes.size() >= 2 * block && with != Instructions::scalar) {
    std::size_t at = scan_octets(bytes.substr(0, 1), stop, tally);
    if (at == 0) return 0;
    const CountBlocks count_blocks = choose(with);
    bool stopped = false;
    while (!stopped && bytes.size() - at >= block)
      at += scan_piece(bytes, at, stop, tally, count_blocks, stopped);
    return at + scan_octets(bytes.substr(at), stop, tally);
  }
#endif
  (void)with;
  return scan_octets(bytes, stop, tally);
}

void LineBuffer::clear() {
  text_.clear();
  size_ = 0;
  blank_tail_ = true;
  last_cr_ = false;
}

void LineBuffer::keep(std::string_view piece) {
  if (size_ == 0) clear();
  if (piece.empty()) return;
  const std::size_t kept = std::min(piece.size(), limit_ - std::min(limit_, text_.size()));
  text_.append(piece.substr(0, kept));
  blank_tail_ = blank_tail_ && piece.find_first_not_of(" \t\r", kept) == std::string_view::npos;
  size_ += piece.size();
  last_cr_ = piece.back() == '\r';
}

std::size_t LineBuffer::take(std::string_view bytes, std::uint64_t offset, Line& line,
                             bool& whole) {
  const std::size_t newline = bytes.find('\n');
  whole = newline != std::string_view::npos;
  if (whole && size_ == 0 && newline <= limit_) {
    const bool crlf = newline > 0 && bytes[newline - 1] == '\r';
    const std::size_t size = newline - (crlf ? 1 : 0);
    line = {bytes.substr(0, size), offset, size, true, crlf, true};
    return newline + 1;
  }
  const std::string_view piece = bytes.substr(0, newline);
  const std::uint64_t begin = offset - size_;
  keep(piece);
  if (!whole) return piece.size();
  line = rest(begin + size_);
  line.ended = true;
  line.crlf = last_cr_;
  if (line.crlf) {
    --line.size;
    if (line.text.size() > line.size) line.text.remove_suffix(1);
  }
  size_ = 0;
  return newline + 1;
}

Line LineBuffer::rest(std::uint64_t offset) {
  return {text_, offset - size_, size_, false, false, blank_tail_};
}

}  // namespace posthorn::message
