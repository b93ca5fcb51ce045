#include "libmail/route/open_table.h"

namespace posthorn::route {

namespace {

constexpr std::string_view expected =
    "expected a file, socketmap:unix:PATH:NAME, socketmap:inet:HOST:PORT:NAME, tcp:unix:PATH or "
    "tcp:inet:HOST:PORT";

Result<async::Endpoint, std::string> parse_server(std::string_view text) {
  auto endpoint = async::parse_endpoint(text);
  if (!endpoint) return fail(std::move(endpoint.error()));
  if (!endpoint->is_connectable()) return fail(std::string(expected));
  return endpoint;
}

}  // namespace

Result<TableName, std::string> parse_table_name(std::string_view text) {
  constexpr std::string_view socketmap = "socketmap:";
  constexpr std::string_view tcp = "tcp:";
  TableName name;
  if (text.empty()) return name;
  if (text.starts_with(socketmap)) {
    text.remove_prefix(socketmap.size());
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || colon + 1 == text.size())
      return fail(std::string(expected));
    auto endpoint = parse_server(text.substr(0, colon));
    if (!endpoint) return fail(std::move(endpoint.error()));
    name.kind = TableName::Kind::socketmap;
    name.endpoint = std::move(*endpoint);
    name.map = text.substr(colon + 1);
    return name;
  }
  if (text.starts_with(tcp)) {
    auto endpoint = parse_server(text.substr(tcp.size()));
    if (!endpoint) return fail(std::move(endpoint.error()));
    name.kind = TableName::Kind::tcp;
    name.endpoint = std::move(*endpoint);
    return name;
  }
  name.kind = TableName::Kind::file;
  name.path = text;
  return name;
}

}  // namespace posthorn::route
