#include "libmail/message/mime_parser.h"

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::message {
namespace {

bool is_identity(Encoding encoding) {
  return encoding != Encoding::base64 && encoding != Encoding::quoted_printable;
}

// Part::depth is one octet.
MimeLimits with_depth_that_fits(MimeLimits limits) {
  limits.depth = std::min<std::size_t>(limits.depth, UINT8_MAX);
  return limits;
}

// The first CR in `text` that no LF follows; one at its very end may still get its LF. `before`: the
// octet in front.
std::optional<std::uint64_t> find_bare_cr(std::string_view text, std::uint64_t offset,
                                          char before) {
  if (before == '\r' && !text.empty() && text.front() != '\n') return offset - 1;
  for (std::size_t at = text.find('\r'); at < text.size(); at = text.find('\r', at + 1)) {
    if (at + 1 < text.size() && text[at + 1] != '\n') return offset + at;
  }
  return std::nullopt;
}

}  // namespace

MimeParser::MimeParser(const MimeLimits& limits)
    : limits_(with_depth_that_fits(limits)),
      header_(limits_, tree_.anomalies),
      line_(limits_.field_bytes) {
  begin_part(Part::none, 0);
}

void MimeParser::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t taken = state_ == State::header ? feed_header(bytes) : feed_body(bytes);
    offset_ += taken;
    bytes.remove_prefix(taken);
  }
}

std::size_t MimeParser::feed_header(std::string_view bytes) {
  Line line;
  bool whole = false;
  const std::size_t taken = line_.take(bytes, offset_, line, whole);
  if (whole) take_header_line(line);
  return taken;
}

void MimeParser::take_header_line(const Line& line) {
  if (line.size == 0 && line.ended) {
    count_header_line(line);
    end_header(line.end());
    return;
  }
  if (take_delimiter(line)) return;
  count_header_line(line);
  header_.take(line);
}

void MimeParser::count_header_line(const Line& line) {
  if (!line.ended) return;
  ++lines_;
  last_end_crlf_ = line.crlf;
  if (!line.crlf) ++bare_lf_;
}

std::size_t MimeParser::feed_body(std::string_view bytes) {
  const bool boundaries = state_ == State::body && open_.any_boundary();
  if (in_candidate_ || (boundaries && previous_ == '\n' && bytes.front() == '-'))
    return feed_candidate(bytes);
  Tally tally;
  tally.run = run_;
  tally.previous = previous_;
  const std::size_t taken = scan_lines(bytes, boundaries ? StopAt::dash : StopAt::end, tally);
  if (tally.previous == '\n') last_end_crlf_ = (taken >= 2 ? bytes[taken - 2] : previous_) == '\r';
  count_body(tally, bytes.substr(0, taken), offset_);
  return taken;
}

// A line that begins with '-' is held together: whether it is a delimiter shows at its end.
std::size_t MimeParser::feed_candidate(std::string_view bytes) {
  if (!in_candidate_) {
    in_candidate_ = true;
    candidate_ = {};
    candidate_.previous = 0;
  }
  Line line;
  bool whole = false;
  const std::size_t taken = line_.take(bytes, offset_, line, whole);
  (void)scan_lines(bytes.substr(0, taken), StopAt::end, candidate_);
  if (whole) take_candidate(line);
  return taken;
}

void MimeParser::take_candidate(const Line& line) {
  in_candidate_ = false;
  if (take_delimiter(line)) return;
  last_end_crlf_ = line.ended ? line.crlf : last_end_crlf_;
  // The CR in front of the line end is not part of the text, so one at the end of it is bare.
  const bool bare_cr = candidate_.cr != candidate_.crlf && candidate_.previous == '\n';
  if (bare_cr && !bare_cr_at_)
    bare_cr_at_ = line.offset + std::min(line.text.find('\r'), line.text.size());
  count_body(candidate_, line.text, line.offset);
}

// What the octets of a body amount to. `text`: those that were counted, or their beginning.
void MimeParser::count_body(const Tally& tally, std::string_view text, std::uint64_t offset) {
  Part& part = tree_.parts[current_];
  lines_ += static_cast<std::uint32_t>(tally.lf);
  bare_lf_ += static_cast<std::uint32_t>(tally.bare_lf());
  if (tally.eight_bit) part.flags |= Part::eight_bit;
  if (tally.long_line) part.flags |= Part::long_line;
  if (tally.nul && !nul_at_) nul_at_ = offset + std::min(text.find('\0'), text.size());
  if (!bare_cr_at_ && (tally.cr != tally.crlf || previous_ == '\r'))
    bare_cr_at_ = find_bare_cr(text, offset, previous_);
  run_ = tally.run;
  previous_ = tally.previous;
}

