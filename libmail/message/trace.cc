#include "libmail/message/trace.h"

#include "libmail/base/text.h"

namespace posthorn::message {

std::size_t count_received(const Header& header) {
  return header.count("Received");
}

bool has_delivered_to(const Header& header, std::string_view address) {
  bool travelled = false;
  for (const Field& field : header.fields()) {
    if (iequals(header.name(field), "Received")) travelled = true;
    if (travelled && iequals(header.name(field), "Delivered-To") &&
        iequals(header.value(field), address))
      return true;
  }
  return false;
}

}  // namespace posthorn::message
