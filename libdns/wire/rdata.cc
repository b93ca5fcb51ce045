// What a value of some type does whatever its type is (record.h says why not there).
#include "libdns/wire/record.h"

namespace posthorn::dns {

Rdata::Rdata() = default;
Rdata::Rdata(const Rdata& other) = default;
Rdata::Rdata(Rdata&& other) noexcept = default;
Rdata& Rdata::operator=(const Rdata& other) = default;
Rdata& Rdata::operator=(Rdata&& other) noexcept = default;
Rdata::~Rdata() = default;

bool Rdata::operator==(const Rdata& other) const {
  const AnyRdata& one = *this;
  const AnyRdata& another = other;
  return one == another;
}

Type type_of(const Rdata& data) {
  return std::visit([](const auto& one) -> Type { return one.type; }, data);
}

}  // namespace posthorn::dns
