#include "libmail/access/worker_link.h"

#include "libmail/async/socket.h"
#include "libmail/base/text.h"

namespace posthorn::access {

using async::Deadline;
using async::Task;

namespace {

constexpr std::size_t longest_line = 8192;  // IMAP's capabilities are in one
constexpr auto write_time = std::chrono::minutes(2);

}  // namespace

Task<Result<void, std::string>> WorkerLink::connect(async::Endpoint worker, Deadline deadline) {
  auto connected = co_await async::connect(std::move(worker), deadline);
  if (!connected) co_return fail(connected.error().text());
  stream_ = std::move(*connected);
  input_.clear();
  co_return Result<void, std::string>();
}

Task<Result<void, std::string>> WorkerLink::say(std::string octets, Deadline deadline) {
  const auto written = co_await stream_->write(octets, deadline);
  if (!written) co_return fail(written.error().text());
  co_return Result<void, std::string>();
}

Task<Result<std::string, std::string>> WorkerLink::hear(Deadline deadline) {
  for (;;) {
    const std::string_view held = input_.view();
    const std::size_t end = held.find('\n');
    if (end != std::string_view::npos) {
      std::string line(trim(held.substr(0, end)));
      input_.consume(end + 1);
      co_return std::move(line);
    }
    if (held.size() > longest_line) co_return fail(std::string("its line is too long"));
    const auto count = co_await stream_->read(input_, deadline);
    if (!count) co_return fail(count.error().text());
    if (*count == 0) co_return fail(std::string("it closed the connection"));
  }
}

Task<Passed> WorkerLink::pass(async::Stream& client, std::string said, ReturnWatch* watch,
                              Duration idle) {
  const Deadline deadline = Deadline::in(write_time);
  if (!input_.empty()) {
    const auto written = co_await client.write(input_.view(), deadline);
    if (!written) co_return Passed();
    input_.clear();
  }
  input_.shrink();
  if (watch != nullptr) {
    auto passed = co_await pass_watched(client, std::move(said), *stream_, *watch, idle);
    co_return passed;
  }
  Passed passed;
  if (!said.empty()) {
    const auto written = co_await stream_->write(said, deadline);
    if (!written) co_return Passed();
    said = std::string();
  }
  passed.moved = co_await async::splice(client, *stream_, idle);
  co_return passed;
}

void WorkerLink::close() {
  if (stream_) stream_->close();
  stream_.reset();
}

}  // namespace posthorn::access
