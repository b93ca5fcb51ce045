// Finds the parts of a message (RFC 5322, RFC 2045, RFC 2046) in one pass.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "libmail/message/boundaries.h"
#include "libmail/message/limits.h"
#include "libmail/message/line_scan.h"
#include "libmail/message/part_header.h"
#include "libmail/message/part_tree.h"

namespace posthorn::message {

// Takes a message in pieces cut anywhere and never fails: whatever the octets are, there is a tree,
// and what was wrong stands in its anomalies. The same octets give the same tree however they are
// cut. Time is linear in the message; memory is the tree (parts), one line (field_bytes) and the
// open boundaries, whatever the message holds. CRLF and LF both end a line.
class MimeParser {
 public:
  explicit MimeParser(const MimeLimits& limits = {});
  MimeParser(const MimeParser&) = delete;
  MimeParser& operator=(const MimeParser&) = delete;

  void feed(std::string_view bytes);
  // The message is at its end. The parser is spent.
  [[nodiscard]] PartTree finish();

 private:
  enum class State : std::uint8_t {
    header,  // of the last part
    body,    // of current_: a leaf, or the preamble or epilogue of a multipart
    rest,    // too many parts: no line is a delimiter any more
  };
  // Where bodies end: in front of a delimiter with its line end, or with the message.
  struct End {
    std::uint64_t offset = 0;
    std::uint32_t lines = 0;  // line feeds in front of it
    std::uint32_t bare_lf = 0;
    bool of_message = false;
  };

  std::size_t feed_header(std::string_view bytes);
  std::size_t feed_body(std::string_view bytes);
  std::size_t feed_candidate(std::string_view bytes);
  void take_header_line(const Line& line);
  void take_candidate(const Line& line);
  // False if the line is no delimiter that counts.
  bool take_delimiter(const Line& line);
  void count_header_line(const Line& line);
  void count_body(const Tally& tally, std::string_view text, std::uint64_t offset);

  void begin_part(std::uint32_t parent, std::uint64_t offset);
  void end_header(std::uint64_t body_begin);
  void begin_body(const PartHeader& header);
  void begin_multipart(const PartHeader& header);
  void begin_message();
  // The header of the last part ends without an empty line.
  void cut_header(const End& end);
  void close_above(std::size_t levels, const End& end);
  void close_container(const End& end);
  void close_body(std::uint32_t index, const End& end);
  void leave_body();

  [[nodiscard]] Part& last_part() { return tree_.parts.back(); }
  [[nodiscard]] std::uint32_t last_index() const {
    return static_cast<std::uint32_t>(tree_.parts.size() - 1);
  }
  [[nodiscard]] bool parts_left() const { return tree_.parts.size() < limits_.parts; }
  void note_mixed_line_ends();
  void note(AnomalyKind kind, std::uint64_t offset) { tree_.anomalies.add(kind, offset); }

  MimeLimits limits_;
  PartTree tree_;
  OpenParts open_;
  PartHeaderReader header_;
  LineBuffer line_;
  State state_ = State::header;
  std::uint32_t current_ = 0;
  std::uint64_t offset_ = 0;  // of the next octet
  // Of the whole message so far; the tree's counts are differences of these.
  std::uint32_t lines_ = 0;
  std::uint32_t bare_lf_ = 0;
  bool last_end_crlf_ = false;  // of the last line
  // Of the body that is read.
  std::uint64_t run_ = 0;
  char previous_ = '\n';
  bool in_candidate_ = false;
  Tally candidate_;
  std::optional<std::uint64_t> nul_at_;
  std::optional<std::uint64_t> bare_cr_at_;
};

// All at once.
[[nodiscard]] PartTree parse_mime(std::string_view message, const MimeLimits& limits = {});

}  // namespace posthorn::message
