#include "agents/dnsd/workers.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "libdns/zone/master_file.h"
#include "libmail/async/files.h"
#include "libmail/service/listeners.h"

namespace posthorn::dnsd {

using async::Deadline;
using async::Task;
using Kind = WorkerNote::Kind;

namespace {

constexpr Duration answer_time = std::chrono::seconds(2);

std::map<std::string, std::vector<Fd>> by_address(std::vector<Fd> sockets) {
  std::map<std::string, std::vector<Fd>> groups;
  for (Fd& socket : sockets) {
    const std::string address = service::bound_endpoint(socket.get());
    groups[address].push_back(std::move(socket));
  }
  return groups;
}

std::size_t most_at_one_address(const std::vector<service::OpenListeners>& open) {
  std::map<std::string, std::size_t> counts;
  std::size_t most = 1;
  for (const service::OpenListeners& listeners : open) {
    for (const Fd& socket : listeners.datagrams)
      most = std::max(most, ++counts[service::bound_endpoint(socket.get())]);
  }
  return most;
}

// In the child. Who ends a whole group means worker 0, which tells us; the kernel does if it can't.
void become_worker(unsigned number, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  ::sigprocmask(SIG_BLOCK, &ending, nullptr);
  ::signal(SIGHUP, SIG_IGN);  // until somebody looks at it
  ::unsetenv("NOTIFY_SOCKET");
  ::prctl(PR_SET_NAME, ("dnsd/" + std::to_string(number)).c_str());
}

}  // namespace

void keep_share(std::vector<service::OpenListeners>& open, unsigned number, unsigned count) {
  for (service::OpenListeners& listeners : open) {
    auto groups = by_address(std::move(listeners.datagrams));
    listeners.datagrams.clear();
    for (auto& [address, sockets] : groups) {
      for (std::size_t i = number; i < sockets.size(); i += count)
        listeners.datagrams.push_back(std::move(sockets[i]));
    }
    if (number == 0) continue;
    listeners.sockets.clear();
    listeners.stdio = false;
  }
}

Result<WorkerPlace, std::string> fork_workers(unsigned wanted,
                                              std::vector<service::OpenListeners>& open) {
  WorkerPlace place;
  place.count = static_cast<unsigned>(std::min<std::size_t>(wanted, most_at_one_address(open)));
  const pid_t parent = ::getpid();
  for (unsigned number = 1; number < place.count; ++number) {
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
      return fail(io_error("start worker " + std::to_string(number)).text());
    Fd ours(ends[0]);
    Fd theirs(ends[1]);
    // fork(), not _Fork(): what libraries have registered for it is wanted, for the child goes on as a
    // whole program. libuv's handler does nothing before the first loop.
    const pid_t pid = ::fork();
    if (pid < 0) return fail(io_error("start worker " + std::to_string(number)).text());
    if (pid == 0) {
      become_worker(number, parent);
      place.number = number;
      place.channels.clear();
      place.channels.push_back(std::move(theirs));
      break;
    }
    place.channels.push_back(std::move(ours));
  }
  keep_share(open, place.number, place.count);
  return place;
}

struct Workers::Other {
  unsigned number;
  bool is_ready = false;
  std::unique_ptr<WorkerChannel> channel;
  explicit Other(unsigned n) : number(n) {}
};

struct Workers::Asked {
  std::vector<WorkerReply> replies;
  std::size_t missing = 0;
  async::Event complete;
};

Workers::Workers(std::vector<Fd> channels, dns::Zones& zones, service::Log& log, Handlers handlers)
    : zones_(zones), log_(log), handlers_(std::move(handlers)) {
  for (Fd& channel : channels) {
    const auto number = static_cast<unsigned>(others_.size() + 1);
    Other* other = others_.emplace_back(std::make_unique<Other>(number)).get();
    other->channel = std::make_unique<WorkerChannel>(
        std::move(channel), [this, other](WorkerNote note) { take(*other, std::move(note)); },
        [this, other] { ended(*other); });
  }
}

Workers::~Workers() = default;

bool Workers::all_of(bool (*is)(const Other&)) const {
  return std::ranges::all_of(others_, [is](const auto& other) { return is(*other); });
}

void Workers::take(Other& other, WorkerNote note) {
  if (note.kind == Kind::ready) {
    other.is_ready = true;
    progress_.set();
  } else if (note.kind == Kind::packet && !stopping_) {
    auto packet = decode_packet(note.text);
    if (packet) handlers_.on_packet(std::move(*packet));
  } else if (note.kind == Kind::reply) {
    const auto asked = asked_.find(note.id);
    const auto view = note.file ? TextView::of(*note.file) : std::nullopt;
    if (asked == asked_.end() || !view) return;
    WorkerReply& reply = asked->second->replies[other.number - 1];
    if (reply.json) return;
    auto json = nlohmann::ordered_json::parse(view->text(), nullptr, false);
    if (json.is_discarded()) return;
    reply.json = std::move(json);
    if (--asked->second->missing == 0) asked->second->complete.set();
  }
}

void Workers::ended(Other& other) {
  progress_.set();
  if (stopping_) return;
  log_.error("", "worker-ended", {{"worker", other.number}});
  handlers_.on_end(other.number);
}

void Workers::tell_all(const WorkerNote& note) {
  for (const auto& other : others_) {
    WorkerNote copy = note;
    other->channel->send(std::move(copy));
  }
}

void Workers::changed(const dns::Name& zone) {
  if (others_.empty() || stopping_) return;
  changed_.insert(zone);
  if (is_publishing_) return;
  is_publishing_ = true;
  published_.reset();
  scope_.spawn(publish());
}

// One zone after the other, each as it is when its turn comes.
Task<void> Workers::publish() {
  while (!changed_.empty() && !stopping_) {
    const dns::Name zone = *changed_.begin();
    changed_.erase(changed_.begin());
    const auto note = co_await note_of(zone);
    if (!note) continue;
    tell_all(*note);
    for (const auto& other : others_) co_await other->channel->wait_for_room();
  }
  is_publishing_ = false;
  published_.set();
}

Task<std::optional<WorkerNote>> Workers::note_of(dns::Name zone) {
  const std::string name(zone.wire());
  if (!zones_.has(zone)) co_return WorkerNote(Kind::removed, name);
  const dns::Zones::Pointer version = zones_.at(zone);
  if (version == nullptr) co_return WorkerNote(Kind::empty, name);
  auto job = [version] { return text_file(dns::to_master_file(*version)); };
  auto file = co_await async::blocking(std::move(job));
  if (!file) {
    log_.error("", "zone-not-told", {{"zone", zone.text()}, {"why", file.error().text()}});
    co_return std::nullopt;
  }
  WorkerNote note(Kind::zone, name);
  note.file = std::make_shared<const Fd>(std::move(*file));
  co_return note;
}

Task<Result<void, std::string>> Workers::start() {
  if (is_publishing_) co_await published_.wait();
  tell_all(WorkerNote(Kind::go));
  const auto is_ready = [](const Other& other) { return other.is_ready; };
  const auto is_alive = [](const Other& other) { return !other.channel->has_ended(); };
  while (!all_of(is_ready) && all_of(is_alive) && !stopping_) {
    progress_.reset();
    co_await progress_.wait();
  }
  if (!all_of(is_alive)) co_return fail(std::string("unavailable: a worker has ended"));
  co_return Result<void, std::string>();
}

void Workers::reload() {
  tell_all(WorkerNote(Kind::reload));
}

Task<std::vector<WorkerReply>> Workers::ask(Kind kind, std::string text) {
  Asked asked;
  for (const auto& other : others_) asked.replies.emplace_back().worker = other->number;
  for (const auto& other : others_) asked.missing += other->channel->has_ended() ? 0 : 1;
  if (asked.missing == 0) co_return std::move(asked.replies);
  WorkerNote note(kind, std::move(text));
  note.id = ++last_id_;
  asked_[note.id] = &asked;
  tell_all(note);
  const bool all_answered = co_await asked.complete.wait_until(Deadline::in(answer_time));
  asked_.erase(note.id);
  for (const WorkerReply& reply : asked.replies) {
    if (!all_answered && !reply.json) log_.warning("", "worker-silent", {{"worker", reply.worker}});
  }
  co_return std::move(asked.replies);
}

void Workers::stop() {
  stopping_ = true;
  for (const auto& other : others_) other->channel->finish();
  progress_.set();
}

Task<void> Workers::join(Deadline deadline) {
  const auto has_ended = [](const Other& other) { return other.channel->has_ended(); };
  while (!all_of(has_ended) && !deadline.passed()) {
    progress_.reset();
    const bool woken = co_await progress_.wait_until(deadline);
    (void)woken;
  }
  co_await scope_.join();
}

}  // namespace posthorn::dnsd
