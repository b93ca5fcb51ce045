#include "agents/pop3d/pop3d.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "libmail/async/loop.h"
#include "test/support/test_folder.h"

using namespace posthorn;
using namespace posthorn::pop3d;
using async::Deadline;
using async::Task;

namespace {

WorkerSettings settings() {
  WorkerSettings settings;
  settings.places.mail_location = "maildir:~/Maildir";
  settings.places.mail_directories = {"/srv/mail"};
  return settings;
}

service::Log& silent() {
  static service::Log log("test", service::Log::Format::kv, service::Level::error, -1);
  return log;
}

}  // namespace

TEST_CASE("options: what can't work is named before the start") {
  const posthorn::TestFolder folder;
  const auto site = service::Site::find(folder.path());
  Options options;
  CHECK(options.check(site).size() == 1);  // no run/ for the worker's socket
  std::filesystem::create_directory(folder.path() + "/run");
  CHECK(options.check(site).empty());
  CHECK(options.full_location(site) == "maildir:~/Maildir");
  options.mail_location = "maildir:mail/%d/%n/Maildir";
  CHECK(options.full_location(site) == "maildir:" + folder.path() + "/mail/%d/%n/Maildir");
  options.mail_location = "Maildir";
  options.front_user = "no such user";
  options.worker_listen = {"inet:127.0.0.1:0"};
  CHECK(options.check(site).size() == 3);
  options.worker_at = "unix:/run/w.sock";
  CHECK(options.check(site).size() == 2);
}

TEST_CASE("worker session: AUTH EXTERNAL is not for everybody") {
  for (const bool trusted : {false, true}) {
    struct Run {
      static Task<std::string> all(bool trusted) {
        store::SystemFiles files;
        service::Metrics metrics;
        WorkerCounters counters(metrics);
        session::UserdbClient userdb(async::Endpoint::unix_path("/nonexistent/userdb"),
                                     session::UserdbOptions(), silent());
        auto shared = std::make_shared<WorkerSettings>(settings());
        shared->idle_time = std::chrono::seconds(10);
        auto pair = async::make_memory_pair(async::Peer(), async::Peer());
        WorkerSession session(std::move(pair.right), trusted, userdb, files, std::move(shared),
                              silent(), counters);
        async::Scope scope;
        scope.spawn(session.serve());
        const std::string said =
            "AUTH EXTERNAL YW5u\r\nAUTH EXTERNAL =\r\nSTAT\r\nUSER ann\r\nQUIT\r\n";
        const auto written = co_await pair.left->write(said, Deadline::in(std::chrono::seconds(5)));
        CHECK(written);
        async::Buffer heard;
        for (;;) {
          const auto count = co_await pair.left->read(heard, Deadline::in(std::chrono::seconds(5)));
          if (!count || *count == 0) break;
        }
        co_await scope.join();
        co_await userdb.stop();
        co_return std::string(heard.view());
      }
    };
    const std::string heard = async::run(Run::all(trusted));
    // Trusted: the name is looked up, and there is no userdb. Not trusted: there is no such mechanism.
    CHECK((heard.find("-ERR [SYS/TEMP]") != std::string::npos) == trusted);
    CHECK((heard.find("-ERR no such mechanism") != std::string::npos) == !trusted);
    CHECK(heard.find("+OK logged in") == std::string::npos);
    CHECK(heard.find("+OK goodbye") != std::string::npos);
  }
}
