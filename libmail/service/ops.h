// The operators' door of a daemon: HTTP/1.1 on the Unix socket run/<agent>.ops.
//
//   GET /metrics   Prometheus text          GET /health   {"status":"ok"}          GET /options the
//   effective TOML GET and POST with JSON for the agent's own verbs:
//
//   daemon.ops().get("/queue", [this](service::OpsRequest request) { return
//   list(std::move(request)); });
//
// The dialect is strict and small (RFC 9112): Content-Length bodies only, no chunked request, 64
// KiB of head, 256 MiB of body.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "libmail/async/scope.h"
#include "libmail/async/stream.h"

namespace posthorn::service {

class Log;

struct OpsRequest {
  std::string method;                        // "GET", "POST"
  std::string path;                          // "/queue/4XQ7k2", percent-decoded, without the query
  std::map<std::string, std::string> query;  // percent-decoded
  std::string body;                          // JSON of a POST
  async::Peer peer;
  OpsRequest() = default;
};

struct OpsReply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  OpsReply() = default;
  explicit OpsReply(std::string json) : body(std::move(json)) {}
  // {"error":{"code","message","hint"}}; `code` is a short word such as "not-found".
  static OpsReply error(int status, std::string_view code, std::string_view message,
                        std::string_view hint = {});
};

// Not a coroutine lambda that captures: let it call a member coroutine.
using OpsHandler = std::function<async::Task<OpsReply>(OpsRequest)>;

class OpsServer {
 public:
  OpsServer();
  ~OpsServer();
  OpsServer(const OpsServer&) = delete;
  OpsServer& operator=(const OpsServer&) = delete;

  // `path` is exact, or ends in "/" and takes all below it. The longest match answers.
  void get(std::string path, OpsHandler handler);
  void post(std::string path, OpsHandler handler);
  // Speaks HTTP on one connection until the client closes or is idle for a minute.
  async::Task<void> serve(std::unique_ptr<async::Stream> stream);
  // Closes connections that wait for their client; a request that is being answered gets its reply first.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// One request to the ops socket at `socket`. `target` is path and query ("/queue?from=a%40b");
// `body` is JSON or "". An HTTP error status is a reply, not an IoError.
async::Task<Result<OpsReply, IoError>> ask_ops(std::string socket, std::string method,
                                               std::string target, std::string body,
                                               async::Deadline deadline);

// "a b@c" -> "a%20b%40c"
[[nodiscard]] std::string percent_encode(std::string_view text);

}  // namespace posthorn::service
