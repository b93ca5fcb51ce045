#include "libmail/imap/client/message.h"

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::imap::client {

namespace {

// Of one message. What a server says beyond that is no message that anybody could show.
constexpr std::size_t most_parts = 20'000;
constexpr std::size_t most_flags = 1000;

std::string text_or_empty(Scanner& in) {
  return in.nstring().value_or("");
}

std::vector<Address> scan_addresses(Scanner& in) {
  std::vector<Address> list;
  if (in.peek() != '(') {
    (void)in.nstring();
    return list;
  }
  in.enter();
  while (in.ok() && in.peek() != ')') {
    Address address;
    in.enter();
    address.name = text_or_empty(in);
    in.space();
    (void)in.nstring();  // the source route
    in.space();
    address.mailbox = text_or_empty(in);
    in.space();
    address.host = text_or_empty(in);
    in.leave();
    list.push_back(std::move(address));
    if (list.size() > in.dialect().items) in.fail_here("fewer addresses");
    (void)in.take(' ');  // some servers put one between
  }
  in.leave();
  return list;
}

Parameters scan_parameters(Scanner& in) {
  Parameters list;
  if (in.peek() != '(') {
    (void)in.nstring();
    return list;
  }
  in.enter();
  while (in.ok() && in.peek() != ')') {
    std::string name = lower(in.string());
    in.space();
    list.emplace_back(std::move(name), text_or_empty(in));
    if (list.size() > in.dialect().items) in.fail_here("fewer parameters");
    if (in.peek() != ')') in.space();
  }
  in.leave();
  return list;
}

// disposition, language, location, and whatever comes with later extensions, each if it is there.
void scan_extension_fields(Scanner& in, BodyPart& part) {
  if (!in.take(' ')) return;
  if (in.peek() == '(') {
    in.enter();
    part.disposition = lower(in.string());
    in.space();
    part.disposition_parameters = scan_parameters(in);
    in.leave();
  } else {
    part.disposition = lower(text_or_empty(in));
  }
  if (!in.take(' ')) return;
  if (in.peek() == '(') {
    in.enter();
    while (in.ok() && in.peek() != ')') {
      part.languages.push_back(text_or_empty(in));
      if (part.languages.size() > in.dialect().items) in.fail_here("fewer languages");
      if (in.peek() != ')') in.space();
    }
    in.leave();
  } else if (auto language = in.nstring()) {
    part.languages.push_back(std::move(*language));
  }
  if (!in.take(' ')) return;
  part.location = text_or_empty(in);
  while (in.ok() && in.take(' ')) (void)in.skip_value();
}

// Parts as they nest, in depth-first order. Recursion is bounded by Scanner::enter().
class StructureParser {
 public:
  explicit StructureParser(Scanner& in) : in_(in) {}

  void part(const std::vector<std::uint32_t>& number, std::uint32_t depth) {
    if (!in_.enter()) return;
    if (parts.size() > most_parts) in_.fail_here("fewer parts");
    const std::size_t at = parts.size();
    parts.emplace_back();
    parts[at].number = number;
    parts[at].depth = depth;
    if (in_.peek() == '(') {
      multipart(at, number, depth);
    } else {
      single(at, number, depth);
    }
    in_.leave();
  }

  std::vector<BodyPart> parts;

 private:
  void multipart(std::size_t at, const std::vector<std::uint32_t>& number, std::uint32_t depth) {
    std::uint32_t count = 0;
    while (in_.ok() && in_.peek() == '(') {
      std::vector<std::uint32_t> child = number;
      child.push_back(++count);
      part(child, depth + 1);
      if (in_.peek() == ' ' && in_.rest().substr(0, 2) == " (") in_.take(' ');
    }
    in_.space();
    parts[at].type = "multipart";
    parts[at].subtype = lower(in_.string());
    if (!in_.take(' ')) return;
    parts[at].parameters = scan_parameters(in_);
    scan_extension_fields(in_, parts[at]);
  }

  void single(std::size_t at, std::vector<std::uint32_t> number, std::uint32_t depth) {
    if (number.empty())
      number = {1};  // RFC 9051 6.4.5.1: a message that is no multipart is its own part 1
    BodyPart one;
    one.number = number;
    one.depth = depth;
    one.type = lower(text_or_empty(in_));
    in_.space();
    one.subtype = lower(text_or_empty(in_));
    in_.space();
    one.parameters = scan_parameters(in_);
    in_.space();
    one.id = text_or_empty(in_);
    in_.space();
    one.description = text_or_empty(in_);
    in_.space();
    one.encoding = lower(text_or_empty(in_));
    in_.space();
    if (!in_.take_word("NIL")) one.octets = in_.number64();
    const bool message =
        one.type == "message" && (one.subtype == "rfc822" || one.subtype == "global");
    // A server that doesn't parse what it nests gives an ordinary part.
    if (message && in_.next_is(" (")) {
      in_.space();
      one.envelope = scan_envelope(in_);
      in_.space();
      inner(number, depth);
      in_.space();
      one.lines = in_.number64();
    } else if (one.type == "text" && in_.peek() == ' ' && in_.rest().size() > 1 &&
               is_digit(in_.rest()[1])) {
      in_.space();
      one.lines = in_.number64();
    }
    if (in_.take(' ')) {
      one.md5 = text_or_empty(in_);
      scan_extension_fields(in_, one);
    }
    parts[at] = std::move(one);
  }

  // The body of a message in a message: a multipart has the message's own number, anything else is its part 1.
  void inner(const std::vector<std::uint32_t>& number, std::uint32_t depth) {
    const bool multipart = in_.rest().substr(0, 2) == "((";
    std::vector<std::uint32_t> child = number;
    if (!multipart) child.push_back(1);
    part(child, depth + 1);
  }

  Scanner& in_;
};

FetchedBody scan_body_value(Scanner& in, FetchItem item) {
  FetchedBody body;
  body.item = std::move(item);
  body.streamed = in.streamed_literal();
  if (!body.streamed) body.octets = in.nstring();
  return body;
}

std::string scan_object_id(Scanner& in) {
  if (in.take_word("NIL")) return "";
  in.enter();
  std::string id(in.atom());
  in.leave();
  return id;
}

void scan_value(Scanner& in, FetchItem item, Fetched& into) {
  using Kind = FetchItem::Kind;
  switch (item.kind) {
    case Kind::uid:
      into.uid = in.nz_number();
      break;
    case Kind::flags:
      into.flags = scan_flag_list(in, FlagUse::reading);
      if (into.flags->keywords.size() > most_flags) in.fail_here("fewer flags");
      break;
    case Kind::internal_date:
      into.internal_date = scan_date_time(in);
      break;
    case Kind::save_date:
      if (!in.take_word("NIL")) into.save_date = scan_date_time(in);
      break;
    case Kind::rfc822_size:
      into.size = in.number64();
      break;
    case Kind::modseq:
      in.enter();
      into.modseq = in.number64();
      in.leave();
      break;
    case Kind::envelope:
      into.envelope = scan_envelope(in);
      break;
    case Kind::body:
    case Kind::body_structure:
      into.structure = scan_body_structure(in);
      break;
    case Kind::preview:
      into.preview = in.nstring();
      break;
    case Kind::email_id:
      into.email_id = scan_object_id(in);
      break;
    case Kind::thread_id:
      into.thread_id = scan_object_id(in);
      break;
    case Kind::binary_size:
      into.binary_sizes.emplace_back(item.section.part, in.number64());
      break;
    case Kind::body_section:
    case Kind::binary:
    case Kind::rfc822:
    case Kind::rfc822_header:
    case Kind::rfc822_text:
      into.bodies.push_back(scan_body_value(in, std::move(item)));
      break;
  }
}

}  // namespace

Envelope scan_envelope(Scanner& in) {
  Envelope envelope;
  in.enter();
  envelope.date = text_or_empty(in);
  in.space();
  envelope.subject = text_or_empty(in);
  for (std::vector<Address>* list : {&envelope.from, &envelope.sender, &envelope.reply_to,
                                     &envelope.to, &envelope.cc, &envelope.bcc}) {
    in.space();
    *list = scan_addresses(in);
  }
  in.space();
  envelope.in_reply_to = text_or_empty(in);
  in.space();
  envelope.message_id = text_or_empty(in);
  in.leave();
  return envelope;
}

std::vector<BodyPart> scan_body_structure(Scanner& in) {
  StructureParser parser(in);
  if (in.take_word("NIL")) return {};
  parser.part({}, 0);
  return std::move(parser.parts);
}

void scan_fetched(Scanner& in, Fetched& into) {
  in.enter();
  while (in.ok() && in.peek() != ')') {
    Scanner ahead(in);
    std::optional<FetchItem> item = scan_response_item(ahead);
    if (item && ahead.peek() == ' ') {
      in.skip_to(ahead.position());
      in.space();
      scan_value(in, std::move(*item), into);
    } else {
      // An item that we never asked for: its name, which may have brackets and parentheses, and its value.
      (void)in.take_while([](char c) { return c != ' ' && c != '(' && c != ')' && c != '\r'; });
      in.space();
      (void)in.skip_value();
    }
    if (in.peek() != ')') in.space();
  }
  in.leave();
}

}  // namespace posthorn::imap::client
