#include "libmail/service/ops.h"

#include <set>

#include "libmail/async/socket.h"
#include "libmail/base/text.h"
#include "libmail/service/http.h"

namespace posthorn::service {

using async::Deadline;
using async::Task;

namespace {

constexpr auto idle_time = std::chrono::minutes(1);
constexpr auto write_time = std::chrono::seconds(30);

// A JSON string with its quotes.
std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : is_utf8(text) ? std::string(text) : printable(text, text.size())) {
    if (static_cast<unsigned char>(c) < 32) {
      out += "\\u00" + hex(std::string_view(&c, 1));
      continue;
    }
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "\"";
}

// Reads until `buffer` holds `count` octets. False if the stream ends, fails, or the deadline
// passes first.
Task<bool> fill(async::Stream& stream, async::Buffer& buffer, std::size_t count,
                Deadline deadline) {
  while (buffer.size() < count) {
    const auto got = co_await stream.read(buffer, deadline);
    if (!got || *got == 0) co_return false;
  }
  co_return true;
}

// Reads until the head is there; 0 when the stream ends first, or when it is longer than allowed
// (`too_long`).
Task<std::size_t> fill_head(async::Stream& stream, async::Buffer& buffer, std::size_t most,
                            bool* too_long, Deadline deadline) {
  for (;;) {
    const std::size_t size = http_head_size(buffer.view());
    *too_long = size > most || (size == 0 && buffer.size() > most);
    if (*too_long) co_return 0;
    if (size > 0) co_return size;
    const auto got = co_await stream.read(buffer, deadline);
    if (!got || *got == 0) co_return 0;
  }
}

}  // namespace

OpsReply OpsReply::error(int status, std::string_view code, std::string_view message,
                         std::string_view hint) {
  OpsReply reply("{\"error\":{\"code\":" + json_string(code) + ",\"message\":" +
                 json_string(message) + ",\"hint\":" + json_string(hint) + "}}\n");
  reply.status = status;
  return reply;
}

struct OpsServer::State {
  using Handlers = std::map<std::string, OpsHandler, std::less<>>;
  Handlers get, post;
  std::set<async::Stream*> idle;  // between two requests
  bool stopping = false;

  // The handler of that very path, else of the longest path above it that ends in "/".
  static OpsHandler* find(Handlers& handlers, std::string_view path) {
    if (const auto exact = handlers.find(path); exact != handlers.end()) return &exact->second;
    while (!path.empty()) {
      path = path.substr(0, path.substr(0, path.size() - 1).rfind('/') + 1);
      if (const auto above = handlers.find(path); above != handlers.end()) return &above->second;
    }
    return nullptr;
  }

  // "GET /health, GET /metrics, POST /queue/"
  [[nodiscard]] std::string paths() const {
    std::string text;
    for (const auto& [path, handler] : get) text += (text.empty() ? "GET " : ", GET ") + path;
    for (const auto& [path, handler] : post) text += (text.empty() ? "POST " : ", POST ") + path;
    return text;
  }

  Task<OpsReply> answer(OpsRequest request) {
    const bool is_get = request.method == "GET";
    if (!is_get && request.method != "POST") {
      co_return OpsReply::error(405, "method-not-allowed", "only GET and POST are understood");
    }
    OpsHandler* handler = find(is_get ? get : post, request.path);
    if (handler == nullptr) {
      const bool other = find(is_get ? post : get, request.path) != nullptr;
      if (other)
        co_return OpsReply::error(405, "method-not-allowed", is_get ? "use POST" : "use GET");
      co_return OpsReply::error(404, "not-found", "there is nothing at " + printable(request.path),
                                "there are " + paths());
    }
    auto reply = co_await (*handler)(std::move(request));
    co_return std::move(reply);
  }

