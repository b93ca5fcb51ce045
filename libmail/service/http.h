// HTTP/1.1 heads (RFC 9112), as far as the ops socket speaks it: octets in, values out. Strict:
// CRLF line ends, no folding, one Content-Length, no Transfer-Encoding.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/base/result.h"

namespace posthorn::service {

struct HttpLimits {
  std::size_t head = 64 * 1024;
  std::size_t body = 256 * 1024 * 1024;
};

// Why a message can't be read; the status a server answers with.
struct HttpError {
  int status = 400;
  std::string text;
};

struct HttpHead {
  std::string method;                          // of a request
  std::string path;                            // percent-decoded
  std::map<std::string, std::string> query;    // percent-decoded, '+' is a space
  int status = 0;                              // of a reply
  std::map<std::string, std::string> headers;  // names in lower case, values trimmed
  std::optional<std::uint64_t> content_length;
  bool keep_alive = true;
  bool expects_continue = false;
};

// Octets up to and with the empty line, 0 if it is not there yet.
[[nodiscard]] std::size_t http_head_size(std::string_view octets);
// `head` is what http_head_size() measured.
[[nodiscard]] Result<HttpHead, HttpError> parse_http_request(std::string_view head,
                                                             const HttpLimits& limits);
[[nodiscard]] Result<HttpHead, HttpError> parse_http_reply(std::string_view head);

[[nodiscard]] std::string format_http_reply(int status, std::string_view content_type,
                                            std::string_view body, bool keep_alive);
[[nodiscard]] std::string format_http_request(std::string_view method, std::string_view target,
                                              std::string_view body);

// Nothing if a '%' is not followed by two hex digits or the result holds a zero octet.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

}  // namespace posthorn::service
