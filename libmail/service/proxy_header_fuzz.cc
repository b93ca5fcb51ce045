// A PROXY header in any cut is the same, and what is read can be said again.
#include <cstdint>
#include <string>
#include <string_view>

#include "libmail/service/networks.h"
#include "libmail/service/proxy_header.h"

using namespace posthorn;
using namespace posthorn::service;

namespace {

void read_again(const ProxyHeader& header, const std::string& wire) {
  std::string_view octets = wire;
  const auto again = take_proxy_header(octets);
  check(again && *again && **again == header && octets.empty(), "what is said is read back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view wire(reinterpret_cast<const char*>(data), size);
  std::string_view whole = wire;
  const auto taken = take_proxy_header(whole);
  check(taken || whole.size() == wire.size(), "octets stay until there is a header");
  if (!taken && size > max_proxy_header) check(false, "there is an end to waiting");
  // A prefix says the same or waits; only an error may be seen earlier.
  for (std::size_t length = 0; length < size && length < 600; ++length) {
    std::string_view part = wire.substr(0, length);
    const auto early = take_proxy_header(part);
    if (!early) continue;
    check(taken && early->has_value() == taken->has_value(), "a cut changes nothing");
    if (*early) check(**early == **taken, "a cut changes nothing");
  }
  if (!taken || !*taken) return 0;
  const ProxyHeader& header = **taken;
  if (header.has_addresses) {
    check(parse_ip(header.source) && parse_ip(header.destination), "addresses are addresses");
    // The text of a version 1 line is kept; version 2 makes its own.
    read_again(header, format_proxy_v1(header));
    std::string second = format_proxy_v2(header);
    std::string_view octets = second;
    check(take_proxy_header(octets).has_value() && octets.empty(), "version 2 is read back");
  }
  return 0;
}