  // One request and its reply. False when the connection is over.
  Task<bool> exchange(async::Stream& stream, async::Buffer& buffer) {
    const HttpLimits limits;
    bool too_long = false;
    idle.insert(&stream);
    const std::size_t size =
        co_await fill_head(stream, buffer, limits.head, &too_long, Deadline::in(idle_time));
    idle.erase(&stream);
    if (size == 0 && !too_long) co_return false;
    Result<HttpHead, HttpError> head = fail(HttpError{431, "the head is longer than 64 KiB"});
    if (!too_long) head = parse_http_request(buffer.view().substr(0, size), limits);
    if (!head) {
      const OpsReply refusal =
          OpsReply::error(head.error().status, "bad-request", head.error().text);
      const std::string octets =
          format_http_reply(refusal.status, refusal.content_type, refusal.body, false);
      const auto ignored = co_await stream.write(octets, Deadline::in(write_time));
      (void)ignored;  // the connection ends either way
      co_return false;
    }
    buffer.consume(size);
    const std::size_t length = head->content_length.value_or(0);
    if (head->expects_continue && buffer.size() < length) {
      const auto sent =
          co_await stream.write("HTTP/1.1 100 Continue\r\n\r\n", Deadline::in(write_time));
      if (!sent) co_return false;
    }
    const bool whole = co_await fill(stream, buffer, length, Deadline::in(idle_time));
    if (!whole) co_return false;
    OpsRequest request;
    request.method = head->method;
    request.path = head->path;
    request.query = head->query;
    request.body = buffer.view().substr(0, length);
    request.peer = stream.peer();
    buffer.consume(length);
    const OpsReply reply = co_await answer(std::move(request));
    const bool keep_alive = head->keep_alive && !stopping;
    const std::string octets =
        format_http_reply(reply.status, reply.content_type, reply.body, keep_alive);
    const auto sent = co_await stream.write(octets, Deadline::in(write_time));
    co_return sent&& keep_alive;
  }
};

OpsServer::OpsServer() : state_(std::make_unique<State>()) {}
OpsServer::~OpsServer() = default;

void OpsServer::get(std::string path, OpsHandler handler) {
  state_->get.insert_or_assign(std::move(path), std::move(handler));
}
void OpsServer::post(std::string path, OpsHandler handler) {
  state_->post.insert_or_assign(std::move(path), std::move(handler));
}

void OpsServer::stop() {
  state_->stopping = true;
  // Closing wakes whoever reads, from the loop's queue: the set does not change under us.
  for (async::Stream* stream : state_->idle) stream->close();
}

Task<void> OpsServer::serve(std::unique_ptr<async::Stream> stream) {
  async::Buffer buffer;
  bool more = !state_->stopping;
  while (more) more = co_await state_->exchange(*stream, buffer);
  co_await stream->shutdown(Deadline::in(std::chrono::seconds(1)));
  stream->close();
}

Task<Result<OpsReply, IoError>> ask_ops(std::string socket, std::string method, std::string target,
                                        std::string body, Deadline deadline) {
  auto connected = co_await async::connect(async::Endpoint::unix_path(socket), deadline);
  if (!connected) co_return fail(connected.error());
  async::Stream& stream = **connected;
  const std::string request = format_http_request(method, target, body);
  const auto sent = co_await stream.write(request, deadline);
  if (!sent) co_return fail(sent.error());

  async::Buffer buffer;
  bool too_long = false;
  const std::size_t size =
      co_await fill_head(stream, buffer, HttpLimits().head, &too_long, deadline);
  if (size == 0) co_return fail(IoError(IoError::end_of_stream, "read the reply of", socket));
  const auto head = parse_http_reply(buffer.view().substr(0, size));
  if (!head) co_return fail(IoError(EPROTO, "read the reply of", socket));
  buffer.consume(size);
  const bool whole = co_await fill(stream, buffer, head->content_length.value_or(0), deadline);
  if (!whole) co_return fail(IoError(IoError::end_of_stream, "read the reply of", socket));
  OpsReply reply;
  reply.status = head->status;
  const auto type = head->headers.find("content-type");
  if (type != head->headers.end()) reply.content_type = type->second;
  reply.body = buffer.view().substr(0, head->content_length.value_or(0));
  co_return std::move(reply);
}

}  // namespace posthorn::service
