// Zone transfers as messages: AXFR (RFC 5936), IXFR (RFC 1995), both ways. The caller frames,
// signs and sends; and it has checked who asks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libdns/wire/builder.h"
#include "libdns/zone/zone.h"

namespace posthorn::dns {

// What a message of a transfer takes; TSIG needs room besides. A single larger RR gets a larger
// message of its own.
inline constexpr std::size_t transfer_message_octets = 16 * 1024;

// Yields the messages of one answer, one by one.
class TransferWriter {
 public:
  // RFC 5936 2.2: the SOA, everything else, the SOA again.
  [[nodiscard]] static TransferWriter axfr(std::shared_ptr<const Zone> zone, std::uint16_t id,
                                           const Question& question);
  // RFC 1995 4: from the asker's serial on. `differences`, oldest first, may begin earlier; if they
  // don't lead from the asker's serial to the zone's without a gap it is an AXFR. An asker that is up
  // to date gets a single SOA.
  [[nodiscard]] static TransferWriter ixfr(
      std::shared_ptr<const Zone> zone,
      std::vector<std::shared_ptr<const ZoneDifference>> differences, std::uint32_t asker_serial,
      std::uint16_t id, const Question& question);
  // The zone's SOA alone: what an IXFR by UDP gets that doesn't fit (RFC 1995 2).
  [[nodiscard]] static TransferWriter soa_only(std::shared_ptr<const Zone> zone, std::uint16_t id,
                                               const Question& question);

  // Nothing after the last one. The first has the question, all have AA.
  [[nodiscard]] std::optional<std::string> next();

 private:
  struct Part {
    const RrSet* set;
    bool records;
    bool signatures;
  };
  TransferWriter(std::shared_ptr<const Zone> zone, std::uint16_t id, const Question& question)
      : zone_(std::move(zone)), id_(id), question_(question) {}
  void add_zone();
  bool add_differences(std::uint32_t from);
  [[nodiscard]] bool write(MessageBuilder& builder);
  [[nodiscard]] bool write_records(MessageBuilder& builder);
  std::shared_ptr<const Zone> zone_;
  std::vector<std::shared_ptr<const ZoneDifference>> differences_;
  std::uint16_t id_;
  Question question_;
  std::vector<Part> parts_;
  std::size_t part_ = 0;    // the next one to write
  std::size_t record_ = 0;  // in it, if the part is too large for a message
  bool first_ = true;
};

struct TransferLimits {
  std::size_t records = 5'000'000;
  std::size_t octets = std::size_t{1} << 30;  // of messages
};

// Why a transfer was given up. The whole of it is refused, always.
struct TransferFault {
  Rcode rcode = Rcode::noerror;  // what the primary said, if it said no
  std::string reason;            // safe to print
  TransferFault() = default;
  TransferFault(Rcode r, std::string why) : rcode(r), reason(std::move(why)) {}
};

// Takes the messages of one transfer as they come, TSIG verified before.
class TransferReader {
 public:
  // With `previous` the question was IXFR from its serial, and either form may come back; without
  // it AXFR.
  TransferReader(const Question& question, std::uint16_t id, std::shared_ptr<const Zone> previous,
                 TransferLimits limits = {});

  enum class State { more, complete };
  [[nodiscard]] Result<State, TransferFault> take(std::string_view message);
  // Once, when complete. No zone in it: ours is up to date (or newer than theirs). After an AXFR
  // the difference is to `previous`, if there was one.
  [[nodiscard]] ZoneVersion version() { return std::move(version_); }

 private:
  enum class Phase { first, second, whole, removing, adding, done };
  [[nodiscard]] Result<void, TransferFault> check_header(const MessageView& view);
  [[nodiscard]] Result<void, TransferFault> take_record(const RecordView& view);
  [[nodiscard]] Result<void, TransferFault> take_first(const Record& record);
  [[nodiscard]] Result<void, TransferFault> take_second(const Record& record);
  [[nodiscard]] Result<void, TransferFault> take_whole(const Record& record);
  [[nodiscard]] Result<void, TransferFault> take_change(const Record& record);
  [[nodiscard]] Result<void, TransferFault> take_step_soa(const Record& record);
  [[nodiscard]] Result<void, TransferFault> finish();
  Question question_;
  std::uint16_t id_;
  std::shared_ptr<const Zone> previous_;
  TransferLimits limits_;
  Phase phase_ = Phase::first;
  Record soa_;                        // the first one
  std::optional<ZoneEditor> editor_;  // of the zone that comes
  std::uint32_t step_to_ = 0;         // IXFR: serial that is being added
  std::size_t records_ = 0;
  std::size_t octets_ = 0;
  bool first_message_ = true;
  ZoneVersion version_;
};

}  // namespace posthorn::dns
