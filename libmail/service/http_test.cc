#include "libmail/service/http.h"

#include <catch2/catch.hpp>

#include "libmail/async/loop.h"
#include "libmail/async/stream.h"
#include "libmail/service/ops.h"

namespace posthorn::service {
namespace {

using async::Deadline;
using async::Task;

TEST_CASE("A request is path, query and fields") {
  const auto head = parse_http_request(
      "POST /queue/4X%20Q?from=a%40b&to=c+d&flag HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n"
      "Connection: Close\r\nExpect: 100-continue\r\n\r\n",
      HttpLimits());
  REQUIRE(head);
  CHECK(head->method == "POST");
  CHECK(head->path == "/queue/4X Q");
  CHECK(head->query ==
        std::map<std::string, std::string>{{"from", "a@b"}, {"to", "c d"}, {"flag", ""}});
  CHECK(head->content_length == 12u);
  CHECK(head->headers.at("host") == "x");
  CHECK_FALSE(head->keep_alive);
  CHECK(head->expects_continue);
}

TEST_CASE("What is no request of the dialect is refused with the right status") {
  const auto [text, status] = GENERATE(table<std::string, int>({
      {"GET /\r\n\r\n", 400},
      {"GET  / HTTP/1.1\r\n\r\n", 400},
      {"G(T / HTTP/1.1\r\n\r\n", 400},
      {"GET x HTTP/1.1\r\n\r\n", 400},
      {"GET /%4 HTTP/1.1\r\n\r\n", 400},
      {"GET /%00 HTTP/1.1\r\n\r\n", 400},
      {"GET /?a=1&a=2 HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\n\r\n", 505},
      {"GET / HTTP/1.1\r\n: x\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\na b: x\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\na: x\r\n folded\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\na: \x01\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413},
  }));
  CAPTURE(text);
  const auto head = parse_http_request(text, HttpLimits());
  REQUIRE_FALSE(head);
  CHECK(head.error().status == status);
}

TEST_CASE("percent_encode is undone by percent_decode") {
  std::string every;
  for (int octet = 1; octet < 256; ++octet) every.push_back(static_cast<char>(octet));
  CHECK(percent_decode(percent_encode(every), false) == every);
}

Task<OpsReply> echo(OpsRequest request) {
  co_return OpsReply(request.method + " " + request.path + " " + request.body);
}

// What the server answers when `request` comes in two parts, cut at `cut`.
struct Exchange {
  OpsServer server;
  std::string answer;

  Task<void> talk(std::unique_ptr<async::Stream> client, std::string first, std::string second) {
    const auto one = co_await client->write(first, Deadline::in(std::chrono::seconds(5)));
    if (!second.empty()) co_await async::sleep_until(Deadline::in(std::chrono::milliseconds(1)));
    const auto two = co_await client->write(second, Deadline::in(std::chrono::seconds(5)));
    co_await client->shutdown(Deadline::in(std::chrono::seconds(5)));
    async::Buffer buffer;
    for (;;) {
      const auto got = co_await client->read(buffer, Deadline::in(std::chrono::seconds(5)));
      if (!got || *got == 0) break;
    }
    answer = buffer.view();
    (void)one;
    (void)two;
  }
  Task<void> both(std::string request, std::size_t cut) {
    auto pair = async::make_memory_pair(async::Peer(), async::Peer());
    async::Scope scope;
    scope.spawn(server.serve(std::move(pair.right)));
    scope.spawn(talk(std::move(pair.left), request.substr(0, cut), request.substr(cut)));
    co_await scope.join();
  }
  std::string run(const std::string& request, std::size_t cut) {
    server.get("/exact", echo);
    server.get("/below/", echo);
    server.post("/exact", echo);
    async::run(both(request, cut));
    return answer;
  }
};

std::string body_of(const std::string& answer) {
  const auto at = answer.find("\r\n\r\n");
  return at == std::string::npos ? answer : answer.substr(at + 4);
}

TEST_CASE("Requests are answered wherever the stream is cut") {
  const std::string request =
      "GET /below/x%20y HTTP/1.1\r\nHost: a\r\n\r\n"
      "POST /exact HTTP/1.1\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
  std::string whole;
  for (std::size_t cut = 0; cut <= request.size(); ++cut) {
    Exchange exchange;
    const std::string answer = exchange.run(request, cut);
    if (cut == 0) whole = answer;
    REQUIRE(answer == whole);
  }
  CHECK_THAT(whole, Catch::StartsWith("HTTP/1.1 200 OK\r\n"));
  CHECK_THAT(whole, Catch::Contains("\r\n\r\nGET /below/x y HTTP/1.1 200 OK\r\n"));
  CHECK_THAT(whole, Catch::EndsWith("\r\n\r\nPOST /exact hello"));
}

TEST_CASE("A stranger's path, method or head gets an error in JSON") {
  const auto [request, status, body] = GENERATE(table<std::string, const char*, const char*>({
      {"GET /nothing HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 404 ", "not-found"},
      {"POST /below/x HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "HTTP/1.1 405 ",
       "method-not-allowed"},
      {"PUT /exact HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 405 ", "method-not-allowed"},
      {"nonsense\r\n\r\n", "HTTP/1.1 400 ", "bad-request"},
      {"GET /exact HTTP/1.1\r\nX: " + std::string(70000, 'x'), "HTTP/1.1 431 ", "bad-request"},
  }));
  Exchange exchange;
  const std::string answer = exchange.run(request, request.size());
  CHECK_THAT(answer, Catch::StartsWith(status));
  CHECK_THAT(body_of(answer), Catch::Contains(body));
}

TEST_CASE("A client that waits for 100 Continue gets it") {
  Exchange exchange;
  const std::string head =
      "POST /exact HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: "
      "close\r\n\r\n";
  const std::string answer = exchange.run(head + "ok", head.size());
  CHECK_THAT(answer, Catch::StartsWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
  CHECK_THAT(answer, Catch::EndsWith("POST /exact ok"));
}

}  // namespace
}  // namespace posthorn::service
