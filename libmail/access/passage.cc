#include "libmail/access/passage.h"

namespace posthorn::access {

using async::Deadline;
using async::Task;

namespace {

// So long octets wait for a worker that does not end: they were its own after all.
constexpr auto longest_wait = std::chrono::seconds(2);
// So long a client may stay that has been told of its worker's end.
constexpr auto farewell = std::chrono::seconds(1);

using Count = Result<std::size_t, IoError>;

struct Ends {
  ReturnWatch& watch;
  async::Event worker_ended;
  async::Event client_ended;
  [[nodiscard]] bool returned() const { return worker_ended.is_set() && watch.has_returned(); }
};

class ClientSide final : public async::Stream {
 public:
  ClientSide(async::Stream& under, Ends& ends, std::string said)
      : under_(under), ends_(ends), held_(std::move(said)) {}

  Task<Count> read(async::Buffer& into, Deadline deadline) override {
    if (waits_) {
      const Deadline end = Deadline::in(longest_wait);
      const bool ended = co_await ends_.worker_ended.wait_until(end);
      (void)ended;
      waits_ = false;
    }
    if (ends_.returned()) co_return std::size_t{0};
    if (held_.empty()) {
      async::Buffer fresh;
      const auto count = co_await under_.read(fresh, deadline);
      const bool later = !count && count.error().code == IoError::timed_out;
      if (!later && (!count || *count == 0)) ends_.client_ended.set();
      if (!count || *count == 0) co_return count;
      held_ = fresh.view();
    }
    const auto stop = ends_.watch.from_client(held_);
    waits_ = stop.has_value();
    const std::size_t count = stop.value_or(held_.size());
    into.append(std::string_view(held_).substr(0, count));
    held_ = held_.substr(count);
    co_return count;
  }
  Task<Result<void, IoError>> write(std::string_view octets, Deadline deadline) override {
    auto written = co_await under_.write(octets, deadline);
    co_return written;
  }
  // Nobody would hear what a client says after its worker's end.
  Task<void> shutdown(Deadline deadline) override {
    if (ends_.returned()) co_return;
    co_await under_.shutdown(deadline);
    const bool went = co_await ends_.client_ended.wait_until(Deadline::in(farewell));
    if (!went) under_.close();
  }
  void close() override {
    if (!ends_.returned()) under_.close();
  }
  [[nodiscard]] const async::Peer& peer() const override { return under_.peer(); }
  [[nodiscard]] bool has_pending() const override { return !held_.empty() || under_.has_pending(); }
  std::string take_held() { return std::move(held_); }

 private:
  async::Stream& under_;
  Ends& ends_;
  std::string held_;
  bool waits_ = false;
};

class WorkerSide final : public async::Stream {
 public:
  WorkerSide(async::Stream& under, Ends& ends) : under_(under), ends_(ends) {}

  Task<Count> read(async::Buffer& into, Deadline deadline) override {
    const std::size_t before = into.size();
    const auto count = co_await under_.read(into, deadline);
    if (count && *count > 0) ends_.watch.from_worker(into.view().substr(before));
    const bool later = !count && count.error().code == IoError::timed_out;
    if (!later && (!count || *count == 0)) ends_.worker_ended.set();
    co_return count;
  }
  Task<Result<void, IoError>> write(std::string_view octets, Deadline deadline) override {
    auto written = co_await under_.write(octets, deadline);
    co_return written;
  }
  Task<void> shutdown(Deadline deadline) override { co_await under_.shutdown(deadline); }
  void close() override { under_.close(); }
  [[nodiscard]] const async::Peer& peer() const override { return under_.peer(); }
  [[nodiscard]] bool has_pending() const override { return under_.has_pending(); }

 private:
  async::Stream& under_;
  Ends& ends_;
};

}  // namespace

Task<Passed> pass_watched(async::Stream& client, std::string said, async::Stream& worker,
                          ReturnWatch& watch, Duration idle) {
  Ends ends{watch, {}, {}};
  ClientSide left(client, ends, std::move(said));
  WorkerSide right(worker, ends);
  Passed passed;
  passed.moved = co_await async::splice(left, right, idle);
  if (ends.returned()) passed.returned = left.take_held();
  co_return passed;
}

}  // namespace posthorn::access
