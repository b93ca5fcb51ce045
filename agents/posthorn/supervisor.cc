#include "agents/posthorn/supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>

#include "libmail/base/text.h"

namespace posthorn::operate {

using async::Deadline;
using async::Task;
using service::OpsReply;

Supervisor::Supervisor(service::Site site, SupervisorOptions options, service::Log& log)
    : site_(std::move(site)), options_(std::move(options)), log_(log) {}

Supervisor::~Supervisor() = default;

Result<void, std::string> Supervisor::take_lock() {
  const std::string path = site_.path("run/posthorn.lock");
  lock_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (!lock_) return fail(io_error("open", path).text());
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail("another posthorn runs this site (it holds " + path + ")");
  }
  return {};
}

Result<void, std::string> Supervisor::open_notify_socket() {
  notify_path_ = site_.path("run/notify.sock");
  notify_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  if (notify_path_.size() >= sizeof address.sun_path) {
    return fail(notify_path_ +
                ": a Unix socket's path has at most 107 octets: use a shorter directory");
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, notify_path_.data(), notify_path_.size());
  ::unlink(notify_path_.c_str());
  const int on = 1;
  if (!notify_ ||
      ::bind(notify_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(notify_path_.c_str(), 0622) != 0 ||
      ::setsockopt(notify_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
    return fail(io_error("open", notify_path_).text());
  }
  notify_watch_ =
      std::make_unique<async::FdWatch>(notify_.get(), [this](bool, bool) { read_notifications(); });
  notify_watch_->want(true, false);
  return {};
}

// Whoever sent it is known by its pid, which the kernel vouches for.
void Supervisor::read_notifications() {
  for (;;) {
    char text[256];
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))];
    iovec octets{text, sizeof text};
    msghdr message{};
    message.msg_iov = &octets;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t count = ::recvmsg(notify_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (count < 0) return;
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_CREDENTIALS) continue;
    ucred sender{};
    std::memcpy(&sender, CMSG_DATA(header), sizeof sender);
    const auto lines = split(std::string_view(text, static_cast<std::size_t>(count)), '\n');
    if (std::ranges::find(lines, "READY=1") == lines.end()) continue;
    for (const auto& agent : agents_) {
      if (agent->pid() == sender.pid) agent->on_ready();
    }
  }
}

Result<std::vector<HeldSocket>, std::string> Supervisor::open_sockets(
    const std::string& agent, const std::vector<AgentListener>& listeners) {
  std::vector<HeldSocket> sockets;
  for (const AgentListener& listener : listeners) {
    using Kind = async::Endpoint::Kind;
    if (listener.endpoint.kind != Kind::inet && listener.endpoint.kind != Kind::unix_socket) {
      return fail(agent + ": " + listener.option + " is " + listener.endpoint.text() +
                  ", which a supervised agent does not have");
    }
    const async::Endpoint place =
        options_.place ? options_.place(listener.endpoint) : listener.endpoint;
    auto opened = service::open_listener(place, listener.access);
    if (!opened) return fail(agent + ": " + opened.error());
    for (Fd& each : *opened) {
      HeldSocket& socket = sockets.emplace_back();
      socket.option = listener.option;
      socket.asked = listener.endpoint;
      socket.bound = async::parse_endpoint(service::bound_endpoint(each.get())).value_or(place);
      socket.fd = std::move(each);
    }
  }
  return sockets;
}

Task<Result<void, std::string>> Supervisor::add(AgentProgram program, Deadline deadline) {
  std::vector<AgentListener> listeners;
  if (program.is_ours) {
    auto asked = co_await ask_listeners(program, deadline);
    if (!asked) co_return fail(asked.error());
    listeners = std::move(*asked);
  }
  auto sockets = open_sockets(program.name, listeners);
  if (!sockets) co_return fail(sockets.error());
  const std::string log_file =
      options_.log_to_files ? site_.path("log/" + program.name + ".log") : std::string();
  agents_.push_back(std::make_unique<Supervised>(std::move(program), std::move(*sockets),
                                                 notify_path_, log_file, options_.pauses, stopping_,
                                                 log_));
  co_return Result<void, std::string>();
}

Task<void> Supervisor::collect(AgentProgram program, Deadline deadline, std::string* error) {
  const auto added = co_await add(std::move(program), deadline);
  if (!added && error->empty()) *error = added.error();
}

