#include "libdns/wire/builder.h"

#include <algorithm>

namespace posthorn::dns {

namespace {

constexpr std::size_t highest_pointer = 0x3fff;

// FNV-1a over a label and its length octet, going on from the hash of what stands behind it.
std::uint32_t hash_label(std::uint32_t hash, std::string_view label) {
  for (const char c : label) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}
constexpr std::uint32_t hash_of_root = 2166136261u;

std::uint16_t header_bits(const Header& header, Rcode rcode) {
  unsigned bits = static_cast<unsigned>(header.opcode) << 11 | (static_cast<unsigned>(rcode) & 15);
  if (header.response) bits |= 0x8000;
  if (header.authoritative) bits |= 0x0400;
  if (header.truncated) bits |= 0x0200;
  if (header.recursion_desired) bits |= 0x0100;
  if (header.recursion_available) bits |= 0x0080;
  if (header.authentic_data) bits |= 0x0020;
  if (header.checking_disabled) bits |= 0x0010;
  return static_cast<std::uint16_t>(bits);
}

}  // namespace

void Writer::u16(std::uint16_t value) {
  u8(static_cast<std::uint8_t>(value >> 8));
  u8(static_cast<std::uint8_t>(value));
}

void Writer::u32(std::uint32_t value) {
  u16(static_cast<std::uint16_t>(value >> 16));
  u16(static_cast<std::uint16_t>(value));
}

void Writer::character_string(std::string_view octets) {
  octets = octets.substr(0, 255);
  u8(static_cast<std::uint8_t>(octets.size()));
  out_.append(octets);
}

void Writer::name(const Name& name, Compress compress) {
  const std::string_view wire = name.wire();
  if (compress == Compress::no) return octets(wire);

  // Where each label begins, and the hash of the name from there on.
  std::array<std::uint8_t, max_labels> starts;
  std::array<std::uint32_t, max_labels> hashes;
  std::size_t labels = 0;
  for (std::size_t at = 0; wire[at] != 0; at += 1 + static_cast<unsigned char>(wire[at])) {
    starts[labels++] = static_cast<std::uint8_t>(at);
  }
  std::uint32_t hash = hash_of_root;
  for (std::size_t i = labels; i-- > 0;) {
    hash =
        hash_label(hash, wire.substr(starts[i], 1 + static_cast<unsigned char>(wire[starts[i]])));
    hashes[i] = hash;
  }
  for (std::size_t i = 0; i < labels; ++i) {
    const std::string_view suffix = wire.substr(starts[i]);
    if (const std::uint16_t known = find(suffix, hashes[i])) {
      return u16(static_cast<std::uint16_t>(0xc000 | known));
    }
    remember(hashes[i], out_.size());
    octets(suffix.substr(0, 1 + static_cast<unsigned char>(suffix[0])));
  }
  u8(0);
}

std::uint16_t Writer::find(std::string_view suffix, std::uint32_t hash) const {
  for (std::size_t i = 0; i < probes; ++i) {
    const Slot& slot = table_[(hash + i) % slots];
    if (slot.offset != 0 && slot.hash == hash && stands_at(suffix, slot.offset)) return slot.offset;
  }
  return 0;
}

void Writer::remember(std::uint32_t hash, std::size_t offset) {
  if (offset > highest_pointer || offset == 0) return;
  for (std::size_t i = 0; i < probes; ++i) {
    Slot& slot = table_[(hash + i) % slots];
    if (slot.offset != 0) continue;
    slot.hash = hash;
    slot.offset = static_cast<std::uint16_t>(offset);
    return;
  }
}

// What stands there is our own writing: its pointers lead back and its names end. A name that is just being
// written does not end yet, but then it is shorter than any that could match.
bool Writer::stands_at(std::string_view suffix, std::size_t offset) const {
  for (;;) {
    if (offset >= out_.size()) return false;
    const auto length = static_cast<unsigned char>(out_[offset]);
    if ((length & 0xc0) == 0xc0) {
      if (offset + 1 >= out_.size()) return false;
      offset = (length & 0x3fu) << 8 | static_cast<unsigned char>(out_[offset + 1]);
      continue;
    }
    const std::string_view label = std::string_view(out_).substr(offset, std::size_t{1} + length);
    if (!suffix.starts_with(label)) return false;
    if (length == 0) return true;
    suffix.remove_prefix(label.size());
    offset += label.size();
  }
}

void Writer::patch_u16(std::size_t offset, std::uint16_t value) {
  out_[offset] = static_cast<char>(value >> 8);
  out_[offset + 1] = static_cast<char>(value);
}

void Writer::cut(std::size_t size) {
  out_.resize(size);
  for (Slot& slot : table_) {
    if (slot.offset >= size) slot = Slot();
  }
}

void EdnsSettings::add(const ExtendedError& error) {
  Writer writer;
  writer.u16(error.code);
  writer.octets(error.explanation);
  options.emplace_back(edns_extended_error, writer.take());
}

MessageBuilder::MessageBuilder(const Header& header, std::size_t limit)
    : header_(header), rcode_(header.rcode), limit_(std::min(limit, max_message_octets)) {
  for (std::size_t i = 0; i < header_octets; ++i) writer_.u8(0);
}

bool MessageBuilder::question(const Question& question) {
  check(section_ == 0, "a question behind a record");
  const std::size_t before = writer_.size();
  writer_.name(question.name);
  writer_.u16(static_cast<std::uint16_t>(question.type));
  writer_.u16(static_cast<std::uint16_t>(question.klass));
  return keep_or_cut(before, 0, 1);
}

bool MessageBuilder::add(const Record& record, std::size_t section) {
  check(section_ <= section, "records are added section by section");
  section_ = section;
  const std::size_t before = writer_.size();
  const std::size_t length_at = begin_record(record.owner, record.type(), record.klass, record.ttl);
  write_rdata(writer_, record.data);
  end_record(length_at);
  return keep_or_cut(before, section, 1);
}

bool MessageBuilder::add(const RrSet& set, Signatures signatures, std::size_t section) {
  check(section_ <= section, "records are added section by section");
  section_ = section;
  const std::size_t before = writer_.size();
  for (const std::string& octets : set.rdata) {
    const std::size_t length_at = begin_record(set.owner, set.type, set.klass, set.ttl);
    write_rdata(writer_, set.type, octets);
    end_record(length_at);
    if (writer_.size() > limit_) break;  // a set of megabytes is not written out to be cut
  }
  std::size_t records = set.rdata.size();
  if (signatures == Signatures::include) {
    records += set.signatures.size();
    for (const std::string& octets : set.signatures) {
      const std::size_t length_at = begin_record(set.owner, Type::rrsig, set.klass, set.ttl);
      writer_.octets(octets);
      end_record(length_at);
    }
  }
  return keep_or_cut(before, section, records);
}

std::size_t MessageBuilder::begin_record(const Name& owner, Type type, Class klass,
                                         std::uint32_t ttl) {
  writer_.name(owner);
  writer_.u16(static_cast<std::uint16_t>(type));
  writer_.u16(static_cast<std::uint16_t>(klass));
  writer_.u32(ttl);
  writer_.u16(0);
  return writer_.size() - 2;
}

// A length that no field can say is over any limit: keep_or_cut() will take the record back.
void MessageBuilder::end_record(std::size_t length_at) {
  const std::size_t length = writer_.size() - length_at - 2;
  if (length <= 0xffff) writer_.patch_u16(length_at, static_cast<std::uint16_t>(length));
}

bool MessageBuilder::keep_or_cut(std::size_t before, std::size_t section, std::size_t records) {
  if (writer_.size() + edns_octets_ > limit_ || counts_[section] + records > 0xffff) {
    writer_.cut(before);
    return false;
  }
  counts_[section] = static_cast<std::uint16_t>(counts_[section] + records);
  return true;
}

bool MessageBuilder::edns(EdnsSettings settings) {
  std::size_t octets = 11;
  for (const auto& [code, value] : settings.options) octets += 4 + value.size();
  if (writer_.size() + octets > limit_) return false;
  edns_octets_ = octets;
  edns_ = std::move(settings);
  return true;
}

std::string MessageBuilder::finish() {
  if (edns_) {
    writer_.u8(0);
    writer_.u16(static_cast<std::uint16_t>(Type::opt));
    writer_.u16(edns_->udp_octets);
    writer_.u8(static_cast<std::uint8_t>(static_cast<unsigned>(rcode_) >> 4));
    writer_.u8(edns_->version);
    writer_.u16(edns_->dnssec_ok ? 0x8000 : 0);
    writer_.u16(static_cast<std::uint16_t>(edns_octets_ - 11));
    for (const auto& [code, value] : edns_->options) {
      writer_.u16(code);
      writer_.u16(static_cast<std::uint16_t>(value.size()));
      writer_.octets(value);
    }
    ++counts_[3];
  }
  writer_.patch_u16(0, header_.id);
  writer_.patch_u16(2, header_bits(header_, rcode_));
  for (std::size_t i = 0; i < counts_.size(); ++i) writer_.patch_u16(4 + 2 * i, counts_[i]);
  return writer_.take();
}

std::string make_query(std::uint16_t id, const Question& question, QueryFlags flags) {
  Header header;
  header.id = id;
  header.recursion_desired = true;
  header.authentic_data = flags.authentic_data;
  MessageBuilder builder(header);
  EdnsSettings edns;
  edns.dnssec_ok = flags.dnssec_ok;
  // Both fit into any limit there is.
  check(builder.edns(std::move(edns)) && builder.question(question), "a query fits into a message");
  return builder.finish();
}

}  // namespace posthorn::dns