bool MimeParser::take_delimiter(const Line& line) {
  const BoundaryMatch match = open_.match(line);
  using Kind = BoundaryMatch::Kind;
  if (match.kind == Kind::none) return false;
  if (match.kind == Kind::with_tail) {
    note(AnomalyKind::boundary_with_tail, line.offset);
    return false;
  }
  if (match.kind == Kind::after_close) {
    note(AnomalyKind::delimiter_after_close, line.offset);
    return false;
  }
  if (match.kind == Kind::delimiter && !parts_left()) {
    note(AnomalyKind::too_many_parts, line.offset);
    if (state_ == State::header) end_header(line.offset);
    state_ = State::rest;
    return false;
  }
  const std::uint64_t line_end = last_end_crlf_ ? 2 : 1;
  End end{line.offset - line_end, lines_ - 1, bare_lf_ - (last_end_crlf_ ? 0 : 1), false};
  while (state_ == State::header) cut_header(end);  // a message within has its own
  // Right behind an empty line, which is the header's: then there is no line end to be had.
  if (end.offset < tree_.parts[current_].body_begin) end = {line.offset, lines_, bare_lf_, false};
  close_above(match.level + 1, end);
  if (line.ended) {
    ++lines_;
    last_end_crlf_ = line.crlf;
    if (!line.crlf) ++bare_lf_;
  }
  if (match.kind == Kind::delimiter) {
    begin_part(open_.back().part, line.end());
    return true;
  }
  open_.back().closed = true;
  current_ = open_.back().part;
  tree_.parts[current_].flags |= Part::closed;
  state_ = State::body;
  previous_ = '\n';
  run_ = 0;
  return true;
}

void MimeParser::begin_part(std::uint32_t parent, std::uint64_t offset) {
  Part part;
  part.header_begin = part.body_begin = part.body_end = offset;
  part.parent = parent;
  part.header_lines = lines_;
  part.header_bare_lf = bare_lf_;
  const auto index = static_cast<std::uint32_t>(tree_.parts.size());
  bool whole_message = true;
  if (parent != Part::none) {
    part.depth = static_cast<std::uint8_t>(tree_.parts[parent].depth + 1);
    whole_message = !tree_.parts[parent].media.multipart();
    OpenPart& open = open_.back();
    if (open.last_child != Part::none) tree_.parts[open.last_child].next = index;
    open.last_child = index;
  }
  if (whole_message) part.flags |= Part::whole_message;
  tree_.parts.push_back(part);
  header_.begin(offset, whole_message);
  state_ = State::header;
}

void MimeParser::end_header(std::uint64_t body_begin) {
  const PartHeader header = header_.finish();
  Part& part = last_part();
  part.body_begin = part.body_end = body_begin;
  part.header_lines = lines_ - part.header_lines;
  part.header_bare_lf = bare_lf_ - part.header_bare_lf;
  part.body_lines = lines_;
  part.body_bare_lf = bare_lf_;
  part.media = header.media;
  part.encoding = header.encoding;
  if (header.default_type) {
    part.flags |= Part::default_type;
    const bool in_digest = part.parent != Part::none && open_.back().digest;
    part.media = in_digest ? MediaType{TopType::message, Subtype::rfc822} : MediaType{};
  }
  state_ = State::body;
  current_ = last_index();
  previous_ = '\n';
  run_ = 0;
  begin_body(header);
}

void MimeParser::begin_body(const PartHeader& header) {
  const bool composite = last_part().media.multipart() || last_part().media.message();
  if (!composite) return;
  const bool identity = is_identity(header.encoding);
  if (!identity) note(AnomalyKind::encoding_on_composite, header.encoding_offset);
  // An encoded message can't be taken apart where it stands, an encoded multipart can: its
  // delimiters are there if it isn't really encoded, and then everybody reads them.
  if (last_part().media.message() && !identity) {
    last_part().flags |= Part::opaque;
  } else if (last_part().depth >= limits_.depth) {
    last_part().flags |= Part::opaque;
    note(AnomalyKind::nesting_too_deep, last_part().header_begin);
  } else if (last_part().media.multipart()) {
    begin_multipart(header);
  } else {
    begin_message();
  }
}

void MimeParser::begin_multipart(const PartHeader& header) {
  Part& part = last_part();
  const bool too_long = header.boundary.size() > limits_.boundary;
  if (header.boundary.empty() || too_long) {
    part.flags |= Part::opaque;
    note(too_long ? AnomalyKind::boundary_too_long : AnomalyKind::multipart_without_boundary,
         header.type_offset);
    return;
  }
  if (open_.confusable(header.boundary)) note(AnomalyKind::boundary_reused, header.type_offset);
  open_.push(last_index(), header.boundary, part.media.sub == Subtype::digest);
}

