// Writes messages: fields in the order of RFC 1035 4.1, names compressed with bounded work.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libdns/wire/message.h"
#include "libdns/wire/rrset.h"

namespace posthorn::dns {

// Octets at the end of a message under construction. Compression looks suffixes up in a table of
// fixed size and compares case exactly, so that what is read back is what was written; a full table
// only costs octets.
class Writer {
 public:
  void u8(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void u16(std::uint16_t value);
  void u32(std::uint32_t value);
  void octets(std::string_view octets) { out_.append(octets); }
  // At most 255 octets of it.
  void character_string(std::string_view octets);
  enum class Compress { yes, no };
  void name(const Name& name, Compress compress = Compress::yes);

  [[nodiscard]] std::size_t size() const { return out_.size(); }
  void patch_u16(std::size_t offset, std::uint16_t value);
  // Forgets everything from `size` on, names that were remembered there included.
  void cut(std::size_t size);
  [[nodiscard]] const std::string& out() const { return out_; }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  static constexpr std::size_t slots = 64;
  static constexpr std::size_t probes = 4;
  struct Slot {
    std::uint32_t hash = 0;
    std::uint16_t offset = 0;  // of a label, never of a pointer; 0 = free (the header is there)
  };
  [[nodiscard]] std::uint16_t find(std::string_view suffix, std::uint32_t hash) const;
  void remember(std::uint32_t hash, std::size_t offset);
  [[nodiscard]] bool stands_at(std::string_view suffix, std::size_t offset) const;

  std::string out_;
  std::array<Slot, slots> table_{};
};

void write_rdata(Writer& writer, const Rdata& data);
// The same of octets as rdata_to_wire() gives them: names are compressed where the type has it so.
void write_rdata(Writer& writer, Type type, std::string_view octets);

// What an OPT record of ours says.
struct EdnsSettings {
  std::uint16_t udp_octets = edns_udp_octets;
  bool dnssec_ok = false;
  std::uint8_t version = 0;
  std::vector<std::pair<std::uint16_t, std::string>> options;  // code, octets
  EdnsSettings() = default;
  void add(const ExtendedError& error);
};

// One message. Sections are filled in order; what doesn't fit is refused whole and leaves the
// message as it was.
class MessageBuilder {
 public:
  explicit MessageBuilder(const Header& header, std::size_t limit = max_message_octets);

  [[nodiscard]] bool question(const Question& question);
  [[nodiscard]] bool answer(const Record& record) { return add(record, 1); }
  [[nodiscard]] bool authority(const Record& record) { return add(record, 2); }
  [[nodiscard]] bool additional(const Record& record) { return add(record, 3); }
  // The same for a whole set and, if wanted, its signatures.
  [[nodiscard]] bool answer(const RrSet& set, Signatures signatures) {
    return add(set, signatures, 1);
  }
  [[nodiscard]] bool authority(const RrSet& set, Signatures signatures) {
    return add(set, signatures, 2);
  }
  [[nodiscard]] bool additional(const RrSet& set, Signatures signatures) {
    return add(set, signatures, 3);
  }
  // Keeps room for an OPT, which finish() writes as the last record. Before any record; false if
  // there is no room.
  [[nodiscard]] bool edns(EdnsSettings settings);
  // What the message takes so far, the room kept for the OPT included.
  [[nodiscard]] std::size_t size() const { return writer_.size() + edns_octets_; }
  void set_truncated() { header_.truncated = true; }
  void set_rcode(Rcode rcode) { rcode_ = rcode; }  // over 15 only with edns()
  [[nodiscard]] std::string finish();

 private:
  bool add(const Record& record, std::size_t section);
  bool add(const RrSet& set, Signatures signatures, std::size_t section);
  // The record as far as its RDATA; gives the place of RDLENGTH.
  std::size_t begin_record(const Name& owner, Type type, Class klass, std::uint32_t ttl);
  void end_record(std::size_t length_at);
  bool keep_or_cut(std::size_t before, std::size_t section, std::size_t records);
  Header header_;
  Rcode rcode_;
  std::size_t limit_;
  Writer writer_;
  std::array<std::uint16_t, 4> counts_{};
  std::size_t section_ = 0;  // the last one written to
  std::optional<EdnsSettings> edns_;
  std::size_t edns_octets_ = 0;
};

// A query as a stub sends it: RD, one question, and an OPT that is last and has no options (11
// octets).
struct QueryFlags {
  bool dnssec_ok = false;       // DO: send signatures along
  bool authentic_data = false;  // AD: tell me whether it is secure (RFC 6840 5.7)
};
[[nodiscard]] std::string make_query(std::uint16_t id, const Question& question,
                                     QueryFlags flags = {});

}  // namespace posthorn::dns
