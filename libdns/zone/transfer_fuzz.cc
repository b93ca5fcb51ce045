// Messages of a transfer, each behind its length as on TCP: whatever comes, it is a zone that
// survives being sent on, or a reason. The first octet chooses AXFR or IXFR.
#include <cstdint>

#include "libdns/zone/journal.h"
#include "libdns/zone/master_file.h"
#include "libdns/zone/transfer.h"
#include "libdns/zone/update.h"

using namespace posthorn;
using namespace posthorn::dns;

namespace {

std::shared_ptr<const Zone> ours() {
  static const std::shared_ptr<const Zone> zone =
      parse_master_file("$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\nx TXT y\n",
                        *Name::parse("a.test"))
          .zone;
  return zone;
}

void check_version(const ZoneVersion& version, const Question& question) {
  if (!version.zone) return;
  TransferReader again(Question(question.name, Type::axfr), 0, nullptr);
  TransferWriter writer =
      TransferWriter::axfr(version.zone, 0, Question(question.name, Type::axfr));
  while (const auto message = writer.next()) {
    const auto taken = again.take(*message);
    check(taken.has_value(), "what we send is accepted");
  }
  const ZoneVersion sent = again.version();
  if (sent.zone) check(*sent.zone == *version.zone, "a zone survives a transfer");
  if (version.difference.old_soa.empty()) return;
  const std::string entry = encode_journal_entry(version.difference);
  JournalReader journal(entry);
  const auto difference = journal.next();
  check(difference && *difference == version.difference, "a difference survives the journal");
  ZoneEditor editor(ours());
  check(editor.apply(version.difference).has_value(), "a difference applies");
  const auto applied = editor.commit();
  check(applied && *applied->zone == *version.zone, "and leads to the new version");
}

void try_update(std::string_view octets) {
  const auto view = MessageView::parse(octets);
  if (!view) return;
  UpdateContext context;
  context.trusted = true;
  const auto version = apply_update(ours(), *view, context);
  if (!version || !version->zone) return;
  check(version->zone->find(ours()->origin(), Type::ns) != nullptr, "the last NS stays");
  check(is_newer_serial(version->zone->serial(), ours()->serial()), "the serial goes on");
  check_version(*version, Question(ours()->origin(), Type::ixfr));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view octets(reinterpret_cast<const char*>(data), size);
  if (octets.empty()) return 0;
  const int what = octets[0] % 3;
  octets.remove_prefix(1);
  if (what == 2) {
    try_update(octets);
    return 0;
  }
  const Question question(ours()->origin(), what == 0 ? Type::axfr : Type::ixfr);
  TransferReader reader(question, 0x1267, what == 0 ? nullptr : ours());
  while (octets.size() >= 2) {
    const std::size_t length =
        static_cast<unsigned char>(octets[0]) * 256u + static_cast<unsigned char>(octets[1]);
    const std::string_view message = octets.substr(2, length);
    octets.remove_prefix(2 + message.size());
    const auto taken = reader.take(message);
    if (!taken) {
      static_cast<void>(taken.error().reason);
      return 0;
    }
    if (*taken == TransferReader::State::complete) {
      check_version(reader.version(), question);
      return 0;
    }
  }
  return 0;
}
