#include "libmail/message/builder.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/text.h"
#include "libmail/message/builder_fields.h"
#include "libmail/message/encoded_word.h"
#include "libmail/message/parameters.h"

namespace posthorn::message {

namespace {

constexpr std::size_t deepest = 20;
constexpr std::size_t piece_octets = 48 * 1024;  // of content to be encoded; 64 KiB in base64

using Piece = MessageWriter::Piece;

bool is_multipart(const BuildPart& part) {
  return istarts_with(part.type, "multipart/");
}

bool is_media_type(std::string_view type) {
  constexpr std::string_view more = "!#$&-^_.+";
  const std::size_t slash = type.find('/');
  if (slash == 0 || slash == std::string_view::npos || slash + 1 == type.size()) return false;
  return type.size() <= 127 && std::ranges::count(type, '/') == 1 &&
         std::ranges::all_of(type, [&](char c) {
           return is_alnum(c) || c == '/' || more.find(c) != std::string_view::npos;
         });
}

// Text that is read, not saved: its line ends are lines.
Exactness exactness_of(const BuildPart& part) {
  const bool text =
      istarts_with(part.type, "text/") && part.disposition != Presentation::attachment;
  return text && std::holds_alternative<std::string>(part.content) ? Exactness::text
                                                                   : Exactness::octets;
}

// Makes the pieces of a body. Encodings are chosen first, in one walk: a multipart says of itself
// what is the widest of its parts (RFC 2045 6.4), and a boundary has to occur in none of them.
class Assembler {
 public:
  Assembler(const BuildOptions& options, std::string fields)
      : options_(options), out_(std::move(fields)) {}

  Result<std::vector<Piece>, BuildError> assemble(BuildPart& body) {
    plan(body, 0);
    if (error_) return fail(std::move(*error_));
    choose_boundary();
    out_ += "MIME-Version: 1.0\r\n";
    write(body);
    if (error_) return fail(std::move(*error_));
    flush();
    return std::move(pieces_);
  }

 private:
  void refuse(std::string field, std::string text) {
    if (!error_) error_ = BuildError{std::move(field), std::move(text)};
  }

  // What a multipart has to declare for its parts: 7bit or 8bit.
  Encoding plan(const BuildPart& part, std::size_t depth) {
    if (!is_media_type(part.type)) {
      refuse("Content-Type", "'" + printable(part.type, 80) + "' is no media type");
      return Encoding::seven_bit;
    }
    const std::size_t place = plans_.size();
    plans_.push_back(Encoding::seven_bit);
    if (!is_multipart(part)) return plan_leaf(part, place);
    if (depth == deepest || part.parts.empty()) {
      refuse("Content-Type",
             part.parts.empty() ? "a multipart without parts" : "parts are nested too deeply");
      return Encoding::seven_bit;
    }
    for (const BuildPart& inner : part.parts) {
      if (plan(inner, depth + 1) == Encoding::eight_bit) plans_[place] = Encoding::eight_bit;
    }
    return plans_[place];
  }

  Encoding plan_leaf(const BuildPart& part, std::size_t place) {
    if (const auto* streamed = std::get_if<StreamedContent>(&part.content)) {
      // Its octets can't be searched for a boundary. Base64 and quoted-printable never hold "=_".
      const bool encoded = streamed->encoding == Encoding::base64 ||
                           streamed->encoding == Encoding::quoted_printable;
      plans_[place] = encoded ? streamed->encoding : Encoding::base64;
      return Encoding::seven_bit;
    }
    const std::string& content = std::get<std::string>(part.content);
    if (exactness_of(part) == Exactness::text && !is_utf8(content))
      refuse("Content-Type", "a text isn't UTF-8");
    EncodingChooser chooser(exactness_of(part));
    chooser.feed(content);
    chooser.finish();
    const Encoding encoding = chooser.choose(options_.allow_8bit);
    plans_[place] = encoding;
    const bool verbatim = encoding == Encoding::seven_bit || encoding == Encoding::eight_bit;
    if (verbatim) verbatim_.push_back(content);
    if (!verbatim &&
        (iequals(part.type, "message/rfc822") || iequals(part.type, "message/partial")))
      refuse("Content-Type", part.type + " can't be encoded: make_forwarded() makes it fit");
    return verbatim ? encoding : Encoding::seven_bit;
  }

