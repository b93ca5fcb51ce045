#include "agents/dnsd/addresses.h"

#include <algorithm>
#include <string>

#include "libmail/base/text.h"
#include "libmail/service/networks.h"

namespace posthorn::dnsd {

Result<async::Endpoint, std::string> parse_server(std::string_view text) {
  const auto wrong = [text] {
    return fail("expects ADDRESS[:PORT] or unix:PATH, not \"" + printable(text) + "\"");
  };
  if (text.starts_with("unix:") && text.size() > 5)
    return async::Endpoint::unix_path(std::string(text.substr(5)));
  if (service::parse_ip(text)) return async::Endpoint::inet(std::string(text), 53);
  const bool is_bracketed = text.starts_with('[') && text.ends_with(']');
  const std::string full = "inet:" + std::string(text) +
                           (is_bracketed || text.find(':') == std::string_view::npos ? ":53" : "");
  auto endpoint = async::parse_endpoint(full);
  if (!endpoint || !service::parse_ip(endpoint->host)) return wrong();
  return std::move(*endpoint);
}

}  // namespace posthorn::dnsd
