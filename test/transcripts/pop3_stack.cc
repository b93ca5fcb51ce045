// POP3 transcripts in process: pop3d's front and worker.
#include <unistd.h>

#include "agents/pop3d/front_session.h"
#include "agents/pop3d/worker_session.h"
#include "libmail/async/loop.h"
#include "libmail/base/text.h"
#include "test/transcripts/access_stack.h"

namespace posthorn::test {

using async::Task;

namespace {

class Pop3Stack final : public AccessStack {
 public:
  Pop3Stack(const Transcript& transcript, const Pop3Site& site)
      : AccessStack(transcript, site, "pop3-worker.sock"),
        worker_settings_(worker_settings()),
        front_counters_(metrics(), "pop3d"),
        worker_counters_(metrics()) {}

 private:
  [[nodiscard]] pop3::Limits limits() const {
    pop3::Limits limits;
    const auto set = [this](const char* key, auto& into) {
      const auto number = parse_size(transcript().value(key));
      if (number) into = static_cast<std::decay_t<decltype(into)>>(*number);
    };
    set("max-errors", limits.errors);
    set("max-logins", limits.logins);
    set("max-line", limits.command);
    return limits;
  }
  [[nodiscard]] bool is_on(const char* key, bool otherwise = false) const {
    const std::string value = transcript().value(key);
    return value.empty() ? otherwise : value == "yes";
  }
  [[nodiscard]] Duration span(const char* key, Duration otherwise) const {
    Duration value = otherwise;
    (void)parse_duration(transcript().value(key), value);
    return value;
  }
  [[nodiscard]] std::shared_ptr<const pop3d::WorkerSettings> worker_settings() const {
    auto settings = std::make_shared<pop3d::WorkerSettings>();
    settings->places.mail_location = "maildir:~/Maildir";
    settings->places.mail_directories = {site().path("mail")};
    settings->delete_after_retr = is_on("delete-after-retr");
    settings->mark_seen = is_on("mark-seen", true);
    settings->refuse_utf8 = is_on("refuse-utf8");
    settings->lock_time = std::chrono::seconds(1);
    settings->idle_time = span("idle-time", std::chrono::minutes(10));
    settings->limits = limits();
    return settings;
  }
  [[nodiscard]] pop3d::FrontSettings front_settings() const {
    pop3d::FrontSettings settings;
    settings.worker = worker();
    const std::string tls = transcript().value("tls");
    if (!tls.empty()) settings.tls = site().server_tls();
    settings.implicit_tls = tls == "implicit";
    settings.plaintext_in_clear = is_on("plaintext-in-clear");
    settings.delete_after_retr = is_on("delete-after-retr");
    settings.limits = limits();
    settings.login_time = span("login-time", std::chrono::minutes(3));
    settings.idle_time = span("idle-time", std::chrono::minutes(10));
    return settings;
  }

  Task<void> serve_front(std::unique_ptr<async::Stream> stream) override {
    const bool is_trusted = stream->peer().uid == ::getuid();
    pop3d::WorkerSession session(std::move(stream), is_trusted, userdb(), files_, worker_settings_,
                                 log(), worker_counters_);
    co_await session.serve();
  }
  Task<void> serve_client(std::unique_ptr<async::Stream> stream) override {
    pop3d::FrontSession session(std::move(stream), auth().make_server(), front_settings(), log(),
                                front_counters_);
    co_await session.serve();
  }
  Task<void> end() override { co_return; }

  store::SystemFiles files_;
  std::shared_ptr<const pop3d::WorkerSettings> worker_settings_;
  access::FrontCounters front_counters_;
  pop3d::WorkerCounters worker_counters_;
};

}  // namespace

std::string play_pop3_in_process(const Transcript& transcript, const Pop3Site& site,
                                 bool octet_by_octet) {
  site.renew();
  Pop3Stack stack(transcript, site);
  return async::run(stack.play(octet_by_octet));
}

}  // namespace posthorn::test
