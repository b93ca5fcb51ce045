#include "agents/pop3d/pop3d.h"

namespace posthorn::pop3d {

using async::Task;
using service::Connection;

namespace {

constexpr access::Protocol protocol = {
    "pop3d", "pop3", "-ERR [SYS/TEMP] too many connections, try again later\r\n",
    "-ERR [SYS/TEMP] too many mailboxes are open, try again later\r\n"};

}  // namespace

Pop3d::Pop3d(std::vector<std::string> command_line)
    : AccessAgent(protocol, options_, std::move(command_line)) {}

void Pop3d::load_front(access::FrontSettings settings) {
  FrontSettings front;
  static_cast<access::FrontSettings&>(front) = std::move(settings);
  front.delete_after_retr = options_.delete_after_retr;
  front.limits = options_.limits;
  front_ = std::move(front);
}

Task<void> Pop3d::serve_client(Connection connection, bool implicit_tls) {
  FrontSettings settings = front_;
  settings.implicit_tls = implicit_tls;
  FrontSession session(std::move(connection.stream), auth().make_server(), std::move(settings),
                       daemon().log(), front_counters());
  const access::Sessions<FrontSession>::Entry entry(fronts_, session);
  co_await session.serve();
}

void Pop3d::load_worker(access::MailPlaces places) {
  auto settings = std::make_shared<WorkerSettings>();
  settings->places = std::move(places);
  settings->delete_after_retr = options_.delete_after_retr;
  settings->mark_seen = options_.mark_seen;
  settings->refuse_utf8 = options_.refuse_utf8;
  settings->lock_time = options_.lock_time;
  settings->idle_time = options_.idle_time;
  settings->limits = options_.limits;
  worker_ = std::move(settings);
}

Result<void, std::string> Pop3d::open_worker(service::Daemon& daemon) {
  worker_counters_ = std::make_unique<WorkerCounters>(daemon.metrics());
  return {};
}

Task<void> Pop3d::serve_front(Connection connection, bool is_trusted) {
  WorkerSession session(std::move(connection.stream), is_trusted, userdb(), files_, worker_,
                        daemon().log(), *worker_counters_);
  const access::Sessions<WorkerSession>::Entry entry(workers_, session);
  co_await session.serve();
}

void Pop3d::end_sessions() {
  fronts_.end();
  workers_.end();
}

}  // namespace posthorn::pop3d
