#include "libmail/imap/body_structure.h"

#include <vector>

#include "libmail/base/text.h"
#include "libmail/imap/envelope.h"
#include "libmail/imap/writer.h"

namespace posthorn::imap {
namespace {

using message::MessageView;
using message::Part;
using message::PartContent;

// The grammar wants at least one part in a multipart, and a message in a message/rfc822.
constexpr std::string_view no_part = R"(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0)";
constexpr std::string_view no_envelope = "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)";
constexpr std::string_view no_extensions = " NIL NIL NIL NIL";

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
    open(0);
    while (!stack_.empty()) {
      Open& top = stack_.back();
      if (top.next == Part::none) {
        end(top);
        stack_.pop_back();
      } else {
        const std::uint32_t child = top.next;
        top.next = message_.part(child).next;
        open(child);
      }
    }
    return out_.take();
  }

 private:
  // A part whose end is still to be written; `next`: the child to write before.
  struct Open {
    std::uint32_t part;
    std::uint32_t next;
    PartContent content;
  };

  void open(std::uint32_t index) {
    const Part& part = message_.part(index);
    const std::uint32_t child = message_.tree().first_child(index);
    stack_.push_back({index, child, message_.content(index)});
    out_.raw("(");
    if (part.media.multipart()) {
      if (child == Part::none) empty_part();
      return;
    }
    single(part, stack_.back().content);
    if (!part.media.message()) return;
    out_.sp().raw(child == Part::none ? std::string(no_envelope)
                                      : envelope(message_.header(child)));
    out_.sp();
    if (child == Part::none) empty_part();
  }

  void end(const Open& closed) {
    const Part& part = message_.part(closed.part);
    const PartContent& content = closed.content;
    if (part.media.multipart()) {
      out_.sp().string(content.type.subtype);
      if (extended_) {
        out_.sp();
        parameters(content.type.parameters);
        extensions(content);
      }
    } else {
      if (part.media.message() || part.media.top == message::TopType::text)
        out_.sp().number(part.body_lines);
      if (extended_) {
        out_.sp();
        nstring(content.md5);
        extensions(content);
      }
    }
    out_.raw(")");
  }

  void empty_part() {
    out_.raw(no_part);
    if (extended_) out_.raw(no_extensions);
    out_.raw(")");
  }

  // Type through size.
  void single(const Part& part, const PartContent& content) {
    out_.string(content.type.type).sp().string(content.type.subtype).sp();
    parameters(content.type.parameters, part.media.top == message::TopType::text);
    out_.sp();
    nstring(content.id);
    out_.sp();
    nstring(content.description);
    out_.sp().string(clean(content.encoding_name));
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

  // A text without a charset is US-ASCII (RFC 2045 5.2), and says so here.
  void parameters(const message::ParameterList& list, bool of_text = false) {
    bool charset = !of_text;
    std::string_view before = "(";
    for (const message::RawParameter& parameter : list.raw) {
      const std::string name = lower(clean(parameter.name));
      charset = charset || name == "charset";
      out_.raw(before).string(name).sp().string(clean(parameter.value));
      before = " ";
    }
    if (!charset) {
      out_.raw(before).raw(R"("charset" "us-ascii")");
      before = " ";
    }
    out_.raw(before == "(" ? "NIL" : ")");
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
