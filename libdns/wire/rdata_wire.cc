// RDATA between octets and values: the codecs that read, check and write.
#include <algorithm>

#include "libdns/wire/builder.h"
#include "libdns/wire/fields.h"
#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

// Names in types that have no struct here, but were compressed once (RFC 3597 4) and are folded in
// canonical form (RFC 4034 6.2): after how many octets they begin, and how many there are.
struct OldLayout {
  std::size_t octets = 0;
  int names = 0;
};
OldLayout old_layout(Type type) {
  switch (static_cast<std::uint16_t>(type)) {
    case 3:  // MD, MF, MB, MG, MR
    case 4:
    case 7:
    case 8:
    case 9:
      return {0, 1};
    case 14:  // MINFO
    case 17:  // RP
      return {0, 2};
    case 18:  // AFSDB
    case 21:  // RT
    case 36:  // KX
      return {2, 1};
    case 26:  // PX
      return {2, 2};
    default:
      return {};
  }
}

Reader::Pointers pointers_for(NameForm form, bool alone) {
  const bool may = !alone && (form == NameForm::well_known || form == NameForm::tolerated);
  return may ? Reader::Pointers::allowed : Reader::Pointers::forbidden;
}

// Takes fields from a Reader. With `keep` false values are only looked at.
template <bool keep>
class RdataReader {
 public:
  RdataReader(Reader& reader, bool alone) : in_(reader), alone_(alone) {}

  void u8(std::string_view, std::uint8_t& value) { value = in_.u8(); }
  void u16(std::string_view, std::uint16_t& value) { value = in_.u16(); }
  void u32(std::string_view, std::uint32_t& value) { value = in_.u32(); }
  void u48(std::string_view, std::uint64_t& value) {
    const std::uint64_t high = in_.u16();
    value = high << 32 | in_.u32();
  }
  void algorithm(std::string_view, std::uint8_t& value) { value = in_.u8(); }
  void period(std::string_view, std::uint32_t& value) { value = in_.u32(); }
  void time(std::string_view, std::uint32_t& value) { value = in_.u32(); }
  void type(std::string_view, Type& value) { value = static_cast<Type>(in_.u16()); }
  void address(std::string_view, auto& value) {
    const std::string_view octets = in_.octets(value.address.size());
    std::copy(octets.begin(), octets.end(), value.address.begin());
  }
  void name(std::string_view, Name& value, NameForm form) {
    const NameView view = in_.name(pointers_for(form, alone_));
    if constexpr (keep) value = view.name();
  }
  void string(std::string_view, std::string& value) { take(value, in_.character_string()); }
  void strings(std::string_view, std::vector<std::string>& value) {
    do {
      const std::string_view one = in_.character_string();
      if constexpr (keep) value.emplace_back(one);
    } while (in_.ok() && !in_.at_end());
  }
  void tag(std::string_view, std::string& value) {
    const std::string_view tag = in_.character_string();
    if (in_.ok() && (tag.empty() || !std::all_of(tag.begin(), tag.end(), is_alnum))) {
      in_.set_fault(WireFault::bad_field);
    }
    take(value, tag);
  }
  void value(std::string_view, std::string& value) { take(value, in_.rest()); }
  void hex(std::string_view, std::string& value) { take(value, in_.rest()); }
  void base64(std::string_view, std::string& value) { take(value, in_.rest()); }
  void salt(std::string_view, std::string& value) { take(value, in_.character_string()); }
  void hash(std::string_view, std::string& value) {
    const std::string_view hash = in_.character_string();
    if (in_.ok() && hash.empty()) in_.set_fault(WireFault::bad_field);
    take(value, hash);
  }
  void counted(std::string_view, std::string& value) {
    const std::uint16_t length = in_.u16();
    take(value, in_.octets(length));
  }
  void types(std::string_view, TypeBitmap& value) {
    const std::size_t at = in_.offset();
    auto bitmap = TypeBitmap::from_wire(in_.rest());
    if (!bitmap) return in_.set_fault(WireFault::bad_field, at);
    if constexpr (keep) value = std::move(*bitmap);
  }
  void params(std::string_view, std::vector<SvcParam>& value) {
    for (int last = -1; in_.ok() && !in_.at_end();) {
      const std::size_t at = in_.offset();
      const std::uint16_t key = in_.u16();
      const std::string_view octets = in_.octets(in_.u16());
      if (in_.ok() && key <= last) return in_.set_fault(WireFault::bad_field, at);
      last = key;
      if constexpr (keep) value.push_back({static_cast<SvcKey>(key), std::string(octets)});
    }
  }
  void options(std::string_view, std::vector<OptOption>& value) {
    while (in_.ok() && !in_.at_end()) {
      const std::uint16_t code = in_.u16();
      const std::string_view octets = in_.octets(in_.u16());
      if constexpr (keep) value.push_back({code, std::string(octets)});
    }
  }

