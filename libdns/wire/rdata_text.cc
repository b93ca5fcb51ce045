// RDATA as text (RFC 1035 5.1, RFC 3597 5): the codec that writes it.
#include <fmt/format.h>

#include <utility>

#include "libdns/wire/encoding.h"
#include "libdns/wire/fields.h"
#include "libdns/wire/presentation.h"
#include "libmail/base/base64.h"
#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

std::string absolute(const Name& name) {
  return name.is_root() ? "." : name.text() + ".";
}

class RdataPrinter {
 public:
  void u8(std::string_view, std::uint8_t value) { add(std::to_string(value)); }
  void u16(std::string_view, std::uint16_t value) { add(std::to_string(value)); }
  void u32(std::string_view, std::uint32_t value) { add(std::to_string(value)); }
  void u48(std::string_view, std::uint64_t value) { add(std::to_string(value)); }
  void algorithm(std::string_view, std::uint8_t value) { add(std::to_string(value)); }
  void period(std::string_view, std::uint32_t value) {
    add(std::to_string(value));
    if (value > 0x7fffffff) sayable_ = false;
  }
  void time(std::string_view, std::uint32_t value) { add(time_text(value)); }
  void type(std::string_view, Type value) { add(to_string(value)); }
  void address(std::string_view, const auto& value) { add(value.text()); }
  void name(std::string_view, const Name& value, NameForm) { add(absolute(value)); }
  void string(std::string_view, const std::string& value) { add(in_quotes(value)); }
  void strings(std::string_view, const std::vector<std::string>& value) {
    for (const std::string& one : value) add(in_quotes(one));
    if (value.empty()) add("\"\"");
  }
  void tag(std::string_view, const std::string& value) { add(value); }
  void value(std::string_view, const std::string& value) { add(in_quotes(value)); }
  void hex(std::string_view, const std::string& value) { add(posthorn::hex(value)); }
  void base64(std::string_view, const std::string& value) { add(encode_base64(value)); }
  void salt(std::string_view, const std::string& value) {
    add(value.empty() ? "-" : posthorn::hex(value));
  }
  void hash(std::string_view, const std::string& value) { add(encode_base32hex(value)); }
  void counted(std::string_view, const std::string& value) {
    add(std::to_string(value.size()));
    if (!value.empty()) add(encode_base64(value));
  }
  void types(std::string_view, const TypeBitmap& value) {
    if (!value.empty()) add(value.text());
  }
  void params(std::string_view, const std::vector<SvcParam>& value) {
    if (!svc_params_problem(value).empty()) {
      sayable_ = false;
      return;
    }
    for (const SvcParam& param : value) add(to_text(param));
  }
  void options(std::string_view, const std::vector<OptOption>&) { sayable_ = false; }

  // False if the type's own form can't say the value.
  [[nodiscard]] bool sayable() const { return sayable_; }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  void add(std::string_view one) {
    if (one.empty()) sayable_ = false;
    if (!text_.empty()) text_ += ' ';
    text_ += one;
  }
  std::string text_;
  bool sayable_ = true;
};

std::string generic_text(std::string_view octets) {
  if (octets.empty()) return "\\# 0";
  return fmt::format("\\# {} {}", octets.size(), hex(octets));
}

}  // namespace

std::string Txt::joined() const {
  std::string all;
  for (const std::string& string : strings) all += string;
  return all;
}

std::string to_text(const Rdata& data) {
  return std::visit(
      [&data]<class T>(const T& one) {
        if constexpr (std::same_as<T, Opaque>) {
          return generic_text(one.octets);
        } else {
          RdataPrinter printer;
          fields(printer, one);
          return printer.sayable() ? printer.take() : generic_text(rdata_to_wire(data));
        }
      },
      data);
}

std::string Record::text() const {
  return fmt::format("{} {} {} {} {}", absolute(owner), ttl, to_string(klass), to_string(type()),
                     to_text(data));
}

}  // namespace posthorn::dns
