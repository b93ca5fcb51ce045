// One bounded HTTP request, by libcurl. The only file that knows it.
#pragma once

#include <string>
#include <vector>

#include "agents/mua/error.h"
#include "libmail/base/clock.h"

namespace posthorn::mua {

struct HttpRequest {
  std::string url;                   // https, or http where `allow_http`
  std::string post;                  // the body of a POST; "" = GET
  std::vector<std::string> headers;  // "Content-Type: ..."
  std::string ca_file;               // PEM; "" = the system's
  bool allow_http = false;
  bool follow = true;  // redirects, at most three, never from https to http
  std::size_t most_octets = 256 * 1024;
  Duration timeout = std::chrono::seconds(10);
  HttpRequest() = default;
};
struct HttpReply {
  long status = 0;
  std::string body;
};

// Once, before the loop runs: the libraries' own state has to outlive the threads that use it.
void start_http();
// Blocking: run it in async::blocking(). Sends no cookie and no credentials, whatever the URL says. An answer of any
// status is no error.
[[nodiscard]] Mail<HttpReply> fetch_http(const HttpRequest& request);

}  // namespace posthorn::mua