 private:
  static void take(std::string& value, std::string_view octets) {
    if constexpr (keep) value = octets;
  }
  Reader& in_;
  bool alone_;
};

// Reads names with pointers where `alone` is false, and gives them back written out.
Opaque read_opaque(Reader& reader, Type type, bool alone) {
  const OldLayout layout = old_layout(type);
  Opaque opaque{type, {}};
  opaque.octets = reader.octets(layout.octets);
  for (int i = 0; i < layout.names; ++i) {
    const NameView name = reader.name(pointers_for(NameForm::tolerated, alone));
    if (reader.ok()) opaque.octets += name.name().wire();
  }
  // A type with a struct comes here empty or not at all.
  if (layout.names == 0) opaque.octets = reader.rest();
  return opaque;
}

Rdata read_fields(Reader& reader, Type type, bool alone) {
  Rdata data;
  const bool known = with_struct(type, [&](auto one) {
    RdataReader<true> codec(reader, alone);
    fields(codec, one);
    data = std::move(one);
  });
  if (!known) data = read_opaque(reader, type, alone);
  return data;
}

enum class Form { message, plain, canonical };

class RdataWriter {
 public:
  RdataWriter(Writer& writer, Form form) : out_(writer), form_(form) {}

  void u8(std::string_view, std::uint8_t value) { out_.u8(value); }
  void u16(std::string_view, std::uint16_t value) { out_.u16(value); }
  void u32(std::string_view, std::uint32_t value) { out_.u32(value); }
  void u48(std::string_view, std::uint64_t value) {
    out_.u16(static_cast<std::uint16_t>(value >> 32));
    out_.u32(static_cast<std::uint32_t>(value));
  }
  void algorithm(std::string_view, std::uint8_t value) { out_.u8(value); }
  void period(std::string_view, std::uint32_t value) { out_.u32(value); }
  void time(std::string_view, std::uint32_t value) { out_.u32(value); }
  void type(std::string_view, Type value) { out_.u16(static_cast<std::uint16_t>(value)); }
  void address(std::string_view, const auto& value) {
    for (const std::uint8_t octet : value.address) out_.u8(octet);
  }
  void name(std::string_view, const Name& value, NameForm form) {
    const bool compress = form_ == Form::message && form == NameForm::well_known;
    const bool fold = form_ == Form::canonical && form != NameForm::kept;
    out_.name(fold ? value.folded() : value,
              compress ? Writer::Compress::yes : Writer::Compress::no);
  }
  void string(std::string_view, const std::string& value) { out_.character_string(value); }
  void strings(std::string_view, const std::vector<std::string>& value) {
    for (const std::string& one : value) out_.character_string(one);
    if (value.empty()) out_.u8(0);
  }
  void tag(std::string_view, const std::string& value) { out_.character_string(value); }
  void value(std::string_view, const std::string& value) { out_.octets(value); }
  void hex(std::string_view, const std::string& value) { out_.octets(value); }
  void base64(std::string_view, const std::string& value) { out_.octets(value); }
  void salt(std::string_view, const std::string& value) { out_.character_string(value); }
  void hash(std::string_view, const std::string& value) { out_.character_string(value); }
  void counted(std::string_view, const std::string& value) {
    const std::string_view octets = std::string_view(value).substr(0, 0xffff);
    out_.u16(static_cast<std::uint16_t>(octets.size()));
    out_.octets(octets);
  }
  void types(std::string_view, const TypeBitmap& value) { out_.octets(value.wire()); }
  void params(std::string_view, const std::vector<SvcParam>& value) {
    for (const SvcParam& param : value) {
      out_.u16(static_cast<std::uint16_t>(param.key));
      counted({}, param.value);
    }
  }
  void options(std::string_view, const std::vector<OptOption>& value) {
    for (const OptOption& option : value) {
      out_.u16(option.code);
      counted({}, option.octets);
    }
  }

