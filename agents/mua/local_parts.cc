#include "agents/mua/local_parts.h"

#include <algorithm>

#include "agents/mua/envelope.h"
#include "libmail/base/crlf.h"
#include "libmail/message/message_view.h"
#include "libmail/message/mime_parser.h"

namespace posthorn::mua {

using store::StoreResult;

namespace {

// Every piece with CRLF line ends; false stops.
StoreResult<void> each_piece(const OpenMessage& open, const Sink& sink) {
  const auto source = open();
  if (!source) return fail(source.error());
  bool after_cr = false;
  std::string wire;
  for (;;) {
    const auto octets = (*source)->read(Octets::piece);
    if (!octets) return fail(octets.error());
    if (octets->empty()) return {};
    wire.clear();
    append_crlf(*octets, after_cr, wire);
    if (!sink(wire)) return {};
  }
}

// The headers of all parts one behind the other, and in `tree` their places there: bodies are empty.
class Headers {
 public:
  explicit Headers(message::PartTree& tree) : tree_(tree) {
    for (const message::Part& part : tree_.parts) {
      wanted_.push_back({part.header_begin, part.body_begin});
      end_ = std::max(end_, part.body_begin);
    }
  }
  // A piece of the message from offset at_ on.
  bool take(std::string_view piece) {
    const std::uint64_t begin = at_;
    at_ += piece.size();
    while (next_ < wanted_.size() && wanted_[next_].begin < at_) {
      const auto& want = wanted_[next_];
      if (want.begin >= begin) tree_.parts[next_].header_begin = text.size();
      const std::uint64_t from = std::max(want.begin, begin);
      const std::uint64_t to = std::min(want.end, at_);
      if (to > from)
        text += piece.substr(static_cast<std::size_t>(from - begin),
                             static_cast<std::size_t>(to - from));
      if (want.end > at_) break;
      tree_.parts[next_].body_begin = text.size();
      tree_.parts[next_].body_end = text.size();
      ++next_;
    }
    return at_ < end_;
  }
  std::string text;

 private:
  message::PartTree& tree_;
  std::vector<ScannedMessage::Body> wanted_;
  std::size_t next_ = 0;
  std::uint64_t at_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace

StoreResult<ScannedMessage> scan_message(const OpenMessage& open) {
  ScannedMessage found;
  message::MimeParser parser;
  auto scanned = each_piece(open, [&](std::string_view piece) {
    parser.feed(piece);
    found.summary.size += piece.size();
    return true;
  });
  if (!scanned) return fail(scanned.error());
  const message::PartTree tree = parser.finish();
  for (const message::Part& part : tree.parts)
    found.bodies.push_back({part.body_begin, part.body_end});
  message::PartTree small = tree;
  // A part without a header stands at its end: none of its octets pass.
  for (message::Part& part : small.parts) part.body_end = part.body_begin;
  Headers headers(small);
  scanned = each_piece(open, [&](std::string_view piece) { return headers.take(piece); });
  if (!scanned) return fail(scanned.error());
  const message::MessageView view(headers.text, std::move(small));
  found.parts = list_parts(view);
  for (std::size_t i = 0; i < found.parts.size(); ++i)
    found.parts[i].octets = tree.parts[i].crlf_body_size();
  read_header(view.header_bytes(0), found.summary);
  found.summary.has_attachment = std::ranges::any_of(found.parts, &PartInfo::attachment);
  return found;
}

StoreResult<void> read_stretch(const OpenMessage& open, ScannedMessage::Body stretch,
                               const Sink& sink) {
  std::uint64_t at = 0;
  return each_piece(open, [&](std::string_view piece) {
    const std::uint64_t begin = at;
    at += piece.size();
    const std::uint64_t from = std::max(stretch.begin, begin);
    const std::uint64_t to = std::min(stretch.end, at);
    if (to > from && !sink(piece.substr(static_cast<std::size_t>(from - begin),
                                        static_cast<std::size_t>(to - from))))
      return false;
    return at < stretch.end;
  });
}

}  // namespace posthorn::mua
