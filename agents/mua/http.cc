#include "agents/mua/http.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <memory>

#include "libmail/base/text.h"

namespace posthorn::mua {

namespace {

struct Taking {
  HttpReply reply;
  std::size_t most = 0;
  bool too_much = false;
};

std::size_t take(char* octets, std::size_t size, std::size_t count, void* into) {
  auto* taking = static_cast<Taking*>(into);
  const std::size_t all = size * count;
  taking->too_much = taking->reply.body.size() + all > taking->most;
  if (taking->too_much) return 0;
  taking->reply.body.append(octets, all);
  return all;
}

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct FreeHandle {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};

}  // namespace

void start_http() {
  curl_global_init(CURL_GLOBAL_DEFAULT);
}

Mail<HttpReply> fetch_http(const HttpRequest& request) {
  using Kind = MailError::Kind;
  const bool https = istarts_with(request.url, "https://");
  if (!https && !(request.allow_http && istarts_with(request.url, "http://")))
    return fail(
        MailError(Kind::bad_data, fmt::format("{} is no https address", printable(request.url))));
  const std::unique_ptr<CURL, FreeHandle> handle(curl_easy_init());
  if (!handle) return fail(MailError(Kind::try_again, "libcurl can't be set up"));
  std::unique_ptr<curl_slist, FreeList> headers;
  for (const std::string& header : request.headers)
    headers.reset(curl_slist_append(headers.release(), header.c_str()));
  Taking taking;
  taking.most = request.most_octets;
  CURL* curl = handle.get();
  const auto milliseconds = static_cast<long>(
      std::chrono::duration_cast<std::chrono::milliseconds>(request.timeout).count());
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, milliseconds);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, https ? "https" : "http");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, request.follow ? 1L : 0L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 3L);
  curl_easy_setopt(curl, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "posthorn-mua");
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &take);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &taking);
  if (!request.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, request.ca_file.c_str());
  if (headers) curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  if (!request.post.empty()) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.post.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.post.c_str());
  }
  const CURLcode code = curl_easy_perform(curl);
  if (taking.too_much)
    return fail(
        MailError(Kind::bad_data, fmt::format("{} answers with more than {} KiB",
                                              printable(request.url), request.most_octets / 1024)));
  if (code != CURLE_OK)
    return fail(MailError(Kind::unavailable,
                          fmt::format("{}: {}", printable(request.url), curl_easy_strerror(code))));
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &taking.reply.status);
  return std::move(taking.reply);
}

}  // namespace posthorn::mua