 private:
  Writer& out_;
  Form form_;
};

// Names folded where old_layout() has some; anything else as it is.
std::string canonical_opaque(const Opaque& opaque) {
  const OldLayout layout = old_layout(opaque.type);
  if (layout.names == 0) return opaque.octets;
  Reader reader(opaque.octets);
  Writer writer;
  writer.octets(reader.octets(layout.octets));
  for (int i = 0; i < layout.names; ++i) {
    writer.name(reader.name(Reader::Pointers::forbidden).name().folded(), Writer::Compress::no);
  }
  return reader.ok() && reader.at_end() ? writer.take() : opaque.octets;
}

void write(Writer& writer, const Rdata& data, Form form) {
  std::visit(
      [&writer, form]<class T>(const T& one) {
        if constexpr (std::same_as<T, Opaque>) {
          writer.octets(form == Form::canonical ? canonical_opaque(one) : one.octets);
        } else {
          RdataWriter codec(writer, form);
          fields(codec, one);
        }
      },
      data);
}

}  // namespace

Rdata read_rdata(Reader& reader, Type type, std::size_t length) {
  const std::size_t end = reader.narrow(length);
  Rdata data = read_fields(reader, type, false);
  reader.widen(end);
  return data;
}

void check_rdata(Reader& reader, Type type, std::size_t length) {
  const std::size_t end = reader.narrow(length);
  const bool known = with_struct(type, [&reader](auto one) {
    RdataReader<false> codec(reader, false);
    fields(codec, one);
  });
  if (!known) {
    const OldLayout layout = old_layout(type);
    static_cast<void>(reader.octets(layout.octets));
    for (int i = 0; i < layout.names; ++i) static_cast<void>(reader.name());
    if (layout.names == 0) static_cast<void>(reader.rest());
  }
  reader.widen(end);
}

Result<Rdata, WireError> rdata_from_wire(Type type, std::string_view octets) {
  Reader reader(octets);
  Rdata data = read_fields(reader, type, true);
  reader.widen(octets.size());
  if (reader.error()) return fail(*reader.error());
  return data;
}

void write_rdata(Writer& writer, const Rdata& data) {
  write(writer, data, Form::message);
}

void write_rdata(Writer& writer, Type type, std::string_view octets) {
  switch (type) {
    case Type::ns:
    case Type::cname:
    case Type::ptr:
    case Type::soa:
    case Type::mx:
      if (const auto data = rdata_from_wire(type, octets)) return write_rdata(writer, *data);
      break;
    default:
      break;
  }
  writer.octets(octets);
}

std::string rdata_to_wire(const Rdata& data) {
  Writer writer;
  write(writer, data, Form::plain);
  return writer.take();
}

std::string canonical_rdata(const Rdata& data) {
  Writer writer;
  write(writer, data, Form::canonical);
  return writer.take();
}

}  // namespace posthorn::dns