Task<Result<void, std::string>> Supervisor::start(std::vector<AgentProgram> programs,
                                                  Deadline deadline) {
  for (const auto step :
       {&Supervisor::take_lock, &Supervisor::open_notify_socket, &Supervisor::open_ops_socket}) {
    auto done = (this->*step)();
    if (!done) co_return fail(done.error());
  }
  std::string error;
  std::vector<std::string> order;
  async::Scope asking;  // all at once: each costs a process
  for (AgentProgram& program : programs) {
    order.push_back(program.name);
    asking.spawn(collect(std::move(program), deadline, &error));
  }
  co_await asking.join();
  if (!error.empty()) co_return fail(error);
  std::ranges::sort(agents_, {},
                    [&](const auto& agent) { return std::ranges::find(order, agent->name()); });
  for (const auto& agent : agents_) {
    declare_metrics(*agent);
    scope_.spawn(agent->keep_running());
  }
  co_return Result<void, std::string>();
}

void Supervisor::declare_metrics(const Supervised& agent) {
  const std::string labels = "agent=\"" + agent.name() + "\"";
  const Supervised* one = &agent;
  metrics_.gauge(
      "posthorn_agent_starts", "how often it was started",
      [one] { return static_cast<double>(one->starts()); }, labels);
  metrics_.gauge(
      "posthorn_agent_ready", "1 while it runs and is ready",
      [one] { return one->state() == Supervised::State::ready ? 1.0 : 0.0; }, labels);
}

Task<Result<void, std::string>> Supervisor::wait_until_ready(Deadline deadline) {
  for (const auto& agent : agents_) {
    const bool settled = co_await agent->settled().wait_until(deadline);
    if (!settled) co_return fail(agent->name() + " did not say that it is ready in time");
    if (!agent->first_failure().empty()) co_return fail(agent->first_failure());
  }
  co_return Result<void, std::string>();
}

void Supervisor::signal_all(int number) {
  for (const auto& agent : agents_) agent->signal(number);
}

Task<void> Supervisor::stop(Duration grace) {
  stopping_.set();
  signal_all(SIGTERM);
  const Deadline deadline = Deadline::in(grace);
  const auto all_ended = [this] {
    return std::ranges::all_of(agents_, [](const auto& agent) { return agent->pid() == 0; });
  };
  while (!all_ended()) {
    if (deadline.passed()) signal_all(SIGKILL);
    co_await async::sleep_until(Deadline::in(std::chrono::milliseconds(10)));
  }
  co_await scope_.join();
  ops_.stop();
  if (ops_acceptor_) {
    ops_acceptor_->stop_accepting();
    const bool ended = co_await ops_acceptor_->join(Deadline::in(std::chrono::seconds(1)));
    if (!ended) (void)ops_acceptor_.release();  // it is still in use, and we are about to end
  }
  notify_watch_.reset();
}

Result<void, std::string> Supervisor::open_ops_socket() {
  service::OpenListeners open;
  open.name = "ops";
  auto socket = service::open_listener(async::Endpoint::unix_path(site_.path("run/posthorn.ops")),
                                       service::SocketAccess("0600"));
  if (!socket) return fail(socket.error());
  open.sockets = std::move(*socket);
  ops_.get("/agents", [this](service::OpsRequest) { return show_agents(); });
  ops_.get("/health", [this](service::OpsRequest) { return show_health(); });
  ops_.get("/metrics", [this](service::OpsRequest) { return show_metrics(); });
  ops_acceptor_ = std::make_unique<service::Acceptor>(
      std::move(open),
      [this](service::Connection connection) { return serve_ops(std::move(connection)); },
      ops_limits_, log_, metrics_, [] {});
  if (auto started = ops_acceptor_->start(); !started) return fail(started.error().text());
  return {};
}

Task<void> Supervisor::serve_ops(service::Connection connection) {
  co_await ops_.serve(std::move(connection.stream));
}

Task<OpsReply> Supervisor::show_agents() {
  co_return OpsReply(status_json());
}

Task<OpsReply> Supervisor::show_health() {
  const bool all_ready = std::ranges::all_of(
      agents_, [](const auto& agent) { return agent->state() == Supervised::State::ready; });
  co_return OpsReply(fmt::format("{{\"status\":\"{}\"}}\n", all_ready ? "ok" : "degraded"));
}

Task<OpsReply> Supervisor::show_metrics() {
  OpsReply reply(metrics_.text());
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  co_return std::move(reply);
}

std::string Supervisor::status_json() const {
  nlohmann::json all = nlohmann::json::array();
  for (const auto& agent : agents_) {
    nlohmann::json listeners = nlohmann::json::array();
    for (const HeldSocket& socket : agent->sockets()) {
      listeners.push_back({{"option", socket.option}, {"endpoint", socket.bound.text()}});
    }
    all.push_back({{"name", agent->name()},
                   {"pid", agent->pid()},
                   {"state", text_of(agent->state())},
                   {"starts", agent->starts()},
                   {"listeners", listeners}});
  }
  return nlohmann::json({{"agents", all}}).dump() + "\n";
}

}  // namespace posthorn::operate
