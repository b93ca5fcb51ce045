#include "libdns/wire/reader.h"

#include "libdns/wire/message.h"

namespace posthorn::dns {

Reader::Reader(std::string_view message, std::size_t offset)
    : message_(message), at_(offset), end_(message.size()) {
  if (message.size() > max_message_octets) set_fault(WireFault::too_long, max_message_octets);
  if (offset > message.size()) set_fault(WireFault::truncated, message.size());
}

void Reader::set_fault(WireFault fault, std::size_t where) {
  if (!error_) error_ = WireError(fault, where);
  at_ = end_;
}

std::string_view Reader::octets(std::size_t count) {
  if (count > left()) {
    set_fault(WireFault::truncated, end_);
    return {};
  }
  const std::string_view found = message_.substr(at_, count);
  at_ += count;
  return found;
}

std::uint8_t Reader::u8() {
  const std::string_view o = octets(1);
  return o.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(o[0]);
}

std::uint16_t Reader::u16() {
  const std::string_view o = octets(2);
  if (o.empty()) return 0;
  return static_cast<std::uint16_t>(static_cast<unsigned char>(o[0]) << 8 |
                                    static_cast<unsigned char>(o[1]));
}

std::uint32_t Reader::u32() {
  const std::string_view o = octets(4);
  if (o.empty()) return 0;
  std::uint32_t value = 0;
  for (const char c : o) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::string_view Reader::character_string() {
  const std::uint8_t length = u8();
  return octets(length);
}

NameView Reader::name(Pointers pointers) {
  if (!ok()) return {};
  const std::size_t start = at_;
  std::size_t at = at_;
  std::size_t segment = at_;  // where the run of labels began that is being read
  std::size_t limit = end_;   // and where it must end
  std::size_t behind = 0;     // where reading goes on behind the name, once a pointer was met
  std::size_t hops = 0;
  std::size_t octets = 0;
  std::size_t labels = 0;
  const auto fault = [this](WireFault what, std::size_t where) {
    set_fault(what, where);
    return NameView();
  };
  for (;;) {
    if (at >= limit)
      return fault(hops == 0 ? WireFault::truncated : WireFault::forward_pointer, at);
    const unsigned length = static_cast<unsigned char>(message_[at]);
    if ((length & 0xc0) == 0) {
      if (limit - at <= length) {
        return fault(hops == 0 ? WireFault::truncated : WireFault::forward_pointer, at);
      }
      octets += 1 + length;
      if (octets > max_name_octets) return fault(WireFault::name_too_long, start);
      at += 1 + length;
      if (length == 0) break;
      ++labels;
    } else if ((length & 0xc0) == 0xc0) {
      if (pointers == Pointers::forbidden) return fault(WireFault::compressed_name, at);
      if (limit - at < 2) return fault(WireFault::truncated, at);
      const std::size_t target =
          (length & 0x3fu) << 8 | static_cast<unsigned char>(message_[at + 1]);
      // Strictly back, and never again into the labels it came from: every hop shortens what is left.
      if (target >= segment) return fault(WireFault::forward_pointer, at);
      if (++hops > max_pointer_hops) return fault(WireFault::too_many_pointers, at);
      if (hops == 1) behind = at + 2;
      limit = segment;
      segment = at = target;
    } else {
      return fault(WireFault::bad_label_type, at);
    }
  }
  at_ = hops == 0 ? at : behind;
  NameView view;
  view.message_ = message_;
  view.offset_ = static_cast<std::uint16_t>(start);
  view.octets_ = static_cast<std::uint8_t>(octets);
  view.labels_ = static_cast<std::uint8_t>(labels);
  view.compressed_ = hops != 0;
  return view;
}

std::size_t Reader::narrow(std::size_t count) {
  const std::size_t before = end_;
  if (count > left()) {
    set_fault(WireFault::truncated, end_);
  } else {
    end_ = at_ + count;
  }
  return before;
}

void Reader::widen(std::size_t end) {
  if (ok() && !at_end()) set_fault(WireFault::rdata_length);
  end_ = end;
  if (!ok()) at_ = end_;
}

}  // namespace posthorn::dns
