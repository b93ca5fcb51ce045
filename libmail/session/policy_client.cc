#include "libmail/session/policy_client.h"

#include <algorithm>

#include "libmail/async/loop.h"
#include "libmail/async/socket.h"
#include "libmail/session/policy_wire.h"

namespace posthorn::session {

using async::Deadline;
using async::Task;
using Answer = Result<std::string, std::string>;

PolicyClient::PolicyClient(async::Endpoint server, PolicyLimits limits)
    : server_(std::move(server)), limits_(limits), turn_(limits.connections) {}
PolicyClient::~PolicyClient() = default;

Task<Answer> PolicyClient::ask(std::string request) {
  const Deadline deadline = Deadline::in(limits_.answer_time);
  const bool mine = co_await turn_.acquire(deadline);
  if (!mine) co_return fail(std::string("no answer in time"));
  Answer answer = co_await ask_in_turn(std::move(request), deadline);
  turn_.release();
  co_return answer;
}

Task<Answer> PolicyClient::ask_in_turn(std::string request, Deadline deadline) {
  std::unique_ptr<async::Stream> stream = take_kept();
  if (stream != nullptr) {
    Answer answer = co_await ask_on(*stream, request, deadline);
    if (answer) {
      keep(std::move(stream));
      co_return answer;
    }
    kept_.clear();  // what befell one befell all: the server was restarted
    if (deadline.passed()) co_return answer;
  }
  if (closed_) co_return fail(std::string("this agent is stopping"));
  auto connected = co_await async::connect(server_, deadline);
  if (!connected) co_return fail(connected.error().text());
  stream = std::move(*connected);
  Answer answer = co_await ask_on(*stream, std::move(request), deadline);
  if (answer) keep(std::move(stream));
  co_return answer;
}

Task<Answer> PolicyClient::ask_on(async::Stream& stream, std::string request, Deadline deadline) {
  if (closed_) co_return fail(std::string("this agent is stopping"));
  asking_.push_back(&stream);
  auto written = co_await stream.write(request, deadline);
  Answer answer = fail(written ? std::string() : written.error().text());
  async::Buffer input;
  while (written) {
    auto count = co_await stream.read(input, deadline);
    if (!count || *count == 0) {
      answer = fail(count ? std::string("it closed the connection") : count.error().text());
      break;
    }
    std::string_view octets = input.view();
    auto taken = take_policy_answer(octets);
    if (!taken) continue;
    answer = std::move(*taken);
    // A server that says more than it was asked is out of step.
    if (answer && !octets.empty()) answer = fail(std::string("it answers more than was asked"));
    break;
  }
  std::erase(asking_, &stream);
  co_return answer;
}

std::unique_ptr<async::Stream> PolicyClient::take_kept() {
  const MonoTime oldest = async::Loop::current().now() - limits_.idle_time;
  std::erase_if(kept_, [oldest](const Kept& kept) { return kept.since < oldest; });
  if (kept_.empty()) return nullptr;
  std::unique_ptr<async::Stream> stream = std::move(kept_.back().stream);
  kept_.pop_back();
  // What a server says unasked is no answer to the next question.
  if (stream->has_pending()) stream.reset();
  return stream;
}

void PolicyClient::keep(std::unique_ptr<async::Stream> stream) {
  if (closed_) return;
  Kept& kept = kept_.emplace_back();
  kept.stream = std::move(stream);
  kept.since = async::Loop::current().now();
}

void PolicyClient::close() {
  closed_ = true;
  kept_.clear();
  for (async::Stream* stream : asking_) stream->close();
}

}  // namespace posthorn::session
