#include "libmail/imap/envelope.h"

#include "libmail/base/text.h"
#include "libmail/imap/writer.h"
#include "libmail/message/address_list.h"

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
  out.raw("(");
  write_nstring(out, address.display_name);
  out.raw(" NIL ").string(one_line(address.local_part)).sp();
  out.string(address.domain.empty() ? std::string(no_domain) : one_line(address.domain));
  out.raw(")");
}

void write_list(Writer& out, const message::AddressList& list) {
  std::size_t group = 0;
  std::size_t group_end = std::string::npos;
  const auto begin_groups = [&](std::size_t at) {
    if (at == group_end) {
      out.raw("(NIL NIL NIL NIL)");
      group_end = std::string::npos;
    }
    while (group < list.groups.size() && list.groups[group].first == at) {
      const message::Group& begin = list.groups[group++];
      out.raw("(NIL NIL ").string(one_line(begin.name)).raw(" NIL)");
      if (begin.count == 0) {
        out.raw("(NIL NIL NIL NIL)");
      } else {
        group_end = at + begin.count;
        break;
      }
    }
  };
  for (std::size_t i = 0; i < list.mailboxes.size(); ++i) {
    begin_groups(i);
    write_address(out, list.mailboxes[i]);
  }
  begin_groups(list.mailboxes.size());
}

// What can't be read is one address whose name is the text.
void write_field(Writer& out, const message::Header& header, const message::Field& field) {
  const auto list = message::parse_address_list(header.raw_value(field));
  if (list) {
    write_list(out, *list);
    return;
  }
  message::Address unreadable;
  unreadable.display_name = header.value(field);
  unreadable.local_part = no_mailbox;
  write_address(out, unreadable);
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
