#include "libmail/queue/envelope_codec.h"

#include <algorithm>
#include <limits>

namespace posthorn::queue {
namespace {

enum class Tag : std::uint8_t {
  trace_id = 1,  // absent: the message id itself
  reverse_path,  // absent: the null path
  ret,
  envid,
  flags,
  auth,       // AUTH=mailbox
  auth_null,  // AUTH=<>
  user,
  client_name,
  client_address,
  client_port,
  client_helo,
  client_protocol,
  arrival,
  size,
  recipient,
  drop_name,
  drop_inode,
  drop_part,
  hold_reason,
};
enum class RecipientTag : std::uint8_t { mailbox = 1, notify, orcpt_type, orcpt_address };

constexpr std::uint64_t eight_bit_flag = 1;
constexpr std::uint64_t smtputf8_flag = 2;
constexpr std::uint64_t requiretls_flag = 4;
constexpr std::uint64_t local_flag = 8;

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

template <class T>
void put_field(std::string& out, T tag, std::string_view octets) {
  out += static_cast<char>(tag);
  put_varint(out, octets.size());
  out += octets;
}

template <class T>
void put_text(std::string& out, T tag, std::string_view text) {
  if (!text.empty()) put_field(out, tag, text);
}

template <class T>
void put_value(std::string& out, T tag, std::uint64_t value) {
  if (value == 0) return;
  std::string octets;
  put_varint(octets, value);
  put_field(out, tag, octets);
}

std::string encode_mailbox(const smtp::Mailbox& mailbox) {
  std::string out;
  put_varint(out, mailbox.local_part.size());
  return out.append(mailbox.local_part).append(mailbox.domain);
}

std::string encode_recipient(const smtp::Recipient& recipient) {
  std::string out;
  put_field(out, RecipientTag::mailbox, encode_mailbox(recipient.mailbox));
  put_value(out, RecipientTag::notify, recipient.notify.bits);
  if (recipient.orcpt) {
    put_field(out, RecipientTag::orcpt_type, recipient.orcpt->type);
    put_field(out, RecipientTag::orcpt_address, recipient.orcpt->address);
  }
  return out;
}

// Takes numbers and fields off the front; nothing once the octets are no sequence of fields.
class Cursor {
 public:
  explicit Cursor(std::string_view octets) : left_(octets) {}
  [[nodiscard]] bool at_end() const { return left_.empty(); }
  [[nodiscard]] std::string_view rest() const { return left_; }

  std::optional<std::uint64_t> take_varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (left_.empty()) return std::nullopt;
      const auto octet = static_cast<unsigned char>(left_.front());
      left_.remove_prefix(1);
      if (shift == 63 && octet > 1) return std::nullopt;
      value |= static_cast<std::uint64_t>(octet & 0x7f) << shift;
      if (octet < 0x80) return value;
    }
    return std::nullopt;
  }
  std::optional<std::string_view> take(std::size_t count) {
    if (count > left_.size()) return std::nullopt;
    const std::string_view taken = left_.substr(0, count);
    left_.remove_prefix(count);
    return taken;
  }
  struct Taken {
    std::uint8_t tag = 0;
    std::string_view octets;
  };
  std::optional<Taken> take_field() {
    if (left_.empty()) return std::nullopt;
    Taken field;
    field.tag = static_cast<std::uint8_t>(left_.front());
    left_.remove_prefix(1);
    const std::optional<std::uint64_t> size = take_varint();
    if (!size || *size > left_.size()) return std::nullopt;
    field.octets = *take(*size);
    return field;
  }

 private:
  std::string_view left_;
};

template <class T>
bool read_value(std::string_view octets, T& into) {
  Cursor in(octets);
  const std::optional<std::uint64_t> value = in.take_varint();
  if (!value || !in.at_end() || *value > std::numeric_limits<T>::max()) return false;
  into = static_cast<T>(*value);
  return true;
}

bool read_mailbox(std::string_view octets, smtp::Mailbox& into) {
  Cursor in(octets);
  const std::optional<std::uint64_t> size = in.take_varint();
  if (!size || *size == 0 || *size > in.rest().size()) return false;
  into.local_part = *in.take(*size);
  into.domain = in.rest();
  return true;
}

bool read_recipient(std::string_view octets, smtp::Recipient& into) {
  Cursor in(octets);
  bool has_mailbox = false;
  while (!in.at_end()) {
    const std::optional<Cursor::Taken> field = in.take_field();
    if (!field) return false;
    switch (static_cast<RecipientTag>(field->tag)) {
      case RecipientTag::mailbox:
        has_mailbox = read_mailbox(field->octets, into.mailbox);
        if (!has_mailbox) return false;
        continue;
      case RecipientTag::notify:
        if (!read_value(field->octets, into.notify.bits)) return false;
        continue;
      case RecipientTag::orcpt_type:
        into.orcpt.emplace(std::string(field->octets), std::string());
        continue;
      case RecipientTag::orcpt_address:
        if (!into.orcpt) return false;
        into.orcpt->address = field->octets;
        continue;
    }
    return false;
  }
  return has_mailbox;
}

bool read_flags(std::string_view octets, smtp::Envelope& into) {
  std::uint64_t flags = 0;
  if (!read_value(octets, flags)) return false;
  if ((flags & eight_bit_flag) != 0) into.body = smtp::Body::eight_bit_mime;
  into.smtputf8 = (flags & smtputf8_flag) != 0;
  into.requiretls = (flags & requiretls_flag) != 0;
  into.client.local = (flags & local_flag) != 0;
  return flags < 2 * local_flag;
}

