#include "agents/nslook/zone_source.h"

#include "libdns/resolver/zone_copy.h"

namespace posthorn::nslook {

namespace {

std::string in_words(const dns::TransferFault& fault) {
  if (fault.rcode == dns::Rcode::refused || fault.rcode == dns::Rcode::notauth) {
    return "the server gives the zone to others only, or hasn't got it: " +
           dns::to_string(fault.rcode);
  }
  return fault.reason;
}

}  // namespace

async::Task<Result<std::vector<dns::Record>, std::string>> NetworkZoneSource::transfer(
    Place place, dns::Name zone, Manner manner) {
  dns::CopyRequest request;
  request.server = std::move(place.at);
  request.zone = std::move(zone);
  request.key = std::move(manner.key);
  request.ask_time = manner.timeout;
  request.idle_time = manner.timeout;
  const auto version = co_await dns::copy_zone(std::move(request));
  if (!version) co_return fail(in_words(version.error()));
  std::vector<dns::Record> records;
  version->zone->for_each([&records](const dns::RrSet& set) {
    for (dns::Record& record : set.records()) records.push_back(std::move(record));
    for (dns::Record& record : set.signature_records()) records.push_back(std::move(record));
  });
  co_return records;
}

}  // namespace posthorn::nslook
