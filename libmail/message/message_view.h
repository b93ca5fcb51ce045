// A parsed message and its octets: typed access to the fields of every part.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/message/content_type.h"
#include "libmail/message/header.h"
#include "libmail/message/limits.h"
#include "libmail/message/part_tree.h"

namespace posthorn::message {

// The Content-* fields of one part, taken apart. Owns its octets.
struct PartContent {
  ContentType type;
  std::optional<ContentDisposition> disposition;
  Encoding encoding = Encoding::seven_bit;
  std::string encoding_name = "7bit";  // as it says, in lower case
  std::string filename;     // part_filename(): as a stranger chose it, see filename.h; or ""
  std::string id;           // Content-ID as written: "<a@b>"; or ""
  std::string description;  // encoded-words left as they are
  std::string language;     // the field body
  std::string location;     // unfolded
  std::string md5;
  bool conflicting_filename = false;
};

// A view: `bytes`, the whole message in memory or mapped, must outlive it.
class MessageView {
 public:
  explicit MessageView(std::string_view bytes, const MimeLimits& limits = {});
  // With a tree made of the same octets before.
  MessageView(std::string_view bytes, PartTree tree);

  [[nodiscard]] std::string_view bytes() const { return bytes_; }
  [[nodiscard]] const PartTree& tree() const { return tree_; }
  [[nodiscard]] const Part& part(std::uint32_t index) const { return tree_.parts[index]; }

  // Through its empty line.
  [[nodiscard]] std::string_view header_bytes(std::uint32_t index) const;
  // Still encoded.
  [[nodiscard]] std::string_view raw_body(std::uint32_t index) const;
  // Offsets of its fields count from part(index).header_begin.
  [[nodiscard]] Header header(std::uint32_t index) const;
  // `anomalies`: what decoding these fields brings to light and the structure alone did not, such
  // as a file name that deceives; offsets count from the first octet of the message.
  [[nodiscard]] PartContent content(std::uint32_t index, Anomalies* anomalies = nullptr) const;

 private:
  std::string_view bytes_;
  PartTree tree_;
  MimeLimits limits_;
};

// What a mail reader shows as the text and what it lists as attachments (RFC 8621 4.1.4). Indices
// of leaves; a part may stand in `text` and in `html` when there is no alternative to it.
struct BodyChoice {
  std::vector<std::uint32_t> text;
  std::vector<std::uint32_t> html;
  std::vector<std::uint32_t> attachments;
};
[[nodiscard]] BodyChoice choose_bodies(const MessageView& message);

// The same of a tree whose octets are elsewhere (an IMAP server's BODYSTRUCTURE): of `tree` only media, next, parent and
// Part::opaque count, and `use` tells of a leaf what its header says.
struct PartUse {
  bool kept_apart = false;  // Content-Disposition, and not "inline"
  bool named = false;       // it has a file name
};
[[nodiscard]] BodyChoice choose_bodies(const PartTree& tree,
                                       const std::function<PartUse(std::uint32_t)>& use);

}  // namespace posthorn::message