bool read_arrival(std::string_view octets, WallTime& into) {
  std::int64_t value = 0;
  if (!read_value(octets, value)) return false;
  into = WallTime(std::chrono::microseconds(value));
  return true;
}

bool read_ret(std::string_view octets, smtp::Ret& into) {
  std::uint8_t value = 0;
  if (!read_value(octets, value) || value > 2) return false;
  into = static_cast<smtp::Ret>(value);
  return true;
}

DropOrigin& origin(Entry& entry) {
  return entry.drop ? *entry.drop : entry.drop.emplace();
}

bool read_text(std::string_view octets, std::string& into) {
  into = octets;
  return true;
}

bool read_field(const Cursor::Taken& field, Entry& into) {
  smtp::Envelope& envelope = into.envelope;
  const std::string_view octets = field.octets;
  switch (static_cast<Tag>(field.tag)) {
    case Tag::trace_id:
      return read_text(octets, envelope.trace_id);
    case Tag::reverse_path:
      return read_mailbox(octets, envelope.reverse_path.emplace());
    case Tag::ret:
      return read_ret(octets, envelope.ret);
    case Tag::envid:
      return read_text(octets, envelope.envid.emplace());
    case Tag::flags:
      return read_flags(octets, envelope);
    case Tag::auth:
      return read_mailbox(octets, envelope.auth.emplace().emplace());
    case Tag::auth_null:
      envelope.auth.emplace();
      return octets.empty();
    case Tag::user:
      return read_text(octets, envelope.user);
    case Tag::client_name:
      return read_text(octets, envelope.client.name);
    case Tag::client_address:
      return read_text(octets, envelope.client.address);
    case Tag::client_port:
      return read_value(octets, envelope.client.port);
    case Tag::client_helo:
      return read_text(octets, envelope.client.helo);
    case Tag::client_protocol:
      return read_text(octets, envelope.client.protocol);
    case Tag::arrival:
      return read_arrival(octets, envelope.arrival);
    case Tag::size:
      return read_value(octets, envelope.size);
    case Tag::recipient:
      return read_recipient(octets, envelope.recipients.emplace_back());
    case Tag::drop_name:
      return read_text(octets, origin(into).name);
    case Tag::drop_inode:
      return read_value(octets, origin(into).inode);
    case Tag::drop_part:
      return read_value(octets, origin(into).part);
    case Tag::hold_reason:
      return read_text(octets, envelope.hold_reason);
  }
  return false;
}

}  // namespace

std::string encode_entry(const Entry& entry) {
  const smtp::Envelope& envelope = entry.envelope;
  std::string out;
  out.reserve(160 + 48 * envelope.recipients.size());
  if (envelope.trace_id != envelope.id) put_text(out, Tag::trace_id, envelope.trace_id);
  if (envelope.reverse_path) {
    put_field(out, Tag::reverse_path, encode_mailbox(*envelope.reverse_path));
  }
  put_value(out, Tag::ret, static_cast<std::uint64_t>(envelope.ret));
  if (envelope.envid) put_field(out, Tag::envid, *envelope.envid);
  put_value(out, Tag::flags,
            (envelope.body == smtp::Body::eight_bit_mime ? eight_bit_flag : 0) |
                (envelope.smtputf8 ? smtputf8_flag : 0) |
                (envelope.requiretls ? requiretls_flag : 0) |
                (envelope.client.local ? local_flag : 0));
  if (envelope.auth && *envelope.auth) put_field(out, Tag::auth, encode_mailbox(**envelope.auth));
  if (envelope.auth && !*envelope.auth) put_field(out, Tag::auth_null, {});
  put_text(out, Tag::user, envelope.user);
  put_text(out, Tag::client_name, envelope.client.name);
  put_text(out, Tag::client_address, envelope.client.address);
  put_value(out, Tag::client_port, envelope.client.port);
  put_text(out, Tag::client_helo, envelope.client.helo);
  put_text(out, Tag::client_protocol, envelope.client.protocol);
  put_value(out, Tag::arrival,
            static_cast<std::uint64_t>(
                std::max<std::int64_t>(0, envelope.arrival.time_since_epoch().count())));
  put_value(out, Tag::size, envelope.size);
  for (const smtp::Recipient& recipient : envelope.recipients) {
    put_field(out, Tag::recipient, encode_recipient(recipient));
  }
  if (entry.drop) {
    put_field(out, Tag::drop_name, entry.drop->name);
    put_value(out, Tag::drop_inode, entry.drop->inode);
    put_value(out, Tag::drop_part, entry.drop->part);
  }
  put_text(out, Tag::hold_reason, envelope.hold_reason);
  return out;
}

std::optional<Entry> decode_entry(std::string_view octets) {
  std::optional<Entry> entry(std::in_place);
  Cursor in(octets);
  while (!in.at_end()) {
    const std::optional<Cursor::Taken> field = in.take_field();
    if (!field || !read_field(*field, *entry)) return std::nullopt;
  }
  return entry;
}

void adopt_id(Entry& entry, const MessageId& id) {
  entry.envelope.id = id.text();
  if (entry.envelope.trace_id.empty()) entry.envelope.trace_id = id.text();
}

}  // namespace posthorn::queue
