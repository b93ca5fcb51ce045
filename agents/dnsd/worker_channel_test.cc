#include "agents/dnsd/worker_channel.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#include "libmail/async/loop.h"

namespace posthorn::dnsd {
namespace {

using async::Deadline;
using async::Task;
using Kind = WorkerNote::Kind;

PassedPacket packet() {
  PassedPacket made;
  made.listener = "inet:127.0.0.1:53";
  auto& peer = reinterpret_cast<sockaddr_in&>(made.way.peer);
  peer.sin_family = AF_INET;
  peer.sin_port = htons(4711);
  peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  made.way.peer_octets = sizeof peer;
  made.way.control[0] = 'c';
  made.way.used = 1;
  made.packet = std::string("\0question", 9);
  return made;
}

TEST_CASE("A note is what was encoded, and a shorter one is none") {
  WorkerNote note(Kind::flush, "{}");
  note.id = 77;
  const std::string octets = encode_note(note);
  const auto back = decode_note(octets);
  REQUIRE(back);
  CHECK(back->kind == Kind::flush);
  CHECK(back->id == 77);
  CHECK(back->text == "{}");
  for (std::size_t size = 0; size < 5; ++size) CHECK_FALSE(decode_note(octets.substr(0, size)));
}

TEST_CASE("A note of no known kind is none") {
  std::string octets = encode_note(WorkerNote(Kind::go));
  for (const char kind : {'\0', '\x0c', '\xff'}) {
    octets[0] = kind;
    CHECK_FALSE(decode_note(octets));
  }
}

TEST_CASE("A packet is what was encoded, and its head can't be cut") {
  const PassedPacket made = packet();
  const std::string octets = encode_packet(made);
  const auto back = decode_packet(octets);
  REQUIRE(back);
  CHECK(back->listener == made.listener);
  CHECK(back->packet == made.packet);
  CHECK(back->way.peer_octets == made.way.peer_octets);
  CHECK(std::memcmp(&back->way.peer, &made.way.peer, made.way.peer_octets) == 0);
  CHECK(back->way.used == 1);
  CHECK(back->way.control[0] == 'c');
  const std::size_t head = octets.size() - made.packet.size();
  for (std::size_t size = 0; size < head; ++size)
    CHECK_FALSE(decode_packet(octets.substr(0, size)));
  CHECK(decode_packet(octets.substr(0, head))->packet.empty());
}

TEST_CASE("A packet's address and control octets fit, or it is none") {
  const auto number = [](std::uint32_t value) {
    return std::string(reinterpret_cast<const char*>(&value), sizeof value);
  };
  const auto made = [&number](std::size_t peer, std::size_t control) {
    return number(0) + number(static_cast<std::uint32_t>(peer)) + std::string(peer, 'p') +
           number(static_cast<std::uint32_t>(control)) + std::string(control, 'c');
  };
  CHECK(decode_packet(made(sizeof(sockaddr_storage), dns::datagram_control_octets)));
  CHECK_FALSE(decode_packet(made(sizeof(sockaddr_storage) + 1, 0)));
  CHECK_FALSE(decode_packet(made(sizeof(sockaddr_in), dns::datagram_control_octets + 1)));
  CHECK_FALSE(decode_packet(made(1, 0)));
}

TEST_CASE("A text's file can't be changed, and shows the text") {
  const std::string text = std::string(100'000, 'x') + "end";
  const auto file = text_file(text);
  REQUIRE(file);
  CHECK(::ftruncate(file->get(), 1) != 0);
  CHECK(::pwrite(file->get(), "y", 1, 0) != 1);
  const auto view = TextView::of(*file);
  REQUIRE(view);
  CHECK(view->text() == text);
  const auto empty = text_file("");
  REQUIRE(empty);
  CHECK(TextView::of(*empty)->text().empty());
}

TEST_CASE("A file that could shrink under its reader is refused") {
  const Fd file(::memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  CHECK_FALSE(TextView::of(file));
  CHECK_FALSE(TextView::of(Fd()));
  CHECK_FALSE(TextView::of(Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC))));
}

// Both ends in one loop, and what each has heard.
struct Pair {
  std::vector<WorkerNote> heard[2];
  int ends[2] = {0, 0};
  async::Event end;
  std::unique_ptr<WorkerChannel> channel[2];

  Pair() {
    int sockets[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) == 0);
    for (int i = 0; i < 2; ++i) {
      channel[i] = std::make_unique<WorkerChannel>(
          Fd(sockets[i]), [this, i](WorkerNote note) { heard[i].push_back(std::move(note)); },
          [this, i] {
            ++ends[i];
            end.set();
          });
    }
  }
  Task<bool> wait_for(int side, std::size_t count) {
    const Deadline deadline = Deadline::in(std::chrono::seconds(20));
    while (heard[side].size() < count && !deadline.passed())
      co_await async::sleep_until(Deadline::in(std::chrono::milliseconds(1)));
    co_return heard[side].size() == count;
  }
};

Task<void> send_many() {
  Pair pair;
  constexpr std::uint32_t count = 5000;  // more than the socket holds
  auto file = text_file("zone text");
  REQUIRE(file);
  const auto shared = std::make_shared<const Fd>(std::move(*file));
  for (std::uint32_t id = 0; id < count; ++id) {
    WorkerNote note(Kind::zone, std::string(1000, 'z'));
    note.id = id;
    if (id == count - 1) note.file = shared;
    pair.channel[0]->send(std::move(note));
  }
  const WorkerNote late(Kind::packet);
  CHECK_FALSE(pair.channel[0]->send_if_room(late));
  co_await pair.channel[0]->wait_for_room();
  const bool all = co_await pair.wait_for(1, count);
  REQUIRE(all);
  for (std::uint32_t id = 0; id < count; ++id) CHECK(pair.heard[1][id].id == id);
  REQUIRE(pair.heard[1].back().file);
  CHECK(TextView::of(*pair.heard[1].back().file)->text() == "zone text");
  CHECK(pair.channel[0]->send_if_room(late));
  const bool heard = co_await pair.wait_for(1, count + 1);
  CHECK(heard);
}

TEST_CASE("Notes come in order, however many there are, with their files") {
  async::run(send_many());
}

Task<void> finish_one() {
  Pair pair;
  pair.channel[0]->finish();
  const bool seen = co_await pair.end.wait_until(Deadline::in(std::chrono::seconds(20)));
  CHECK(seen);
  CHECK(pair.ends[1] == 1);
  CHECK(pair.channel[1]->has_ended());
  CHECK_FALSE(pair.channel[0]->has_ended());
  pair.channel[1].reset();  // as its process ends
  pair.end.reset();
  const bool told = co_await pair.end.wait_until(Deadline::in(std::chrono::seconds(20)));
  CHECK(told);
  CHECK(pair.ends[0] == 1);
  pair.channel[0]->send(WorkerNote(Kind::go));
  co_await pair.channel[0]->wait_for_room();
}

TEST_CASE("Each side sees the other's end, once") {
  async::run(finish_one());
}

}  // namespace
}  // namespace posthorn::dnsd
