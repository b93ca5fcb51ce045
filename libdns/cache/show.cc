// What `cache show` prints, line by line.
#include "libdns/cache/cache.h"
#include "libdns/cache/codec.h"
#include "libdns/cache/table.h"

namespace posthorn::dns {

namespace {

std::vector<std::string> record_lines(const CacheEntry& entry) {
  std::vector<std::string> lines;
  const EntryView view(entry, 0);
  view.for_each_rdata([&](std::string_view octets) {
    const auto data = rdata_from_wire(entry.type, octets);
    if (data) lines.push_back(to_text(*data));
  });
  return lines;
}

std::vector<std::string> delegation_lines(const CacheEntry& entry) {
  std::vector<std::string> lines;
  Unpacker in(entry.body());
  while (!in.at_end()) {
    std::string line = in.name().text();
    const std::size_t v4 = in.u8(), v6 = in.u8();
    for (std::size_t i = 0; i < v4; ++i) {
      A one;
      for (std::size_t k = 0; k < one.address.size(); ++k)
        one.address[k] = static_cast<std::uint8_t>(in.u8());
      line += " " + one.text();
    }
    for (std::size_t i = 0; i < v6; ++i) {
      Aaaa one;
      for (std::size_t k = 0; k < one.address.size(); ++k)
        one.address[k] = static_cast<std::uint8_t>(in.u8());
      line += " " + one.text();
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<std::string> lines_of(const CacheEntry& entry) {
  switch (entry.kind) {
    case EntryKind::positive:
    case EntryKind::address:
    case EntryKind::bogus:
      return record_lines(entry);
    case EntryKind::delegation:
      return delegation_lines(entry);
    case EntryKind::nodata:
      return {"no such type at this name"};
    case EntryKind::nxdomain:
      return {"no such name"};
    case EntryKind::failure:
      break;
  }
  Unpacker in(entry.body());
  (void)in.u8();
  const auto code = static_cast<std::uint16_t>(in.u16());
  return {ExtendedError(code, std::string(in.rest())).describe()};
}

}  // namespace

void Cache::for_each(CacheTime now, const std::function<bool(const CacheLine&)>& show) const {
  table_->for_each([&](const CacheEntry& entry) {
    CacheLine line;
    line.name = Name::from_wire(entry.name()).value_or(Name());
    line.kind = entry.kind;
    line.type = entry.kind == EntryKind::delegation ? Type::ns : entry.type;
    line.ttl_left = static_cast<std::int64_t>(entry.expires) - static_cast<std::int64_t>(now);
    line.rank = entry.rank;
    line.security = entry.security;
    line.source = entry.source == no_source || entry.source > sources_.size()
                      ? std::string()
                      : sources_[entry.source - 1];
    if (line.ttl_left <= -static_cast<std::int64_t>(settings_.stale_for)) return true;
    for (std::string& text : lines_of(entry)) {
      line.data = std::move(text);
      if (!show(line)) return false;
    }
    return true;
  });
}

}  // namespace posthorn::dns
