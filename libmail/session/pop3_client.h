// A connection to a POP3 server: pop3::ClientCore on a Stream, with deadlines, TLS and log-in. One call at a time. Messages are
// numbered from 1. Nothing is deleted but by quit(): a connection that ends otherwise leaves the maildrop as it was.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libmail/async/endpoint.h"
#include "libmail/async/stream.h"
#include "libmail/pop3/client.h"
#include "libmail/session/mail_login.h"
#include "libmail/tls/tls.h"

namespace posthorn::session {

struct Pop3Error {
  enum class Kind : std::uint8_t {
    unreachable,
    tls,
    login,
    refused,  // -ERR to this command: `reply`
    timed_out,
    lost,
    cancelled,
  };
  Kind kind = Kind::lost;
  pop3::Reply reply;  // of login and refused
  std::string text;   // printable

  Pop3Error() = default;
  Pop3Error(Kind what, std::string words) : kind(what), text(std::move(words)) {}
};
template <class T>
using Pop3Result = Result<T, Pop3Error>;

struct Pop3ClientOptions {
  MailTls tls = MailTls::starttls;  // the same three: in clear, STLS needed, TLS first (port 995)
  std::shared_ptr<tls::ClientContext> tls_context;
  std::string tls_name;
  bool clear_password = false;  // always allowed on a Unix socket
  MailLogin login;
  pop3::ClientLimits limits;
  Duration connect = std::chrono::seconds(30);
  Duration silence = std::chrono::minutes(5);
  Duration block = std::chrono::minutes(3);

  Pop3ClientOptions() = default;
};

struct Pop3Listed {
  std::uint32_t number = 0;
  std::uint64_t size = 0;  // 0 if the server doesn't say
  std::string uidl;        // "" without UIDL
};

// A message's octets as they come, CRLF lines, dots taken off.
class Pop3Sink {
 public:
  virtual ~Pop3Sink() = default;
  virtual void octets(std::string_view piece) = 0;
  // Why no more is taken; "": it is. The connection ends then.
  [[nodiscard]] virtual std::string_view refuses() const { return {}; }
};

class Pop3Client {
 public:
  Pop3Client(async::Endpoint server, Pop3ClientOptions options);
  ~Pop3Client();
  Pop3Client(const Pop3Client&) = delete;
  Pop3Client& operator=(const Pop3Client&) = delete;

  // Connects, shakes hands, logs in.
  async::Task<Pop3Result<void>> open(async::Deadline deadline);
  async::Task<Pop3Result<void>> open_on(std::unique_ptr<async::Stream> stream,
                                        async::Deadline deadline);
  [[nodiscard]] bool connected() const;
  [[nodiscard]] const pop3::ServerCapabilities& capabilities() const {
    return core_->capabilities();
  }
  [[nodiscard]] const tls::Facts* tls_facts() const;

  // LIST and UIDL, joined by number, ascending.
  async::Task<Pop3Result<std::vector<Pop3Listed>>> list(async::Deadline deadline);
  async::Task<Pop3Result<void>> retr(std::uint32_t number, Pop3Sink& sink,
                                     async::Deadline deadline);
  // Several, one behind the other without waiting if the server pipelines; `sinks` has one for each. The first -ERR, once all
  // are answered.
  async::Task<Pop3Result<void>> retr_all(std::vector<std::uint32_t> numbers,
                                         std::vector<Pop3Sink*> sinks, async::Deadline deadline);
  async::Task<Pop3Result<void>> top(std::uint32_t number, std::uint64_t lines, Pop3Sink& sink,
                                    async::Deadline deadline);
  async::Task<Pop3Result<void>> dele(std::vector<std::uint32_t> numbers, async::Deadline deadline);
  async::Task<Pop3Result<void>> rset(async::Deadline deadline);
  async::Task<Pop3Result<void>> noop(async::Deadline deadline);
  // Success: what was marked is deleted. An error leaves that open.
  async::Task<Pop3Result<void>> quit(async::Deadline deadline);
  // Ends it now, deleting nothing.
  void close();

 private:
  async::Task<Pop3Result<void>> hello(async::Deadline deadline);
  async::Task<bool> shake_hands(async::Deadline deadline);
  async::Task<Pop3Result<void>> start_tls(async::Deadline deadline);
  async::Task<Pop3Result<void>> ask_capabilities(async::Deadline deadline);
  async::Task<Pop3Result<void>> log_in(async::Deadline deadline);
  async::Task<Pop3Result<void>> authenticate(std::string mechanism, async::Deadline deadline);
  async::Task<Pop3Result<void>> say(std::string line, async::Deadline deadline);
  async::Task<Pop3Result<void>> collect(std::string line, std::vector<std::string>& lines,
                                        async::Deadline deadline);
  async::Task<Pop3Result<void>> finish(std::vector<pop3::RequestId> open,
                                       std::vector<Pop3Sink*> sinks, async::Deadline deadline);
  async::Task<std::optional<pop3::ClientEvent>> next_event(async::Deadline deadline);
  [[nodiscard]] Pop3Error trouble() const;

  async::Endpoint server_;
  Pop3ClientOptions options_;
  std::unique_ptr<pop3::ClientCore> core_;
  std::unique_ptr<async::Stream> stream_;
  tls::TlsStream* tls_ = nullptr;
  async::Buffer input_;
  std::optional<Pop3Error> failure_;
  bool private_path_ = false;
};

}  // namespace posthorn::session
