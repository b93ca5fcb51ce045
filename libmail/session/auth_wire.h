// One kept connection to an auth server that speaks lines; auth_client.h and userdb_client.h are its
// users. Lines from many sessions go out together, in order; what comes back is handed to the owner line by
// line. It connects when somebody wants it and stays until the server goes.
#pragma once

#include <memory>
#include <string>

#include "libmail/async/endpoint.h"
#include "libmail/async/event.h"
#include "libmail/async/scope.h"
#include "libmail/async/stream.h"

namespace posthorn::session {

class LineConnection {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // A connection is there: what to say first. Nothing of the last one counts any more.
    virtual std::string on_open() = 0;
    // A line without its end. Calls ready() once the server has said all that comes first. A text that
    // comes back is what is wrong with the line; it ends the connection.
    virtual std::string on_line(const std::string& line) = 0;
    // The connection is gone: nobody will answer what was asked on it. May not call back into this class.
    virtual void on_lost(const std::string& why) = 0;
  };

  // `owner` outlives it.
  LineConnection(async::Endpoint server, Owner& owner);
  ~LineConnection();
  LineConnection(const LineConnection&) = delete;
  LineConnection& operator=(const LineConnection&) = delete;

  // Returns when the connection is ready; connects first if there is none. Many may wait at once. The
  // error is a text for the log. After a failure the next attempt is made `retry_after` later at the earliest;
  // until then everybody gets the same error at once.
  async::Task<Result<void, std::string>> open(async::Deadline deadline);
  // By the owner, in on_line.
  void ready();
  [[nodiscard]] bool is_ready() const;
  // Counts the connections: whoever asks notes it, to know whether an answer can still come.
  [[nodiscard]] std::uint64_t generation() const { return generation_; }

  // Appends whole lines to what is written next. Lost if there is no connection.
  void send(std::string_view lines);
  void close(const std::string& why);
  // Before the loop ends: closes and waits for the tasks of this connection.
  async::Task<void> stop();

  static constexpr Duration retry_after = std::chrono::milliseconds(200);
  static constexpr Duration write_time = std::chrono::seconds(30);

 private:
  struct Link;
  async::Task<void> connect(async::Deadline deadline);
  async::Task<void> read_lines(std::shared_ptr<Link> link);
  async::Task<void> write_lines(std::shared_ptr<Link> link);
  bool take_lines(const std::shared_ptr<Link>& link);
  void lose(const std::shared_ptr<Link>& link, const std::string& why);

  async::Endpoint server_;
  Owner& owner_;
  std::shared_ptr<Link> link_;
  std::uint64_t generation_ = 0;
  bool connecting_ = false;
  bool ready_ = false;
  bool stopped_ = false;
  async::Event changed_;  // set when an attempt has come to its end
  std::string problem_;   // of the last attempt
  MonoTime not_before_{};
  async::Scope scope_;
};

}  // namespace posthorn::session