  void choose_boundary() {
    std::uint64_t number = options_.random;
    const auto occurs = [this](std::string_view content) {
      return content.find(stem_) != std::string_view::npos;
    };
    do {
      stem_ = fmt::format("=_{:016x}", number++);
    } while (std::ranges::any_of(verbatim_, occurs));
  }

  void field(std::string_view name, std::string_view body) {
    auto written = write_field(name, body);
    if (written) {
      out_ += *written;
    } else {
      refuse(std::move(written.error().field), std::move(written.error().text));
    }
  }

  void write(BuildPart& part) {
    const std::size_t place = written_++;
    const bool top = place == 0;
    const Encoding encoding = plans_[place];
    const std::string boundary = fmt::format("{}_{:04x}", stem_, place);
    write_part_fields(part, encoding, boundary);
    out_ += "\r\n";
    if (!is_multipart(part)) return write_content(part, encoding, top);
    for (BuildPart& inner : part.parts) {
      out_ += "--" + boundary + "\r\n";
      write(inner);
      out_ += "\r\n";
    }
    out_ += "--" + boundary + "--\r\n";
  }

  void write_part_fields(const BuildPart& part, Encoding encoding, const std::string& boundary) {
    const std::size_t slash = part.filename.find_last_of("/\\");
    const std::string filename =
        slash == std::string::npos ? part.filename : part.filename.substr(slash + 1);
    std::string type = part.type;
    if (is_multipart(part)) type += "; boundary=\"" + boundary + "\"";
    type += charset_of(part);
    for (const auto& [name, value] : part.parameters) {
      if (iequals(name, "boundary") || iequals(name, "charset") || iequals(name, "name"))
        refuse("Content-Type", name + " is made from the rest of the part");
      const std::string written = format_parameter(name, value);
      if (!is_media_type("x/" + name)) refuse("Content-Type", "a parameter has no proper name");
      type += written;
    }
    if (!filename.empty()) type += old_name(filename);
    field("Content-Type", type);
    field("Content-Transfer-Encoding", name(encoding));
    if (!part.content_id.empty()) write_content_id(part.content_id);
    if (part.disposition == Presentation::none && filename.empty()) return;
    const bool attachment = part.disposition == Presentation::attachment;
    field("Content-Disposition",
          std::string(attachment ? "attachment" : "inline") +
              (filename.empty() ? std::string() : format_parameter("filename", filename)));
  }

  static std::string charset_of(const BuildPart& part) {
    const auto* content = std::get_if<std::string>(&part.content);
    if (!istarts_with(part.type, "text/") || content == nullptr || !is_utf8(*content)) return {};
    return is_ascii(*content) ? "; charset=us-ascii" : "; charset=utf-8";
  }

  // "name" for readers that know nothing of Content-Disposition or RFC 2231: an encoded-word in quotes is
  // against RFC 2047 5 (3) and what those readers understand.
  static std::string old_name(std::string_view filename) {
    if (is_ascii(filename)) return format_parameter("name", filename);
    const std::string words = make_encoded_words(filename, WordPlace::phrase);
    if (words.find(' ') != std::string::npos) return format_parameter("name", filename);
    return "; name=\"" + words + "\"";
  }

  void write_content_id(const std::string& id) {
    const bool good = id.size() <= 200 && std::ranges::all_of(id, [](char c) {
                        return is_graph(c) && c != '<' && c != '>';
                      });
    if (!good) return refuse("Content-ID", "'" + printable(id, 80) + "' is no content id");
    field("Content-ID", "<" + id + ">");
  }

  void write_content(BuildPart& part, Encoding encoding, bool top) {
    flush();
    Piece piece;
    piece.encoding = encoding;
    piece.exactness = exactness_of(part);
    if (const auto* streamed = std::get_if<StreamedContent>(&part.content)) {
      piece.kind = Piece::Kind::streamed;
      piece.source = streamed->id;
    } else {
      piece.kind = Piece::Kind::encoded;
      piece.text = std::move(std::get<std::string>(part.content));
      const bool open = !piece.text.empty() && piece.text.back() != '\n';
      if (top && open && piece.exactness == Exactness::text) piece.text += "\n";
    }
    pieces_.push_back(std::move(piece));
  }

  void flush() {
    Piece piece;
    piece.text = std::exchange(out_, {});
    if (!piece.text.empty()) pieces_.push_back(std::move(piece));
  }

