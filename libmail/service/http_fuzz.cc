#include "libmail/base/result.h"
#include "libmail/service/http.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace posthorn;
  using namespace posthorn::service;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = http_head_size(text);
  check(end <= size, "a head ends inside of the octets");
  if (end == 0) return 0;
  const auto request = parse_http_request(text.substr(0, end), HttpLimits());
  if (request) {
    check(request->path.starts_with('/') && request->path.find('\0') == std::string::npos,
          "a path is one");
    check(request->content_length.value_or(0) <= HttpLimits().body, "a body has its limit");
  } else {
    check(request.error().status >= 400, "a refusal has a status");
  }
  const auto reply = parse_http_reply(text.substr(0, end));
  check(!reply || (reply->status >= 100 && reply->status <= 999), "a status has three digits");
  return 0;
}
