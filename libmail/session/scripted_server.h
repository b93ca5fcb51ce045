// For tests: a server that plays scripts on a socket, one script a connection.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "libmail/async/scope.h"
#include "libmail/async/socket.h"
#include "libmail/tls/tls.h"

namespace posthorn::session::test {

using namespace std::chrono_literals;

struct Directory {
  std::string path = (std::filesystem::temp_directory_path() / "posthorn-client-XXXXXX").string();
  Directory() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~Directory() { std::filesystem::remove_all(path); }
};

// What a server does on one connection: waits until `heard` stands in what it has read since the step before (""
// waits for nothing), then says `says`.
struct Step {
  std::string heard;
  std::string says;
  enum class Then { go_on, shake_hands, hang_up } then = Then::go_on;

  Step(std::string wait_for, std::string answer, Then what = Then::go_on)
      : heard(std::move(wait_for)), says(std::move(answer)), then(what) {}
};
using Script = std::vector<Step>;

// Plays one script a connection, in order; keeps all it read.
struct Server {
  Directory directory;
  std::string path = directory.path + "/socket";
  std::vector<Script> scripts;
  std::vector<std::string> heard;
  std::shared_ptr<tls::ServerContext> tls;
  std::unique_ptr<async::Listener> listener;

  explicit Server(std::vector<Script> connections)
      : Server(std::move(connections), async::Endpoint()) {}
  // At an address in place of the Unix socket `path`; port 0: listener->endpoint() tells.
  Server(std::vector<Script> connections, async::Endpoint at) : scripts(std::move(connections)) {
    if (at.kind != async::Endpoint::Kind::inet) at = async::Endpoint::unix_path(path);
    auto socket = async::open_listening_socket(at);
    REQUIRE(socket);
    auto listening = async::listen_on(std::move(*socket));
    REQUIRE(listening);
    listener = std::move(*listening);
  }

  async::Task<void> play_all() {
    for (const Script& script : scripts) {
      auto stream = co_await listener->accept();
      if (!stream) co_return;
      heard.emplace_back();
      co_await play(std::move(*stream), script, heard.size() - 1);
    }
  }
  // The same, for clients that keep a connection while they make another.
  async::Task<void> play_side_by_side() {
    async::Scope scope;
    for (const Script& script : scripts) {
      auto stream = co_await listener->accept();
      if (!stream) break;
      heard.emplace_back();
      scope.spawn(play(std::move(*stream), script, heard.size() - 1));
    }
    co_await scope.join();
  }

  async::Task<void> play(std::unique_ptr<async::Stream> stream, const Script& script,
                         std::size_t connection) {
    async::Buffer input;
    for (const Step& step : script) {
      while (input.view().find(step.heard) == std::string_view::npos) {
        const std::size_t before = input.size();
        const auto count = co_await stream->read(input, async::Deadline::in(5s));
        if (!count || *count == 0) co_return;
        heard[connection] += input.view().substr(before);
      }
      input.clear();
      if (!step.says.empty()) (void)co_await stream->write(step.says, async::Deadline::in(5s));
      if (step.then == Step::Then::hang_up) co_return;
      if (step.then == Step::Then::shake_hands) {
        auto secured = co_await tls::accept(std::move(stream), tls, async::Deadline::in(5s));
        if (!secured) co_return;
        stream = std::move(*secured);
      }
    }
    // Stays until the client goes, so that it can't take our going for an answer.
    while (true) {
      const auto count = co_await stream->read(input, async::Deadline::in(5s));
      if (!count || *count == 0) co_return;
      heard[connection] += input.view();
      input.clear();
    }
  }
};

}  // namespace posthorn::session::test