  const BuildOptions& options_;
  std::string out_;  // what isn't a piece yet
  std::vector<Piece> pieces_;
  std::vector<Encoding> plans_;             // of each part, in the order of writing
  std::vector<std::string_view> verbatim_;  // contents that are not encoded
  std::size_t written_ = 0;
  std::string stem_;
  std::optional<BuildError> error_;
};

BuildPart multipart(std::string type, std::vector<BuildPart> parts) {
  BuildPart part;
  part.type = "multipart/" + std::move(type);
  part.parts = std::move(parts);
  return part;
}

}  // namespace

BuildPart make_body(BodyParts parts) {
  BuildPart text;
  text.content = std::move(parts.text);
  if (parts.flowed) text.parameters = {{"format", "flowed"}};
  BuildPart body = std::move(text);
  if (!parts.html.empty()) {
    BuildPart html;
    html.type = "text/html";
    html.content = std::move(parts.html);
    if (!parts.related.empty()) {
      parts.related.insert(parts.related.begin(), std::move(html));
      html = multipart("related", std::move(parts.related));
      html.parameters = {{"type", "text/html"}};
    }
    if (std::get<std::string>(body.content).empty()) {
      body = std::move(html);
    } else {
      std::vector<BuildPart> both;
      both.push_back(std::move(body));
      both.push_back(std::move(html));
      body = multipart("alternative", std::move(both));
    }
  }
  if (parts.attachments.empty()) return body;
  parts.attachments.insert(parts.attachments.begin(), std::move(body));
  return multipart("mixed", std::move(parts.attachments));
}

BuildPart make_forwarded(std::string message, bool allow_8bit) {
  BuildPart part;
  part.disposition = Presentation::attachment;
  std::string lines = with_crlf(message);
  EncodingChooser chooser(Exactness::octets);
  chooser.feed(lines);
  chooser.finish();
  const Encoding encoding = chooser.choose(allow_8bit);
  if (encoding == Encoding::seven_bit || encoding == Encoding::eight_bit) {
    part.type = "message/rfc822";
    part.content = std::move(lines);
  } else {
    part.type = "application/octet-stream";
    part.filename = "forwarded.eml";
    part.content = std::move(message);
  }
  return part;
}

Result<MessageWriter, BuildError> MessageWriter::make(Draft draft, const BuildOptions& options) {
  auto fields = write_fields(draft, options);
  if (!fields) return fail(std::move(fields.error()));
  MessageWriter writer;
  writer.needs_smtputf8_ = !is_ascii(*fields);
  Assembler assembler(options, std::move(*fields));
  auto pieces = assembler.assemble(draft.body);
  if (!pieces) return fail(std::move(pieces.error()));
  writer.pieces_ = std::move(*pieces);
  writer.needs_8bitmime_ = std::ranges::any_of(
      writer.pieces_, [](const Piece& piece) { return piece.encoding == Encoding::eight_bit; });
  return writer;
}

MessageWriter::Step MessageWriter::next(std::string& out) {
  if (piece_ == pieces_.size()) return Step::done;
  Piece& piece = pieces_[piece_];
  if (piece.kind == Piece::Kind::written) {
    out += piece.text;
    piece.text = {};
    ++piece_;
    return Step::more;
  }
  if (!encoder_) encoder_.emplace(piece.encoding, piece.exactness);
  if (piece.kind == Piece::Kind::streamed) {
    source_ = piece.source;
    return Step::source;
  }
  encoder_->feed(std::string_view(piece.text).substr(at_, piece_octets), out);
  at_ += piece_octets;
  if (at_ >= piece.text.size()) {
    piece.text = {};
    at_ = 0;
    end_source(out);
  }
  return Step::more;
}

void MessageWriter::feed(std::string_view octets, std::string& out) {
  encoder_->feed(octets, out);
}

void MessageWriter::end_source(std::string& out) {
  encoder_->finish(out);
  encoder_.reset();
  ++piece_;
}

Result<std::string, BuildError> build_message(Draft draft, const BuildOptions& options) {
  auto writer = MessageWriter::make(std::move(draft), options);
  if (!writer) return fail(std::move(writer.error()));
  std::string out;
  MessageWriter::Step step = MessageWriter::Step::more;
  while (step == MessageWriter::Step::more) step = writer->next(out);
  if (step == MessageWriter::Step::source)
    return fail(BuildError{"Content-Type", "streamed content needs a MessageWriter"});
  return out;
}

}  // namespace posthorn::message
