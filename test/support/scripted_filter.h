// A filter (milter protocol) for unit tests, in the process of the test.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "libmail/async/scope.h"
#include "libmail/async/socket.h"
#include "libmail/milter/packet.h"
#include "test/support/test_folder.h"

namespace posthorn::test {

// A packet of it: "said('+', "<eve@b.test>\0"s)".
inline std::string said(char kind, const std::string& data = {}) {
  std::string octets;
  milter::append_packet(octets, kind, data);
  return octets;
}

// A filter that answers each step as a test wants, with `c` where it says nothing; an empty answer: it closes.
struct ScriptedFilter {
  TestFolder folder;
  std::map<char, std::string> answers;
  std::string told;     // the steps' letters
  bool leaves = false;  // behind each message
  std::string body;
  std::unique_ptr<async::Listener> listener;
  async::Scope scope;

  [[nodiscard]] std::string path() const { return folder.path("filter"); }
  // Listens, on the loop that runs.
  void start() {
    auto socket = async::open_listening_socket(async::Endpoint::unix_path(path()));
    REQUIRE(socket);
    auto listening = async::listen_on(std::move(*socket));
    REQUIRE(listening);
    listener = std::move(*listening);
    scope.spawn(accept_all());
  }
  // Behind the last session.
  async::Task<void> stop() {
    listener->close();
    co_await scope.join();
  }

 private:
  async::Task<void> accept_all() {
    for (;;) {
      auto stream = co_await listener->accept();
      if (!stream) co_return;
      scope.spawn(serve(std::move(*stream)));
    }
  }
  async::Task<void> serve(std::unique_ptr<async::Stream> stream) {
    milter::PacketReader reader(1 << 20);
    async::Buffer input;
    for (;;) {
      std::optional<milter::Packet> packet = reader.next();
      if (!packet) {
        input.clear();
        auto count = co_await stream->read(input, async::Deadline::in(std::chrono::seconds(20)));
        if (!count || *count == 0) co_return;
        reader.feed(input.view());
        continue;
      }
      if (packet->letter == 'D') continue;
      told += packet->letter;
      if (packet->letter == 'Q') co_return;
      if (packet->letter == 'A') continue;
      if (packet->letter == 'B') body += packet->data;
      std::string answer = said('c');
      if (packet->letter == 'O') answer = said('O', std::string("\0\0\0\6\0\0\1\xff\0\0\0\0", 12));
      if (const auto found = answers.find(packet->letter); found != answers.end()) {
        answer = found->second;
      }
      if (answer.empty()) co_return;
      auto written = co_await stream->write(answer, async::Deadline::in(std::chrono::seconds(20)));
      if (!written || (leaves && packet->letter == 'E')) co_return;
    }
  }
};

}  // namespace posthorn::test
