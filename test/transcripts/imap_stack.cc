// IMAP transcripts in process: imapd's front and worker, with imapd's own options.
#include <unistd.h>

#include "agents/imapd/imapd.h"
#include "libmail/async/loop.h"
#include "libmail/service/settings.h"
#include "test/transcripts/access_stack.h"

namespace posthorn::test {

using async::Task;

namespace {

imapd::Options options_of(const std::vector<std::string>& flags) {
  imapd::Options options;
  service::OptionTable table;
  options.describe(table);
  const auto line = service::parse_command_line(table, {"imapd", "", "", true}, flags);
  check(line.has_value(), "a transcript's config is made of imapd's options");
  check(service::Settings(table, "imapd", *line).load_flags().empty(),
        "a transcript's config has values that imapd takes");
  return options;
}

class ImapStack final : public AccessStack {
 public:
  ImapStack(const Transcript& transcript, const Pop3Site& site)
      : AccessStack(transcript, site, "imap-worker.sock"),
        options_(options_of(agent_flags(transcript))),
        worker_settings_(worker_settings(options_, service::Site::find(site.path("")))),
        accounts_(worker_settings_->host, log()),
        front_counters_(metrics(), "imapd"),
        worker_counters_(metrics()) {}

 private:
  static std::shared_ptr<const imapd::WorkerSettings> worker_settings(const imapd::Options& options,
                                                                      const service::Site& site) {
    return std::make_shared<imapd::WorkerSettings>(
        imapd::worker_settings(options, options.mail_places(site), site));
  }
  [[nodiscard]] imapd::FrontSettings front_settings() const {
    imapd::FrontSettings settings;
    settings.worker = worker();
    const std::string tls = transcript().value("tls");
    if (!tls.empty()) settings.tls = site().server_tls();
    settings.implicit_tls = tls == "implicit";
    settings.plaintext_in_clear = options_.plaintext_in_clear;
    settings.limits.logins = options_.max_logins;
    settings.login_time = options_.login_time;
    settings.idle_time = options_.idle_time;
    return settings;
  }

  Task<void> serve_front(std::unique_ptr<async::Stream> stream) override {
    const bool is_trusted = stream->peer().uid == ::getuid();
    imapd::Session session(std::move(stream), is_trusted, userdb(), accounts_, worker_settings_,
                           log(), worker_counters_);
    co_await session.serve();
  }
  Task<void> serve_client(std::unique_ptr<async::Stream> stream) override {
    imapd::FrontSession session(std::move(stream), auth().make_server(), front_settings(), log(),
                                front_counters_);
    co_await session.serve();
  }
  Task<void> end() override { return accounts_.end(); }

  imapd::Options options_;
  std::shared_ptr<const imapd::WorkerSettings> worker_settings_;
  imapd::Accounts accounts_;
  access::FrontCounters front_counters_;
  imapd::WorkerCounters worker_counters_;
};

}  // namespace

std::string play_imap_in_process(const Transcript& transcript, const Pop3Site& site,
                                 bool octet_by_octet) {
  site.renew();
  ImapStack stack(transcript, site);
  return async::run(stack.play(octet_by_octet));
}

}  // namespace posthorn::test
