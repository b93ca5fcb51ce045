#include "libdns/wire/record.h"

#include <algorithm>

#include "libdns/wire/builder.h"

namespace posthorn::dns {

namespace {

template <class T>
T read_one(Reader& reader);

template <>
A read_one<A>(Reader& reader) {
  A a;
  const std::string_view octets = reader.octets(a.address.size());
  std::copy(octets.begin(), octets.end(), a.address.begin());
  return a;
}
template <>
Aaaa read_one<Aaaa>(Reader& reader) {
  Aaaa aaaa;
  const std::string_view octets = reader.octets(aaaa.address.size());
  std::copy(octets.begin(), octets.end(), aaaa.address.begin());
  return aaaa;
}
template <>
Ns read_one<Ns>(Reader& reader) {
  return {reader.name().name()};
}
template <>
Cname read_one<Cname>(Reader& reader) {
  return {reader.name().name()};
}
template <>
Dname read_one<Dname>(Reader& reader) {
  return {reader.name(Reader::Pointers::forbidden).name()};
}
template <>
Ptr read_one<Ptr>(Reader& reader) {
  return {reader.name().name()};
}
template <>
Soa read_one<Soa>(Reader& reader) {
  Soa soa;
  soa.primary = reader.name().name();
  soa.mailbox = reader.name().name();
  soa.serial = reader.u32();
  soa.refresh = reader.u32();
  soa.retry = reader.u32();
  soa.expire = reader.u32();
  soa.minimum = reader.u32();
  return soa;
}
template <>
Mx read_one<Mx>(Reader& reader) {
  Mx mx;
  mx.preference = reader.u16();
  mx.exchange = reader.name().name();
  return mx;
}
template <>
Txt read_one<Txt>(Reader& reader) {
  Txt txt;
  do {
    txt.strings.emplace_back(reader.character_string());
  } while (!reader.at_end());
  return txt;
}
template <>
Srv read_one<Srv>(Reader& reader) {
  Srv srv;
  srv.priority = reader.u16();
  srv.weight = reader.u16();
  srv.port = reader.u16();
  // RFC 2782 forbids compression here, its forerunner demanded it: RFC 3597 4 has readers take both.
  srv.target = reader.name().name();
  return srv;
}

// Types of RFC 1035 that nobody uses any more and whose names may be compressed all the same: written out, so that
// the octets mean the same in another message.
Opaque read_old_names(Reader& reader, Type type, int names) {
  Opaque opaque;
  opaque.type = type;
  for (int i = 0; i < names; ++i) opaque.octets += reader.name().name().wire();
  return opaque;
}

Rdata read_fields(Reader& reader, Type type) {
  switch (type) {
    case Type::a:
      return read_one<A>(reader);
    case Type::aaaa:
      return read_one<Aaaa>(reader);
    case Type::ns:
      return read_one<Ns>(reader);
    case Type::cname:
      return read_one<Cname>(reader);
    case Type::dname:
      return read_one<Dname>(reader);
    case Type::ptr:
      return read_one<Ptr>(reader);
    case Type::soa:
      return read_one<Soa>(reader);
    case Type::mx:
      return read_one<Mx>(reader);
    case Type::txt:
      return read_one<Txt>(reader);
    case Type::srv:
      return read_one<Srv>(reader);
    default:
      break;
  }
  switch (static_cast<std::uint16_t>(type)) {
    case 3:  // MD, MF, MB, MG, MR
    case 4:
    case 7:
    case 8:
    case 9:
      return read_old_names(reader, type, 1);
    case 14:
      return read_old_names(reader, type, 2);  // MINFO
    default:
      return Opaque{type, std::string(reader.rest())};
  }
}

struct RdataWriter {
  Writer& out;
  void address(const auto& octets) {
    for (const std::uint8_t octet : octets) out.u8(octet);
  }
  void operator()(const A& a) { address(a.address); }
  void operator()(const Aaaa& a) { address(a.address); }
  void operator()(const Ns& ns) { out.name(ns.host); }
  void operator()(const Cname& cname) { out.name(cname.target); }
  void operator()(const Dname& dname) { out.name(dname.target, Writer::Compress::no); }
  void operator()(const Ptr& ptr) { out.name(ptr.target); }
  void operator()(const Soa& soa) {
    out.name(soa.primary);
    out.name(soa.mailbox);
    for (const std::uint32_t n : {soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum}) {
      out.u32(n);
    }
  }
  void operator()(const Mx& mx) {
    out.u16(mx.preference);
    out.name(mx.exchange);
  }
  void operator()(const Txt& txt) {
    for (const std::string& string : txt.strings) out.character_string(string);
    if (txt.strings.empty()) out.u8(0);
  }
  void operator()(const Srv& srv) {
    out.u16(srv.priority);
    out.u16(srv.weight);
    out.u16(srv.port);
    out.name(srv.target, Writer::Compress::no);
  }
  void operator()(const Opaque& opaque) { out.octets(opaque.octets); }
};

}  // namespace

Rdata read_rdata(Reader& reader, Type type, std::size_t length) {
  const std::size_t end = reader.narrow(length);
  Rdata data = read_fields(reader, type);
  reader.widen(end);
  return data;
}

void write_rdata(Writer& writer, const Rdata& data) {
  std::visit(RdataWriter{writer}, data);
}

Type type_of(const Rdata& data) {
  return std::visit([](const auto& one) -> Type { return one.type; }, data);
}

}  // namespace posthorn::dns
