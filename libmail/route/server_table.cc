#include "libmail/route/server_table.h"

#include "libmail/async/socket.h"
#include "libmail/route/table_wire.h"

namespace posthorn::route {

ServerTable::ServerTable(TableName name, Duration answer_time)
    : name_(std::move(name)), answer_time_(answer_time) {}

TableError ServerTable::error(const std::string& what) const {
  const bool socketmap = name_.kind == TableName::Kind::socketmap;
  return TableError((socketmap ? "socketmap " : "tcp table ") + name_.endpoint.text() + ": " +
                    what);
}

async::Task<TableAnswer> ServerTable::find(std::string key) {
  const bool socketmap = name_.kind == TableName::Kind::socketmap;
  std::string request;
  if (socketmap) {
    request = format_socketmap_request(name_.map, key);
  } else {
    request = format_tcp_request(key);
  }
  const async::Deadline deadline = async::Deadline::in(answer_time_);
  const bool mine = co_await turn_.acquire(deadline);
  if (!mine) co_return fail(error("no answer in time"));
  TableAnswer answer = co_await ask(std::move(request), deadline);
  turn_.release();
  co_return answer;
}

async::Task<TableAnswer> ServerTable::ask(std::string request, async::Deadline deadline) {
  bool was_kept = false;
  TableAnswer answer = co_await ask_once(request, deadline, was_kept);
  // A server may close what was kept idle: once more on a new connection.
  if (answer || !was_kept || stream_ != nullptr) co_return answer;
  TableAnswer second = co_await ask_once(request, deadline, was_kept);
  co_return second;
}

// Leaves stream_ null if the connection is of no use any more.
async::Task<TableAnswer> ServerTable::ask_once(std::string request, async::Deadline deadline,
                                               bool& was_kept) {
  was_kept = stream_ != nullptr;
  if (closed_) co_return fail(error("this agent is stopping"));
  if (stream_ == nullptr) {
    auto connected = co_await async::connect(name_.endpoint, deadline);
    if (!connected) co_return fail(error(connected.error().text()));
    stream_ = std::move(*connected);
    input_.clear();
  }
  auto written = co_await stream_->write(request, deadline);
  std::string trouble;
  if (!written) trouble = written.error().text();
  while (trouble.empty()) {
    std::optional<TableAnswer> answer = take_reply();
    if (answer) {
      // A server that speaks before it is asked, or past its answer, is out of step.
      if (!input_.empty() || !*answer) stream_.reset();
      if (!*answer) co_return fail(error(answer->error().text));
      co_return std::move(*answer);
    }
    auto count = co_await stream_->read(input_, deadline);
    if (!count) {
      trouble = count.error().text();
    } else if (*count == 0) {
      trouble = "it closed the connection";
    }
  }
  stream_.reset();
  co_return fail(error(trouble));
}

std::optional<TableAnswer> ServerTable::take_reply() {
  std::string_view octets = input_.view();
  const std::size_t before = octets.size();
  std::optional<TableAnswer> answer = name_.kind == TableName::Kind::socketmap
                                          ? take_socketmap_reply(octets)
                                          : take_tcp_reply(octets);
  input_.consume(before - octets.size());
  return answer;
}

void ServerTable::close() {
  closed_ = true;
  if (stream_ != nullptr) stream_->close();
}

}  // namespace posthorn::route
