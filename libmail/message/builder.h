// A message made from values. Nothing in them can inject a field, a part or a line: names and bodies of fields
// are types of their own (header_value.h), addresses are checked, texts are encoded, boundaries occur
// in no part.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "libmail/base/result.h"
#include "libmail/message/address_list.h"
#include "libmail/message/header_value.h"
#include "libmail/message/transfer_encoding.h"

namespace posthorn::message {

// Octets that the caller brings while the message is written (a file): feed them to MessageWriter. `encoding`:
// what EncodingChooser chose over the same octets, else base64, which can carry all.
struct StreamedContent {
  std::size_t id = 0;  // the caller's, comes back from MessageWriter::source()
  Encoding encoding = Encoding::base64;
};

enum class Presentation : std::uint8_t { none, shown_inline, attachment };

// A leaf, or a multipart if type is "multipart/..." (then `parts` count and `content` doesn't).
struct BuildPart {
  std::string type = "text/plain";
  std::vector<std::pair<std::string, std::string>> parameters;  // not boundary, charset, name
  // text/* that is no attachment: UTF-8 with LF or CRLF. Everything else: octets, kept to the last one.
  std::variant<std::string, StreamedContent> content;
  Presentation disposition = Presentation::none;
  std::string filename;    // UTF-8; written as filename (or filename*) and as name
  std::string content_id;  // "part1@host" without brackets; "" for none
  std::vector<BuildPart> parts;
};

struct Draft {
  std::vector<Address> from;
  std::optional<Address> sender;  // has to be there if there are several in From
  std::vector<Address> reply_to;
  AddressList to;
  AddressList cc;
  std::vector<Address> bcc;              // written only if BuildOptions say so: drafts need it
  std::string subject;                   // UTF-8
  std::string date;                      // format_date()
  std::string message_id;                // make_message_id(), brackets included
  std::vector<std::string> in_reply_to;  // ids with brackets
  std::vector<std::string> references;
  std::vector<std::pair<HeaderName, HeaderValue>> fields;  // more of them
  BuildPart body;
};

struct BuildOptions {
  bool allow_8bit = false;  // the way to the recipient speaks 8BITMIME
  bool write_bcc = false;
  // Makes boundaries: "=_" and this in hex, counted up until it occurs in no part.
  std::uint64_t random = 0;
};

struct BuildError {
  std::string field;  // "To", "Content-Type", ...
  std::string text;   // for people
};

// text/plain, text/html or both as multipart/alternative; `related` (images of the HTML) beside the
// HTML in multipart/related, `attachments` behind it all in multipart/mixed.
struct BodyParts {
  std::string text;     // UTF-8
  bool flowed = false;  // text is make_flowed()'s: format=flowed
  std::string html;     // UTF-8, "" for none
  std::vector<BuildPart> related;
  std::vector<BuildPart> attachments;
};
[[nodiscard]] BuildPart make_body(BodyParts parts);
// A whole message as an attachment (message/rfc822). One that can't travel as it stands (8-bit octets where that
// isn't allowed, lines above 998 octets, NUL) becomes application/octet-stream "forwarded.eml" in base64, since
// RFC 2046 5.2.1 allows no encoding on message/rfc822.
[[nodiscard]] BuildPart make_forwarded(std::string message, bool allow_8bit);

// Writes a message piece by piece, CRLF throughout, so that an attachment is never in memory as a whole.
class MessageWriter {
 public:
  // Checks everything a field is made of.
  [[nodiscard]] static Result<MessageWriter, BuildError> make(Draft draft,
                                                              const BuildOptions& options);

  enum class Step : std::uint8_t {
    more,    // call again: a piece of at most about 64 KiB was appended
    source,  // octets of streamed content source() are wanted: feed() them, then end_source()
    done,
  };
  [[nodiscard]] Step next(std::string& out);
  // Any amount; appends their encoded form.
  void feed(std::string_view octets, std::string& out);
  void end_source(std::string& out);
  // Of the content wanted.
  [[nodiscard]] std::size_t source() const { return source_; }
  // What the way to the recipients has to speak: SMTPUTF8 for UTF-8 in the header (addresses),
  // 8BITMIME for a body that isn't 7bit.
  [[nodiscard]] bool needs_smtputf8() const { return needs_smtputf8_; }
  [[nodiscard]] bool needs_8bitmime() const { return needs_8bitmime_; }

  struct Piece {  // of the message, in order
    enum class Kind : std::uint8_t { written, encoded, streamed };
    Kind kind = Kind::written;
    std::string text;  // as it goes out, or content to be encoded
    Encoding encoding = Encoding::seven_bit;
    Exactness exactness = Exactness::text;
    std::size_t source = 0;
  };

 private:
  std::vector<Piece> pieces_;
  std::size_t piece_ = 0;
  std::size_t at_ = 0;  // in the text of the piece
  std::size_t source_ = 0;
  std::optional<TransferEncoder> encoder_;
  bool needs_smtputf8_ = false;
  bool needs_8bitmime_ = false;
};

// The whole message at once; without streamed content.
[[nodiscard]] Result<std::string, BuildError> build_message(Draft draft,
                                                            const BuildOptions& options);

}  // namespace posthorn::message
