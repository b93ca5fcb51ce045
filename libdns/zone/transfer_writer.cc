#include <algorithm>

#include "libdns/zone/serial.h"
#include "libdns/zone/transfer.h"

namespace posthorn::dns {

namespace {

// What a message can take at most, with room for a TSIG.
constexpr std::size_t largest_message = max_message_octets - 512;

}  // namespace

TransferWriter TransferWriter::axfr(std::shared_ptr<const Zone> zone, std::uint16_t id,
                                    const Question& question) {
  TransferWriter writer(std::move(zone), id, question);
  writer.add_zone();
  return writer;
}

TransferWriter TransferWriter::soa_only(std::shared_ptr<const Zone> zone, std::uint16_t id,
                                        const Question& question) {
  TransferWriter writer(std::move(zone), id, question);
  writer.parts_.push_back({&writer.zone_->soa_set(), true, false});
  return writer;
}

TransferWriter TransferWriter::ixfr(std::shared_ptr<const Zone> zone,
                                    std::vector<std::shared_ptr<const ZoneDifference>> differences,
                                    std::uint32_t asker_serial, std::uint16_t id,
                                    const Question& question) {
  if (!is_newer_serial(zone->serial(), asker_serial)) {
    return soa_only(std::move(zone), id, question);
  }
  TransferWriter writer(std::move(zone), id, question);
  writer.differences_ = std::move(differences);
  if (!writer.add_differences(asker_serial)) writer.add_zone();
  return writer;
}

void TransferWriter::add_zone() {
  parts_.clear();
  const RrSet* soa = &zone_->soa_set();
  parts_.push_back({soa, true, false});
  zone_->for_each([this, soa](const RrSet& set) { parts_.push_back({&set, &set != soa, true}); });
  parts_.push_back({soa, true, false});
}

// False if they don't lead from there to here, or take more than the zone itself.
bool TransferWriter::add_differences(std::uint32_t from) {
  const auto starts = [&from](const auto& difference) { return difference->from() == from; };
  auto at = std::find_if(differences_.begin(), differences_.end(), starts);
  if (at == differences_.end()) return false;
  parts_.push_back({&zone_->soa_set(), true, false});
  std::size_t records = 0;
  for (; at != differences_.end() && from != zone_->serial(); ++at) {
    const ZoneDifference& difference = **at;
    if (difference.from() != from) return false;
    from = difference.to();
    const auto add = [&](const RrSet& soa, const std::vector<RrSet>& parts) {
      parts_.push_back({&soa, true, false});
      for (const RrSet& part : parts) {
        parts_.push_back({&part, true, true});
        records += part.rdata.size() + part.signatures.size();
      }
    };
    add(difference.old_soa, difference.removed);
    add(difference.new_soa, difference.added);
    if (records > zone_->record_count()) return false;
  }
  parts_.push_back({&zone_->soa_set(), true, false});
  return from == zone_->serial();
}

std::optional<std::string> TransferWriter::next() {
  if (part_ >= parts_.size()) return std::nullopt;
  Header header;
  header.id = id_;
  header.response = true;
  header.authoritative = true;
  const std::size_t part = part_;
  const std::size_t record = record_;
  for (const std::size_t limit : {transfer_message_octets, largest_message}) {
    MessageBuilder builder(header, limit);
    if (first_ && !builder.question(question_)) continue;
    while (part_ < parts_.size() && write(builder)) {
    }
    if (part_ == part && record_ == record) continue;
    first_ = false;
    return builder.finish();
  }
  // No message takes this record. Without the last SOA nobody believes the transfer.
  part_ = parts_.size();
  return std::nullopt;
}

// Writes what is next as far as it fits; false if the message is full.
bool TransferWriter::write(MessageBuilder& builder) {
  const Part& part = parts_[part_];
  const bool is_whole = part.records && record_ == 0;
  const Signatures with = part.signatures ? Signatures::include : Signatures::omit;
  if (!is_whole || !builder.answer(*part.set, with)) return write_records(builder);
  ++part_;
  return true;
}

// A set that is too large for what is left of the message, record by record.
bool TransferWriter::write_records(MessageBuilder& builder) {
  const Part& part = parts_[part_];
  const RrSet& set = *part.set;
  const std::size_t records = part.records ? set.rdata.size() : 0;
  const std::size_t all = records + (part.signatures ? set.signatures.size() : 0);
  for (; record_ < all; ++record_) {
    RrSet one(set.owner, set.type, set.ttl);
    if (record_ < records) {
      one.rdata.push_back(set.rdata[record_]);
    } else {
      one.signatures.push_back(set.signatures[record_ - records]);
    }
    if (!builder.answer(one, Signatures::include)) return false;
  }
  ++part_;
  record_ = 0;
  return true;
}

}  // namespace posthorn::dns
