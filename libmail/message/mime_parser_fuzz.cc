// A stranger's message: the tree must hold together, and mustn't depend on how the octets arrived.
#include <cstdlib>
#include <string>

#include "libmail/message/body_reader.h"
#include "libmail/message/message_view.h"
#include "libmail/message/mime_parser.h"

using namespace posthorn::message;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

bool same(const Part& a, const Part& b) {
  return a.header_begin == b.header_begin && a.body_begin == b.body_begin &&
         a.body_end == b.body_end && a.parent == b.parent && a.next == b.next &&
         a.header_lines == b.header_lines && a.header_bare_lf == b.header_bare_lf &&
         a.body_lines == b.body_lines && a.body_bare_lf == b.body_bare_lf && a.media == b.media &&
         a.encoding == b.encoding && a.depth == b.depth && a.flags == b.flags;
}

PartTree in_pieces(std::string_view text, std::size_t piece, const MimeLimits& limits) {
  MimeParser parser(limits);
  for (std::size_t at = 0; at < text.size(); at += piece) parser.feed(text.substr(at, piece));
  return parser.finish();
}

std::uint32_t count(std::string_view text, char c) {
  std::uint32_t n = 0;
  for (const char one : text) n += one == c ? 1 : 0;
  return n;
}

void check_part(const PartTree& tree, std::uint32_t index, std::string_view text) {
  const Part& part = tree.parts[index];
  require(part.header_begin <= part.body_begin && part.body_begin <= part.body_end);
  require(part.body_end <= text.size());
  require(part.header_lines == count(text.substr(part.header_begin, part.header_size()), '\n'));
  require(part.body_lines == count(text.substr(part.body_begin, part.body_size()), '\n'));
  require(part.body_bare_lf <= part.body_lines);
  if (index == 0) {
    require(part.header_begin == 0 && part.body_end == text.size());
    return;
  }
  const Part& parent = tree.parts[part.parent];
  require(part.parent < index && part.depth == parent.depth + 1);
  require(part.header_begin >= parent.body_begin && part.body_end <= parent.body_end);
  if (part.next == Part::none) return;
  const Part& next = tree.parts[part.next];
  require(part.next > index && next.parent == part.parent);
  require(next.header_begin >= part.body_end);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // The first octet: how the message is cut, and whether the limits are near.
  const std::size_t piece = 1 + (data[0] & 0x3f);
  MimeLimits limits;
  if ((data[0] & 0x80) != 0) limits = {3, 6, 5, 300, 100, 12};
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);

  PartTree tree = parse_mime(text, limits);
  const PartTree cut = in_pieces(text, piece, limits);
  require(tree.parts.size() == cut.parts.size() && tree.parts.size() <= limits.parts);
  require(tree.anomalies.list() == cut.anomalies.list());
  for (std::uint32_t i = 0; i < tree.parts.size(); ++i) {
    require(same(tree.parts[i], cut.parts[i]));
    check_part(tree, i, text);
  }

  const MessageView view(text, std::move(tree));
  const BodyChoice choice = choose_bodies(view);
  for (const std::uint32_t part : choice.text) (void)decode_text(view, part);
  Anomalies anomalies;
  for (const std::uint32_t part : choice.attachments) {
    (void)decode_body(view, part, &anomalies);
    (void)view.content(part, &anomalies);
  }
  return 0;
}
