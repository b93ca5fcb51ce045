#include <curl/curl.h>
#include <fmt/format.h>

#include <memory>

#include "agents/nslook/sts_policy.h"
#include "libmail/async/files.h"
#include "libmail/base/text.h"

namespace posthorn::nslook {

namespace {

constexpr long connect_milliseconds = 5000;
constexpr long whole_milliseconds = 10000;

struct Body {
  std::string octets;
  bool is_too_long = false;
};

std::size_t take_body(char* octets, std::size_t size, std::size_t count, void* into) {
  Body& body = *static_cast<Body*>(into);
  body.is_too_long = body.octets.size() + size * count > max_sts_octets;
  if (body.is_too_long) return 0;
  body.octets.append(octets, size * count);
  return size * count;
}

Result<std::string, std::string> judge(CURL* handle, CURLcode code, const char* why, Body body) {
  if (body.is_too_long) return fail(fmt::format("it has more than {} octets", max_sts_octets));
  if (code != CURLE_OK) return fail(printable(*why != '\0' ? why : curl_easy_strerror(code)));
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) return fail(fmt::format("the answer is {}, not 200", status));
  const char* type = nullptr;
  curl_easy_getinfo(handle, CURLINFO_CONTENT_TYPE, &type);
  if (type == nullptr || !istarts_with(trim(type), "text/plain")) {
    return fail("it is " + printable(type == nullptr ? "of no type" : type) + ", not text/plain");
  }
  return std::move(body.octets);
}

// Blocks.
Result<std::string, std::string> fetch_now(const std::string& host, std::uint16_t port,
                                           const std::vector<std::string>& addresses,
                                           const std::string& authorities) {
  const std::unique_ptr<CURL, void (*)(CURL*)> handle(curl_easy_init(), curl_easy_cleanup);
  if (!handle) return fail(std::string("no memory"));
  // The addresses are those that the report is about, and not what another resolver says.
  const std::string known = fmt::format("{}:{}:{}", host, port, fmt::join(addresses, ","));
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> resolve(
      curl_slist_append(nullptr, known.c_str()), curl_slist_free_all);
  const std::string url = fmt::format("https://{}:{}/.well-known/mta-sts.txt", host, port);
  char why[CURL_ERROR_SIZE] = "";
  Body body;
  CURL* h = handle.get();
  curl_easy_setopt(h, CURLOPT_URL, url.c_str());
  curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(h, CURLOPT_RESOLVE, resolve.get());
  curl_easy_setopt(h, CURLOPT_PROXY, "");
  curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, connect_milliseconds);
  curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, whole_milliseconds);
  curl_easy_setopt(h, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(h, CURLOPT_ERRORBUFFER, why);
  curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(h, CURLOPT_WRITEDATA, &body);
  if (!authorities.empty()) curl_easy_setopt(h, CURLOPT_CAINFO, authorities.c_str());
  const CURLcode code = curl_easy_perform(h);
  return judge(h, code, why, std::move(body));
}

}  // namespace

async::Task<Result<std::string, std::string>> WebPolicies::fetch(
    std::string host, std::vector<std::string> addresses) {
  auto job = [host = std::move(host), addresses = std::move(addresses), port = port_,
              authorities = authorities_] { return fetch_now(host, port, addresses, authorities); };
  auto fetched = co_await async::blocking(std::move(job));
  co_return fetched;
}

}  // namespace posthorn::nslook
