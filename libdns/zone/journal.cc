#include "libdns/zone/journal.h"

#include <algorithm>

#include "libdns/wire/builder.h"
#include "libmail/base/crc32c.h"

namespace posthorn::dns {

namespace {

constexpr std::string_view magic = "PHZJ";
constexpr std::size_t fixed_octets = 12;  // magic, length, checksum

void write_record(Writer& out, const RrSet& set, Type type, const std::string& octets) {
  out.octets(set.owner.wire());
  out.u16(static_cast<std::uint16_t>(type));
  out.u16(static_cast<std::uint16_t>(Class::in));
  out.u32(set.ttl);
  out.u16(static_cast<std::uint16_t>(octets.size()));
  out.octets(octets);
}

void write_parts(Writer& out, const std::vector<RrSet>& parts) {
  std::size_t count = 0;
  for (const RrSet& part : parts) count += part.rdata.size() + part.signatures.size();
  out.u32(static_cast<std::uint32_t>(count));
  for (const RrSet& part : parts) {
    for (const std::string& octets : part.rdata) write_record(out, part, part.type, octets);
    for (const std::string& octets : part.signatures) write_record(out, part, Type::rrsig, octets);
  }
}

// Like wire's Reader, for more than 65535 octets and without compression.
class JournalCursor {
 public:
  explicit JournalCursor(std::string_view octets) : octets_(octets) {}
  std::uint32_t number(std::size_t size) {
    std::uint32_t value = 0;
    for (const char c : take(size)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  std::string_view take(std::size_t count) {
    if (count > octets_.size()) is_bad_ = true;
    if (is_bad_) return {};
    const std::string_view taken = octets_.substr(0, count);
    octets_.remove_prefix(count);
    return taken;
  }
  Name name() {
    std::size_t length = 0;
    while (length < octets_.size() && octets_[length] != 0) {
      length += 1 + static_cast<unsigned char>(octets_[length]);
    }
    auto name = Name::from_wire(take(length + 1));
    if (!name) is_bad_ = true;
    return name.value_or(Name());
  }
  void set_bad() { is_bad_ = true; }
  [[nodiscard]] bool is_bad() const { return is_bad_; }
  [[nodiscard]] bool at_end() const { return octets_.empty(); }

 private:
  std::string_view octets_;
  bool is_bad_ = false;
};

// The part that a record belongs to: the last one, if that is of the same name, type and TTL.
RrSet& part_for(std::vector<RrSet>& parts, const Name& owner, Type type, std::uint32_t ttl) {
  if (parts.empty() || parts.back().owner != owner || parts.back().type != type ||
      parts.back().ttl != ttl) {
    parts.emplace_back(owner, type, ttl);
  }
  return parts.back();
}

void read_record(JournalCursor& in, std::vector<RrSet>& parts) {
  const Name owner = in.name();
  const auto type = static_cast<Type>(in.number(2));
  const auto klass = static_cast<Class>(in.number(2));
  const std::uint32_t ttl = in.number(4);
  const std::string_view octets = in.take(in.number(2));
  const auto data = rdata_from_wire(type, octets);
  if (in.is_bad() || klass != Class::in || !data) return in.set_bad();
  if (const Rrsig* signature = std::get_if<Rrsig>(&*data)) {
    part_for(parts, owner, signature->covered, ttl).signatures.emplace_back(octets);
  } else {
    part_for(parts, owner, type, ttl).rdata.emplace_back(octets);
  }
}

std::vector<RrSet> read_parts(JournalCursor& in) {
  std::vector<RrSet> parts;
  const std::uint32_t count = in.number(4);
  for (std::uint32_t i = 0; i < count && !in.is_bad(); ++i) read_record(in, parts);
  return parts;
}

RrSet read_soa(JournalCursor& in) {
  std::vector<RrSet> parts = read_parts(in);
  if (parts.size() == 1 && parts[0].type == Type::soa && parts[0].rdata.size() == 1)
    return std::move(parts[0]);
  in.set_bad();
  return {};
}

std::optional<ZoneDifference> decode(std::string_view octets) {
  JournalCursor in(octets);
  const std::uint32_t from = in.number(4);
  const std::uint32_t to = in.number(4);
  ZoneDifference difference;
  difference.old_soa = read_soa(in);
  difference.new_soa = read_soa(in);
  difference.removed = read_parts(in);
  difference.added = read_parts(in);
  const bool is_good =
      !in.is_bad() && in.at_end() && difference.from() == from && difference.to() == to;
  return is_good ? std::optional(std::move(difference)) : std::nullopt;
}

}  // namespace

std::string encode_journal_entry(const ZoneDifference& difference) {
  Writer body;
  body.u32(difference.from());
  body.u32(difference.to());
  write_parts(body, {difference.old_soa});
  write_parts(body, {difference.new_soa});
  write_parts(body, difference.removed);
  write_parts(body, difference.added);
  Writer entry;
  entry.octets(magic);
  entry.u32(static_cast<std::uint32_t>(body.size()));
  entry.u32(crc32c(0, body.out()));
  entry.octets(body.out());
  return entry.take();
}

std::optional<ZoneDifference> JournalReader::next() {
  const std::string_view left = octets_.substr(at_);
  if (left.empty() || end_ != JournalEnd::clean) return std::nullopt;
  // What was cut off in its header, or never got further than the length of the file.
  const bool is_blank = left.find_first_not_of('\0') == std::string_view::npos;
  if (left.size() < fixed_octets || is_blank) {
    end_ = is_blank || magic.starts_with(left.substr(0, magic.size())) ? JournalEnd::torn
                                                                       : JournalEnd::corrupt;
    return std::nullopt;
  }
  JournalCursor head(left);
  const bool has_magic = head.take(magic.size()) == magic;
  const std::uint32_t length = head.number(4);
  const std::uint32_t checksum = head.number(4);
  if (!has_magic || length > max_journal_entry) {
    end_ = JournalEnd::corrupt;
    return std::nullopt;
  }
  if (left.size() - fixed_octets < length) {
    end_ = JournalEnd::torn;
    return std::nullopt;
  }
  const std::string_view body = left.substr(fixed_octets, length);
  auto difference = crc32c(0, body) == checksum ? decode(body) : std::nullopt;
  if (!difference) {
    const bool is_last = left.size() - fixed_octets == length;
    end_ = is_last ? JournalEnd::torn : JournalEnd::corrupt;
    return std::nullopt;
  }
  at_ += fixed_octets + length;
  return difference;
}

}  // namespace posthorn::dns
