#include "libdns/stub/channel.h"

#include <ares.h>
#include <arpa/inet.h>

#include <map>
#include <unordered_set>

#include "libdns/wire/address.h"
#include "libmail/async/poll.h"
#include "libmail/base/random.h"

namespace posthorn::dns {

namespace {

// c-ares counts its users.
void initialise_library() {
  static const int status = ares_library_init(ARES_LIB_INIT_ALL);
  check(status == ARES_SUCCESS, "ares_library_init");
}

bool set_server(ares_channel channel, const Server& server) {
  ares_addr_port_node node{};
  if (const auto a = parse_a(server.address)) {
    node.family = AF_INET;
    std::copy(a->address.begin(), a->address.end(),
              reinterpret_cast<std::uint8_t*>(&node.addr.addr4));
  } else if (const auto aaaa = parse_aaaa(server.address)) {
    node.family = AF_INET6;
    std::copy(aaaa->address.begin(), aaaa->address.end(),
              reinterpret_cast<std::uint8_t*>(&node.addr.addr6));
  } else {
    return false;
  }
  node.udp_port = node.tcp_port = server.port;
  return ares_set_servers_ports(channel, &node) == ARES_SUCCESS;
}

}  // namespace

struct Channel::State : std::enable_shared_from_this<Channel::State> {
  ares_channel channel = nullptr;
  std::map<int, std::unique_ptr<async::FdWatch>> watches;
  async::Timer timer;
  std::unordered_set<std::uint16_t> ids;  // in flight
  bool closing = false;

  struct Question {
    std::shared_ptr<State> state;
    std::uint16_t id;
    Done done;
  };

  bool open(const Server& server);
  void watch(int fd, bool readable, bool writable);
  void process(int readable, int writable);
  void arm();
  [[nodiscard]] std::uint16_t free_id() const;
};

bool Channel::State::open(const Server& server) {
  initialise_library();
  ares_options options{};
  // EDNS and its size stand in our own packets; without the flag c-ares would not take the long replies they allow.
  options.flags = ARES_FLAG_EDNS | ARES_FLAG_NOCHECKRESP | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
  options.ednspsz = edns_udp_octets;
  // Patience, repeats and the choice of the server are the resolver's.
  options.timeout = static_cast<int>(std::chrono::milliseconds(forget_after).count());
  options.tries = 1;
  char lookups[] = "b";
  options.lookups = lookups;
  options.ndomains = 0;
  char no_file[] = "/dev/null";
  options.resolvconf_path = no_file;
  options.sock_state_cb = [](void* data, ares_socket_t fd, int readable, int writable) {
    static_cast<State*>(data)->watch(fd, readable != 0, writable != 0);
  };
  options.sock_state_cb_data = this;
  const int mask = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                   ARES_OPT_LOOKUPS | ARES_OPT_DOMAINS | ARES_OPT_RESOLVCONF |
                   ARES_OPT_SOCK_STATE_CB;
  if (ares_init_options(&channel, &options, mask) != ARES_SUCCESS) {
    channel = nullptr;
    return false;
  }
  return set_server(channel, server);
}

// c-ares says what it wants to know about a socket; neither means that it closes it right behind this call.
void Channel::State::watch(int fd, bool readable, bool writable) {
  if (!readable && !writable) {
    watches.erase(fd);
    return;
  }
  auto& watch = watches[fd];
  if (!watch) {
    watch = std::make_unique<async::FdWatch>(fd, [this, fd](bool can_read, bool can_write) {
      process(can_read ? fd : ARES_SOCKET_BAD, can_write ? fd : ARES_SOCKET_BAD);
    });
  }
  watch->want(readable, writable);
}

void Channel::State::process(int readable, int writable) {
  const std::shared_ptr<State> keep =
      shared_from_this();  // a question's end may drop the last owner
  if (channel == nullptr) return;
  ares_process_fd(channel, readable, writable);
  arm();
}

void Channel::State::arm() {
  timeval room{};
  if (channel == nullptr || ids.empty()) {
    timer.clear();
    return;
  }
  const timeval* wait = ares_timeout(channel, nullptr, &room);
  if (wait == nullptr) return;
  const auto span = std::chrono::seconds(wait->tv_sec) + std::chrono::microseconds(wait->tv_usec);
  // One more, since c-ares counts finer than the loop's clock.
  timer.set(async::Deadline::in(span + std::chrono::milliseconds(1)),
            [this] { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); });
}

std::uint16_t Channel::State::free_id() const {
  for (;;) {
    const auto id = static_cast<std::uint16_t>(random_u64());
    if (!ids.contains(id)) return id;
  }
}

Channel::Channel(const Server& server) : state_(std::make_shared<State>()) {
  if (!state_->open(server)) close();
}

Channel::~Channel() {
  close();
}

void Channel::close() {
  if (state_->channel == nullptr) return;
  state_->closing = true;
  ares_destroy(state_->channel);  // ends every question
  state_->channel = nullptr;
  state_->timer.clear();
  state_->watches.clear();
}

void Channel::send(std::string query, Done done) {
  if (state_->channel == nullptr || state_->closing) return done(fail(std::string("closed")));
  if (state_->ids.size() >= max_in_flight) {
    return done(fail(std::string("too many questions in flight")));
  }
  const std::uint16_t id = state_->free_id();
  state_->ids.insert(id);
  query[0] = static_cast<char>(id >> 8);
  query[1] = static_cast<char>(id);
  auto* question = new State::Question{state_, id, std::move(done)};
  ares_send(
      state_->channel, reinterpret_cast<const unsigned char*>(query.data()),
      static_cast<int>(query.size()),
      [](void* data, int status, int /*timeouts*/, unsigned char* octets, int length) {
        const std::unique_ptr<State::Question> asked(static_cast<State::Question*>(data));
        asked->state->ids.erase(asked->id);
        if (octets != nullptr && length > 0) {
          asked->done(std::string_view(reinterpret_cast<const char*>(octets),
                                       static_cast<std::size_t>(length)));
        } else {
          asked->done(
              fail(std::string(status == ARES_ETIMEOUT ? "no reply" : ares_strerror(status))));
        }
      },
      question);
  state_->arm();
}

}  // namespace posthorn::dns
