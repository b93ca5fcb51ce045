#include "libmail/message/message_view.h"

#include "libmail/base/text.h"
#include "libmail/message/filename.h"
#include "libmail/message/mime_parser.h"

namespace posthorn::message {
namespace {

std::uint64_t offset_of(const Part& part, const Field& field) {
  return part.header_begin + field.value;
}

// Something about it is there to deceive whoever reads it.
bool is_deceptive(std::string_view filename) {
  return has_hidden_extension(filename) || filename_for_display(filename) != filename ||
         filename.find_first_of("/\\") != std::string_view::npos;
}

}  // namespace

MessageView::MessageView(std::string_view bytes, const MimeLimits& limits)
    : bytes_(bytes), tree_(parse_mime(bytes, limits)), limits_(limits) {}

MessageView::MessageView(std::string_view bytes, PartTree tree)
    : bytes_(bytes), tree_(std::move(tree)) {}

std::string_view MessageView::header_bytes(std::uint32_t index) const {
  return bytes_.substr(part(index).header_begin, part(index).header_size());
}

std::string_view MessageView::raw_body(std::uint32_t index) const {
  return bytes_.substr(part(index).body_begin, part(index).body_size());
}

Header MessageView::header(std::uint32_t index) const {
  return Header::parse(header_bytes(index), {limits_.header_bytes, limits_.fields});
}

PartContent MessageView::content(std::uint32_t index, Anomalies* anomalies) const {
  const Part& of = part(index);
  const Header fields = header(index);
  PartContent content;
  content.encoding = of.encoding;
  Anomalies known;  // the parser has noted them
  if (const Field* type = fields.find("Content-Type"))
    content.type = parse_content_type(fields.raw_value(*type), known);
  if (of.has(Part::default_type)) {
    // The parser may have given up where a field is longer than it reads.
    content.type.media = of.media;
    content.type.type = of.media.message() ? "message" : "text";
    content.type.subtype = of.media.message() ? "rfc822" : "plain";
  }
  const Field* disposition = fields.find("Content-Disposition");
  if (disposition != nullptr)
    content.disposition = parse_disposition(fields.raw_value(*disposition), known);
  const auto text = [&](std::string_view name) {
    const Field* field = fields.find(name);
    return field == nullptr ? std::string() : fields.value(*field);
  };
  content.encoding_name = name(of.encoding);
  if (of.encoding == Encoding::unknown) {
    const std::string written = lower(text("Content-Transfer-Encoding"));
    if (!written.empty()) content.encoding_name = written;
  }
  content.id = text("Content-ID");
  content.description = text("Content-Description");
  content.language = text("Content-Language");
  content.location = text("Content-Location");
  content.md5 = text("Content-MD5");

  Filename filename = part_filename(
      content.disposition ? &content.disposition->parameters : nullptr, &content.type.parameters);
  content.filename = std::move(filename.name);
  content.conflicting_filename = filename.conflicting;
  if (anomalies != nullptr) {
    const std::uint64_t offset =
        disposition != nullptr ? offset_of(of, *disposition) : of.header_begin;
    if (filename.conflicting) anomalies->add(AnomalyKind::conflicting_parameter, offset);
    if (is_deceptive(content.filename)) anomalies->add(AnomalyKind::deceptive_filename, offset);
  }
  return content;
}

}  // namespace posthorn::message
