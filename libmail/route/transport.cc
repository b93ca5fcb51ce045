#include "libmail/route/transport.h"

#include <fmt/format.h>

#include "libmail/base/text.h"

namespace posthorn::route {

Transport Transport::lmtp(async::Endpoint endpoint) {
  Transport transport;
  transport.endpoint = std::move(endpoint);
  return transport;
}

Transport Transport::discard() {
  Transport transport;
  transport.kind = Kind::discard;
  return transport;
}

Transport Transport::error(smtp::Status status) {
  Transport transport;
  transport.kind = Kind::error;
  transport.status = std::move(status);
  return transport;
}

std::string Transport::text() const {
  switch (kind) {
    case Kind::lmtp:
      return "lmtp:" + endpoint.text();
    case Kind::discard:
      return "discard:";
    case Kind::error:
      return fmt::format("error:{} {}", status.enhanced.text(), status.text);
  }
  return {};
}

Result<Transport, std::string> parse_transport(std::string_view text, const service::Site& site) {
  const std::size_t colon = text.find(':');
  const std::string_view kind =
      text.substr(0, colon == std::string_view::npos ? text.size() : colon);
  const std::string_view rest =
      colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  if (kind == "lmtp" && colon != std::string_view::npos) {
    auto endpoint = async::parse_endpoint(rest);
    if (!endpoint) return fail(std::move(endpoint.error()));
    if (endpoint->kind == async::Endpoint::Kind::unix_socket) {
      endpoint->path = site.path(endpoint->path);
      // A relative path may be too long only now.
      const auto absolute = async::parse_endpoint(endpoint->text());
      if (!absolute) return fail(absolute.error());
    } else if (endpoint->kind != async::Endpoint::Kind::inet) {
      return fail(
          std::string("a delivery agent is reached by lmtp:unix:PATH or lmtp:inet:HOST:PORT"));
    }
    return Transport::lmtp(std::move(*endpoint));
  }
  if (kind == "discard" && colon != std::string_view::npos) {
    if (!trim(rest).empty()) return fail(std::string("nothing stands behind discard:"));
    return Transport::discard();
  }
  if (kind == "error" && colon != std::string_view::npos) {
    std::string_view words = trim(rest);
    const auto code = smtp::take_enhanced_status(words);
    if (code && code->status_class != 4 && code->status_class != 5) {
      return fail(std::string("the status behind error: is of class 4 or 5, for example 5.1.2"));
    }
    return Transport::error(
        smtp::Status(code.value_or(smtp::EnhancedStatus{5, 0, 0}),
                     words.empty() ? std::string("Delivery is refused here") : printable(words)));
  }
  return fail(fmt::format(
      "'{}' is no transport; expected lmtp:unix:PATH, lmtp:inet:HOST:PORT, discard: or error:TEXT",
      printable(text, 100)));
}

}  // namespace posthorn::route
