#include "libmail/imap/envelope.h"

#include "libmail/base/text.h"
#include "libmail/imap/writer.h"
#include "libmail/message/address_reader.h"

namespace posthorn::imap {
namespace {

constexpr std::string_view no_domain = "MISSING_DOMAIN";
constexpr std::string_view no_mailbox = "MISSING_MAILBOX";

// A field body on one line, without what no string of IMAP can hold. A fold that was made with a
// TAB becomes a space, as in Dovecot's.
std::string one_line(std::string_view raw) {
  const std::string_view text = trim(raw);
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool behind_fold = i > 0 && text[i - 1] == '\n';
    if (c == '\n' || (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n')) continue;
    out += c == '\0' || c == '\r' || (c == '\t' && behind_fold) ? ' ' : c;
  }
  return out;
}

void write_text(Writer& out, const message::Header& header, std::string_view name) {
  const message::Field* field = header.find(name);
  if (field == nullptr) {
    out.raw("NIL");
  } else {
    out.string(one_line(header.raw_value(*field)));
  }
}

void write_nstring(Writer& out, const std::string& text) {
  if (text.empty()) {
    out.raw("NIL");
  } else {
    out.string(one_line(text));
  }
}

void write_address(Writer& out, const message::Address& address) {
  const auto text = [](const std::string& value, std::string_view missing) {
    return value.empty() ? std::string(missing) : one_line(value);
  };
  out.raw("(");
  write_nstring(out, address.display_name);
  out.raw(" NIL ").string(text(address.local_part, no_mailbox)).sp();
  out.string(text(address.domain, no_domain)).raw(")");
}

// A group within a group has no form here: its mailboxes are the outer one's.
void write_field(Writer& out, const message::Header& header, const message::Field& field) {
  message::AddressReader reader(header.raw_value(field));
  std::size_t depth = 0;
  using Kind = message::AddressReader::Item::Kind;
  while (const auto item = reader.next()) {
    if (item->kind == Kind::mailbox) {
      write_address(out, item->address);
    } else if (item->kind == Kind::group_begin) {
      if (depth++ == 0)
        out.raw("(NIL NIL ").string(one_line(item->address.display_name)).raw(" NIL)");
    } else if (depth > 0 && --depth == 0) {
      out.raw("(NIL NIL NIL NIL)");
    }
  }
  if (depth > 0) out.raw("(NIL NIL NIL NIL)");
}

// Several To, Cc or Bcc fields are one list to everybody; of all others the first counts.
std::string addresses(const message::Header& header, std::string_view name, bool all = false) {
  Writer out;
  for (const message::Field* field : header.find_all(name)) {
    write_field(out, header, *field);
    if (!all) break;
  }
  const std::string list = out.take();
  return list.empty() ? "NIL" : "(" + list + ")";
}

}  // namespace

std::string envelope(const message::Header& header) {
  Writer out;
  out.raw("(");
  write_text(out, header, "Date");
  out.sp();
  write_text(out, header, "Subject");
  const std::string from = addresses(header, "From");
  out.sp().raw(from);
  for (const std::string_view name : {"Sender", "Reply-To"}) {
    const std::string list = addresses(header, name);
    out.sp().raw(list == "NIL" ? from : list);
  }
  for (const std::string_view name : {"To", "Cc", "Bcc"})
    out.sp().raw(addresses(header, name, true));
  for (const std::string_view name : {"In-Reply-To", "Message-ID"}) {
    out.sp();
    write_text(out, header, name);
  }
  out.raw(")");
  return out.take();
}

}  // namespace posthorn::imap
