// One connection of the worker: AUTH EXTERNAL, then a maildrop.
#pragma once

#include <memory>
#include <string>

#include "libmail/access/mail_place.h"
#include "libmail/async/stream.h"
#include "libmail/pop3/server.h"
#include "libmail/sasl/mechanism.h"
#include "libmail/service/log.h"
#include "libmail/service/metrics.h"
#include "libmail/store/maildrop.h"

namespace posthorn::pop3d {

struct WorkerSettings {
  access::MailPlaces places;
  bool delete_after_retr = false;
  bool mark_seen = true;
  bool refuse_utf8 = false;
  Duration lock_time{};
  Duration idle_time{};
  pop3::Limits limits;

  WorkerSettings() = default;
};

struct WorkerCounters {
  service::Counter& opened;
  service::Counter& busy;
  service::Counter& failed;
  service::Counter& retrieved;
  service::Counter& deleted;
  service::Gauge& sessions;
  explicit WorkerCounters(service::Metrics& metrics);
};

class WorkerSession {
 public:
  // May the peer open any mailbox? Decided by who connected (SO_PEERCRED). All references outlive it.
  WorkerSession(std::unique_ptr<async::Stream> stream, bool peer_is_trusted,
                session::UserdbClient& userdb, store::Files& files,
                std::shared_ptr<const WorkerSettings> settings, service::Log& log,
                WorkerCounters& counters);
  ~WorkerSession();
  WorkerSession(const WorkerSession&) = delete;
  WorkerSession& operator=(const WorkerSession&) = delete;

  async::Task<void> serve();
  // We are stopping: the client is told between two commands.
  void end();

 private:
  struct DropMessages;

  async::Task<bool> handle(pop3::Event event);
  async::Task<void> authenticate(std::string response);
  async::Task<void> open_drop(std::string user);
  void refuse_to_open(const store::StoreError& error);
  async::Task<bool> send_message(std::size_t index, bool whole);
  async::Task<bool> send_parts(store::MaildropMessage& message, bool whole);
  async::Task<void> commit();
  async::Task<bool> flush();

  std::unique_ptr<async::Stream> stream_;
  session::UserdbClient& userdb_;
  store::Files& files_;
  std::shared_ptr<const WorkerSettings> settings_;
  service::Log& log_;
  WorkerCounters& counters_;
  pop3::ServerCore core_;
  std::unique_ptr<sasl::ServerMechanism> external_;
  std::unique_ptr<store::Maildrop> drop_;
  std::unique_ptr<DropMessages> messages_;
  async::Buffer input_;
  std::string user_;
  std::size_t retrieved_ = 0;
  bool reading_ = false;
  bool stopping_ = false;
};

}  // namespace posthorn::pop3d