void MimeParser::begin_message() {
  if (!parts_left()) {
    last_part().flags |= Part::opaque;
    note(AnomalyKind::too_many_parts, last_part().body_begin);
    return;
  }
  const std::uint32_t index = last_index();
  open_.push(index, {}, false);
  begin_part(index, last_part().body_begin);
}

// The last line end in front of the delimiter is the delimiter's.
void MimeParser::cut_header(const End& end) {
  Part& part = last_part();
  const bool empty = end.offset < part.header_begin && !end.of_message;
  if (!empty && part.header_begin != end.offset)
    note(AnomalyKind::unterminated_header, part.header_begin);
  if (empty) {
    end_header(part.header_begin);
    return;
  }
  const std::uint32_t lines = lines_;
  const std::uint32_t bare_lf = bare_lf_;
  lines_ = end.lines;
  bare_lf_ = end.bare_lf;
  end_header(end.offset);
  lines_ = lines;
  bare_lf_ = bare_lf;
}

// Ends every body that lies deeper than the outermost `levels` open parts.
void MimeParser::close_above(std::size_t levels, const End& end) {
  leave_body();
  if (open_.empty() || current_ != open_.back().part) close_body(current_, end);
  while (open_.size() > levels) close_container(end);
}

void MimeParser::close_container(const End& end) {
  const OpenPart open = open_.back();
  open_.pop();
  close_body(open.part, end);
  if (open.size == 0) return;
  const Part& part = tree_.parts[open.part];
  if (!open.closed) {
    note(end.of_message ? AnomalyKind::unclosed_multipart : AnomalyKind::implicitly_closed,
         part.body_end);
  }
  if (open.last_child == Part::none) note(AnomalyKind::multipart_without_parts, part.body_begin);
}

void MimeParser::close_body(std::uint32_t index, const End& end) {
  Part& part = tree_.parts[index];
  part.body_end = end.offset;
  part.body_lines = end.lines - part.body_lines;
  part.body_bare_lf = end.bare_lf - part.body_bare_lf;
  if (part.header_size() == 0 && part.body_size() == 0 && part.parent != Part::none)
    note(AnomalyKind::empty_part, part.header_begin);
  if (part.has(Part::eight_bit) && part.encoding == Encoding::seven_bit)
    note(AnomalyKind::undeclared_8bit, part.body_begin);
  if (part.has(Part::long_line)) note(AnomalyKind::line_too_long, part.body_begin);
}

// The octets that follow are not current_'s: what was found in those before is noted.
void MimeParser::leave_body() {
  Part& part = tree_.parts[current_];
  if (nul_at_ && !part.has(Part::nul)) {
    part.flags |= Part::nul;
    note(AnomalyKind::nul_in_body, *nul_at_);
  }
  if (bare_cr_at_ && !part.has(Part::bare_cr)) {
    part.flags |= Part::bare_cr;
    note(AnomalyKind::bare_cr_in_body, *bare_cr_at_);
  }
  nul_at_.reset();
  bare_cr_at_.reset();
}

void MimeParser::note_mixed_line_ends() {
  std::optional<bool> first_bare;
  for (const Part& part : tree_.parts) {
    const bool leaf = part.has(Part::opaque) || !(part.media.multipart() || part.media.message());
    const bool counts = leaf && part.encoding != Encoding::binary;
    const std::uint32_t lines = part.header_lines + (counts ? part.body_lines : 0);
    const std::uint32_t bare = part.header_bare_lf + (counts ? part.body_bare_lf : 0);
    if (lines == 0) continue;
    const bool all_bare = bare == lines;
    if (!first_bare) first_bare = all_bare;
    if ((bare != 0 && !all_bare) || *first_bare != all_bare) {
      note(AnomalyKind::mixed_line_ends, part.header_begin);
      return;
    }
  }
}

PartTree MimeParser::finish() {
  if (state_ == State::header && !line_.empty()) {
    take_header_line(line_.rest(offset_));
  } else if (in_candidate_) {
    take_candidate(line_.rest(offset_));
  }
  const End end{offset_, lines_, bare_lf_, true};
  while (state_ == State::header) cut_header(end);
  if (previous_ == '\r' && !bare_cr_at_) bare_cr_at_ = offset_ - 1;
  close_above(0, end);
  note_mixed_line_ends();
  return std::move(tree_);
}

PartTree parse_mime(std::string_view message, const MimeLimits& limits) {
  MimeParser parser(limits);
  parser.feed(message);
  return parser.finish();
}

}  // namespace posthorn::message
