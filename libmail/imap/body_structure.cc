#include "libmail/imap/body_structure.h"

#include <vector>

#include "libmail/base/text.h"
#include "libmail/imap/envelope.h"
#include "libmail/imap/writer.h"

namespace posthorn::imap {
namespace {

using message::MediaType;
using message::MessageView;
using message::Part;
using message::PartContent;

// The grammar wants at least one part in a multipart.
constexpr std::string_view no_part =
    R"(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0))";

std::string clean(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c == '\r' || c == '\n' || c == '\0') c = ' ';
  }
  return out;
}

class BodyWriter {
 public:
  BodyWriter(const MessageView& message, BodyForm form)
      : message_(message), extended_(form == BodyForm::body_structure) {}

  std::string write() {
    stack_.push_back({0, 0});
    while (!stack_.empty()) {
      const Open open = stack_.back();
      if (open.next == open.part) {
        begin(open.part);
      } else if (open.next == Part::none) {
        end(open.part);
        stack_.pop_back();
      } else {
        stack_.back().next = message_.part(open.next).next;
        stack_.push_back({open.next, open.next});
      }
    }
    return out_.take();
  }

 private:
  // A part begun; `next`: the child to write, itself before its beginning was written.
  struct Open {
    std::uint32_t part;
    std::uint32_t next;
  };

  [[nodiscard]] bool is_container(std::uint32_t index) const {
    const Part& part = message_.part(index);
    return (part.media.multipart() || part.media.message()) && !part.has(Part::opaque);
  }

  void begin(std::uint32_t index) {
    out_.raw("(");
    const Part& part = message_.part(index);
    const std::uint32_t child = message_.tree().first_child(index);
    stack_.back().next = child;
    if (part.media.multipart() && is_container(index)) {
      if (child == Part::none) out_.raw(no_part);
      return;
    }
    const PartContent content = message_.content(index);
    single(part, content);
    if (is_container(index) && child != Part::none)
      out_.sp().raw(envelope(message_.header(child))).sp();
  }

  void end(std::uint32_t index) {
    const Part& part = message_.part(index);
    const PartContent content = message_.content(index);
    if (part.media.multipart() && is_container(index)) {
      out_.sp().string(content.type.subtype);
      if (extended_) {
        out_.sp();
        parameters(content.type.parameters);
        extensions(content);
      }
    } else {
      if (is_container(index) || part.media.top == message::TopType::text)
        out_.sp().number(part.body_lines);
      if (extended_) {
        out_.sp();
        nstring(content.md5);
        extensions(content);
      }
    }
    out_.raw(")");
  }

  // Type through size.
  void single(const Part& part, const PartContent& content) {
    out_.string(content.type.type).sp().string(content.type.subtype).sp();
    const bool text = part.media.top == message::TopType::text;
    if (text && content.type.parameters.raw.empty()) {
      out_.raw(R"(("charset" "us-ascii"))");
    } else {
      parameters(content.type.parameters);
    }
    out_.sp();
    nstring(content.id);
    out_.sp();
    nstring(content.description);
    out_.sp().string(message::name(content.encoding));
    out_.sp().number(part.crlf_body_size());
  }

  void extensions(const PartContent& content) {
    out_.sp();
    if (content.disposition) {
      out_.raw("(").string(clean(content.disposition->type)).sp();
      parameters(content.disposition->parameters);
      out_.raw(")");
    } else {
      out_.raw("NIL");
    }
    out_.sp();
    languages(content.language);
    out_.sp();
    nstring(content.location);
  }

  void parameters(const message::ParameterList& list) {
    if (list.raw.empty()) {
      out_.raw("NIL");
      return;
    }
    std::string_view before = "(";
    for (const message::RawParameter& parameter : list.raw) {
      out_.raw(before).string(lower(clean(parameter.name))).sp().string(clean(parameter.value));
      before = " ";
    }
    out_.raw(")");
  }

  // "en, de" (RFC 3282): one is a string, several a list.
  void languages(const std::string& field) {
    std::vector<std::string_view> tags;
    for (const std::string_view tag : split(field, ',')) {
      if (!trim(tag).empty()) tags.push_back(trim(tag));
    }
    if (tags.empty()) {
      out_.raw("NIL");
      return;
    }
    std::string_view before = "(";
    for (const std::string_view tag : tags) {
      out_.raw(before).string(clean(tag));
      before = " ";
    }
    out_.raw(")");
  }

  void nstring(const std::string& text) {
    if (text.empty()) {
      out_.raw("NIL");
    } else {
      out_.string(clean(text));
    }
  }

  const MessageView& message_;
  bool extended_;
  Writer out_;
  std::vector<Open> stack_;
};

}  // namespace

std::string body_structure(const MessageView& message, BodyForm form) {
  return BodyWriter(message, form).write();
}

}  // namespace posthorn::imap
