// The life of an agent. Its main.cc is:
//
//   int main(int argc, char** argv) {
//     posthorn::smtpd::Smtpd agent;   // implements service::Agent
//     return posthorn::service::run_agent(agent, argc, argv);
//   }
//
// run_agent reads the options, opens the listeners, switches the user, locks itself in, calls
// start(), says that it is ready, and serves until SIGTERM; then it stops accepting, calls drain()
// and waits for the sessions, drain_time at most.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/async/stream.h"
#include "libmail/base/fd.h"
#include "libmail/service/lockdown.h"
#include "libmail/service/log.h"
#include "libmail/service/metrics.h"
#include "libmail/service/ops.h"
#include "libmail/service/options.h"

namespace posthorn::service {

inline constexpr std::string_view version = "0.1.0";

// A client that was accepted. `listener` is the option whose socket took it ("listen",
// "listen-tls").
struct Connection {
  std::unique_ptr<async::Stream> stream;
  std::string listener;
  Connection() = default;
  Connection(std::unique_ptr<async::Stream> s, std::string l)
      : stream(std::move(s)), listener(std::move(l)) {}
};
using Session = std::function<async::Task<void>(Connection)>;

// Limits of one kind of listener; over them a client gets `refusal` (may be empty) and is closed.
struct ServeLimits {
  std::size_t connections = 1000;  // in all
  std::size_t connections_per_client =
      100;  // from one IP address (IPv6: one /64); Unix-socket peers are not counted
  // Who speaks for others by a PROXY header (proxied.h): networks, "unix".
  std::vector<std::string> proxy_networks;
  std::string refusal;  // octets, e.g. "421 4.7.0 ...\r\n"
  ServeLimits() = default;
};

// What option `name` listens on, open.
struct OpenListeners {
  std::string name;
  std::vector<Fd> sockets;
  std::vector<Fd> datagrams;  // UDP sockets, where the option has them
  bool stdio = false;         // standard input is one session that is there already
};

// What run_agent gives to the agent.
class Daemon {
 public:
  virtual ~Daemon() = default;
  [[nodiscard]] virtual const Site& site() const = 0;
  virtual Log& log() = 0;
  virtual Metrics& metrics() = 0;
  virtual OpsServer& ops() = 0;
  // Tasks that live as long as the daemon; they must end once stopping() is set.
  virtual async::Scope& scope() = 0;
  // Every client that comes in by the listeners of option `name` gets a session of its own from now
  // on. Two calls for two names may share one handler. `limits` is read at each accept, so a reload
  // may change it; it outlives the daemon.
  virtual void serve(std::string_view name, Session session, const ServeLimits& limits) = 0;
  // Where option `name` really listens (a port that the kernel chose filled in).
  [[nodiscard]] virtual std::vector<std::string> listening(std::string_view name) const = 0;
  // The UDP sockets of option `name`, whose SocketAccess has datagrams. They stay the daemon's.
  [[nodiscard]] virtual std::vector<int> datagram_sockets(std::string_view name) const = 0;
  // Set when SIGTERM came. Sessions look at it between transactions; long waits also wait for it.
  [[nodiscard]] virtual async::Event& stopping() = 0;
  // Ends the daemon as SIGTERM does; `why` is logged. Exit code 0 unless given.
  virtual void stop(std::string_view why, int exit_code = 0) = 0;
};

class Agent {
 public:
  virtual ~Agent() = default;
  Agent() = default;
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  [[nodiscard]] virtual std::string_view name() const = 0;  // "smtpd": program, log tag, NAME.toml
  [[nodiscard]] virtual std::string_view purpose() const = 0;  // one line for --help
  // Declares every option. Called once, before anything else. Options about running (user, ops,
  // log_level, log_format, drain_time, lockdown) are declared for every agent and must not be
  // declared again.
  virtual void describe(OptionTable& table) = 0;
  // Whether listener option `name` is listened on, now that the options are known: a program with
  // two modes has options that belong to one of them.
  [[nodiscard]] virtual bool listens_on(std::string_view) const { return true; }
  // Looks at what the options name (files that can be read, tables that parse, certificates): each
  // problem is one sentence with what, where and what to do. Changes nothing. Also called, and
  // obeyed, before every start and reload.
  virtual std::vector<std::string> check(const Site& site);
  // What this process may touch once it runs. Called after options are known.
  virtual Confinement confinement(const Site& site) = 0;
  // The one moment to start other processes: sockets are open, the user is the right one, and there
  // is no thread and no lock-down yet. pop3d starts its mail worker here, deliverd its
  // async::Starter; dnsd forks workers that go on as this process does, each with its part of what is
  // `open`. A returned text ends the start with exit code 69.
  virtual Result<void, std::string> before_lockdown(const Site& site,
                                                    std::vector<OpenListeners>& open);
  // Opens what is needed and calls daemon.serve(). A returned text ends the start with exit code 78
  // (or 69 when it begins with "unavailable:"). The process is confined already, except for system
  // calls.
  virtual async::Task<Result<void, std::string>> start(Daemon& daemon) = 0;
  // The options have new values (SIGHUP). Load certificates again here. A returned text is logged.
  virtual Result<void, std::string> reload(Daemon& daemon);
  // Sessions have ended or been given up; close files, finish writers.
  virtual async::Task<void> drain(Daemon& daemon, async::Deadline deadline);
  // For agents that are sometimes no daemon (deliverd --stdin): true means that run_once() is
  // called in place of all that listens, and its result is the exit code.
  [[nodiscard]] virtual bool is_one_shot() const { return false; }
  virtual async::Task<int> run_once(const Site& site, Log& log);
};

int run_agent(Agent& agent, int argc, char** argv);

}  // namespace posthorn::service
