// A connection to an IMAP server: imap::client::Core on a Stream, with deadlines, TLS, log-in and compression.
//
// One call at a time; idle() alone may be woken by another task. A deadline that passes in the middle of a command ends the
// connection: nobody knows then what the server has done. A command that is refused leaves it as it was.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/async/endpoint.h"
#include "libmail/async/scope.h"
#include "libmail/async/stream.h"
#include "libmail/imap/client/client.h"
#include "libmail/session/mail_login.h"
#include "libmail/tls/tls.h"

namespace posthorn::session {

using ImapLogin = MailLogin;
using ImapTls = MailTls;

struct ImapTimeouts {
  Duration connect = std::chrono::seconds(30);
  Duration greeting = std::chrono::minutes(2);
  Duration silence =
      std::chrono::minutes(5);  // the server may think so long before each piece of an answer
  Duration block = std::chrono::minutes(3);  // a write
  Duration idle = std::chrono::minutes(28);  // RFC 2177: IDLE is said anew before 29 minutes
  Duration poll = std::chrono::seconds(60);  // idle() at a server without IDLE: NOOP

  ImapTimeouts() = default;
};

struct ImapClientOptions {
  ImapTls tls = ImapTls::starttls;
  std::shared_ptr<tls::ClientContext> tls_context;
  std::string tls_name;  // SNI, and what the certificate must be good for
  // A password may go in clear, or to a server whose TLS isn't used. Always allowed on a Unix socket.
  bool clear_password = false;
  std::optional<ImapLogin> login;  // nothing: the caller does it, or a Unix socket is PREAUTH
  std::vector<std::string>
      enable;             // "QRESYNC", "UTF8=ACCEPT", "IMAP4rev2": as far as they are offered
  bool compress = false;  // if it is offered
  std::vector<std::pair<std::string, std::string>>
      id;  // said after log-in if ID is offered and it isn't empty
  imap::client::CoreOptions core;
  ImapTimeouts timeouts;

  ImapClientOptions() = default;
};

struct ImapError {
  enum class Kind : std::uint8_t {
    unreachable,  // no connection
    tls,
    login,      // refused credentials, or none that may be sent
    no,         // the server refused this command: `status`
    bad,        // it didn't understand it: `status`
    timed_out,  // the connection is closed
    lost,       // the connection ended, or the server talked nonsense
    cancelled,  // close() was called
    source,     // the octets to be appended can't be read; the connection is closed
  };
  Kind kind = Kind::lost;
  imap::StatusText status;  // of no, bad, login
  std::string text;         // printable; says what was done, and what happened

  ImapError() = default;
  ImapError(Kind what, std::string words) : kind(what), text(std::move(words)) {}
};
template <class T>
using ImapResult = Result<T, ImapError>;

// What comes during a command. All are called while the response is read: they must not call the client.
class ImapSink {
 public:
  virtual ~ImapSink() = default;
  // Untagged data, whether it was asked for or not. The view is up to date already.
  virtual void data(imap::client::Response&& response) { (void)response; }
  // Bodies that are streamed; the Fetched of the same message comes behind them, as data.
  virtual void body_begins(const imap::client::BodyBegins& body) { (void)body; }
  virtual void body(std::string_view octets) { (void)octets; }
  virtual void body_ends() {}
  // Why no more is taken of what the server says; "": it is. The connection ends then: nobody has to hold all that a
  // server likes to send.
  [[nodiscard]] virtual std::string_view refuses() const { return {}; }
};

// Octets of a message that is appended.
class ImapSource {
 public:
  virtual ~ImapSource() = default;
  // The next piece, never empty before the announced size is reached. The error is for people.
  virtual async::Task<Result<std::string, std::string>> next() = 0;
};

struct AppendResult {
  std::optional<imap::AppendUid> uid;  // UIDPLUS
};
struct CopyResult {
  std::optional<imap::CopyUid> uids;
};
enum class IdleEnd : std::uint8_t { changed, woken, deadline };

class ImapClient {
 public:
  ImapClient(async::Endpoint server, ImapClientOptions options);
  ~ImapClient();  // no call may be waiting
  ImapClient(const ImapClient&) = delete;
  ImapClient& operator=(const ImapClient&) = delete;

  // Connects, shakes hands, logs in, enables, compresses.
  async::Task<ImapResult<void>> open(async::Deadline deadline);
  async::Task<ImapResult<void>> open_on(std::unique_ptr<async::Stream> stream,
                                        async::Deadline deadline);
  [[nodiscard]] bool connected() const;

  [[nodiscard]] const imap::Capabilities& capabilities() const { return core_->capabilities(); }
  [[nodiscard]] bool offers(std::string_view capability) const {
    return capabilities().has(capability);
  }
  [[nodiscard]] bool is_enabled(std::string_view capability) const {
    return core_->is_enabled(capability);
  }
  // Of the selected mailbox, kept up to date by all that the server says.
  [[nodiscard]] const imap::client::Selected& mailbox() const { return core_->mailbox(); }
  [[nodiscard]] const imap::client::View& view() const { return core_->view(); }
  [[nodiscard]] const imap::client::Core& core() const { return *core_; }
  [[nodiscard]] const tls::Facts* tls_facts() const;
  // Gets all untagged data besides the sinks of single calls: changes that nobody asked for. Not owned; nullptr: none.
  void listen(ImapSink* listener) { listener_ = listener; }

  // Anything: the tagged answer's text. NO and BAD are errors.
  async::Task<ImapResult<imap::StatusText>> run(imap::client::Request request, ImapSink& sink,
                                                async::Deadline deadline);
  // Several that may be under way at once; the first refusal, once all are answered.
  async::Task<ImapResult<void>> run_all(std::vector<imap::client::Request> requests, ImapSink& sink,
                                        async::Deadline deadline);
  [[nodiscard]] imap::client::Manner manner() const { return core_->manner(); }

  // ---- mailboxes ----
  // With QRESYNC (if enabled) the sink gets VANISHED (EARLIER) and FETCH of what has changed.
  async::Task<ImapResult<imap::client::Selected>> select(imap::Select what, ImapSink& sink,
                                                         async::Deadline deadline);
  async::Task<ImapResult<imap::client::Selected>> select(std::string name,
                                                         async::Deadline deadline);
  async::Task<ImapResult<imap::client::Selected>> examine(std::string name,
                                                          async::Deadline deadline);
  // UNSELECT if it is offered; else EXAMINE of nothing, which leaves the mailbox without expunging.
  async::Task<ImapResult<void>> unselect(async::Deadline deadline);
  async::Task<ImapResult<std::vector<imap::ListEntry>>> list(imap::List what,
                                                             async::Deadline deadline);
  // The mailboxes and, from the same command if LIST-STATUS is offered, their figures.
  async::Task<ImapResult<imap::StatusData>> status(std::string name, imap::StatusItems items,
                                                   async::Deadline deadline);
  async::Task<ImapResult<void>> create(imap::Create what, async::Deadline deadline);
  async::Task<ImapResult<void>> remove(std::string name, async::Deadline deadline);
  async::Task<ImapResult<void>> rename(std::string from, std::string to, async::Deadline deadline);
  async::Task<ImapResult<void>> subscribe(std::string name, bool on, async::Deadline deadline);

  // ---- messages; sets are UIDs unless the command says otherwise ----
  async::Task<ImapResult<void>> fetch(imap::Fetch what, ImapSink& sink, async::Deadline deadline);
  async::Task<ImapResult<void>> uid_fetch(imap::SequenceSet uids,
                                          std::vector<imap::FetchItem> items, ImapSink& sink,
                                          async::Deadline deadline);
  // UIDs in ascending order. RETURN (ALL) if ESEARCH is offered: ranges in place of numbers.
  async::Task<ImapResult<imap::NumberSet>> uid_search(imap::SearchKey key,
                                                      async::Deadline deadline);
  // UIDs in the wanted order.
  async::Task<ImapResult<std::vector<std::uint32_t>>> uid_sort(std::vector<imap::SortCriterion> by,
                                                               imap::SearchKey key,
                                                               async::Deadline deadline);
  async::Task<ImapResult<std::vector<imap::ThreadEntry>>> uid_thread(imap::ThreadAlgorithm by,
                                                                     imap::SearchKey key,
                                                                     async::Deadline deadline);
  // The UIDs that were not changed because of UNCHANGEDSINCE (RFC 7162's MODIFIED).
  async::Task<ImapResult<imap::NumberSet>> store(imap::Store what, async::Deadline deadline);
  async::Task<ImapResult<CopyResult>> uid_copy(imap::SequenceSet uids, std::string to,
                                               async::Deadline deadline);
  // MOVE if it is offered; else COPY, \Deleted and UID EXPUNGE (without UIDPLUS the messages stay, marked \Deleted).
  async::Task<ImapResult<CopyResult>> uid_move(imap::SequenceSet uids, std::string to,
                                               async::Deadline deadline);
  // UID EXPUNGE; without UIDPLUS an error `no`: EXPUNGE would take others' messages, too.
  async::Task<ImapResult<void>> uid_expunge(imap::SequenceSet uids, async::Deadline deadline);
  async::Task<ImapResult<AppendResult>> append(std::string mailbox, imap::AppendMessage message,
                                               std::uint64_t size, ImapSource& source,
                                               async::Deadline deadline);
  async::Task<ImapResult<AppendResult>> append(std::string mailbox, imap::AppendMessage message,
                                               std::string octets, async::Deadline deadline);
  async::Task<ImapResult<void>> noop(async::Deadline deadline);

  // Waits for something new: returns when the server has told of a change (the view and the listener have it), when wake() was
  // called, or at the deadline, which is no error. NOOPs in place of IDLE where there is none.
  async::Task<ImapResult<IdleEnd>> idle(async::Deadline deadline);
  // From another task: ends idle() soon. Harmless otherwise.
  void wake();

  // LOGOUT, the goodbye, the end.
  async::Task<void> logout(async::Deadline deadline);
  // Ends it now: a call that waits returns `cancelled`.
  void close();

 private:
  // imap_client.cc: the connection
  async::Task<ImapResult<void>> hello(async::Deadline deadline);
  async::Task<bool> shake_hands(async::Deadline deadline);
  async::Task<ImapResult<void>> start_tls(async::Deadline deadline);
  async::Task<ImapResult<void>> after_login(async::Deadline deadline);
  async::Task<ImapResult<void>> ask_capabilities(async::Deadline deadline);
  async::Task<ImapResult<void>> start_compression(async::Deadline deadline);
  async::Task<void> flush(async::Deadline deadline);
  async::Task<void> wait_for_input(Duration silence, async::Deadline deadline);
  async::Task<std::optional<imap::client::Event>> next_event(Duration silence,
                                                             async::Deadline deadline);
  void give_up(std::string_view why);
  [[nodiscard]] bool hand_on(imap::client::Event& event, ImapSink& sink);
  [[nodiscard]] ImapError trouble() const;
  [[nodiscard]] static ImapError refusal(std::string_view name, const imap::StatusText& status);
  // imap_client_login.cc
  async::Task<ImapResult<void>> log_in(async::Deadline deadline);
  async::Task<ImapResult<void>> say_login(async::Deadline deadline);
  async::Task<ImapResult<void>> authenticate(std::string mechanism, async::Deadline deadline);
  // imap_client_commands.cc
  async::Task<ImapResult<imap::StatusText>> run_collected(imap::client::Request request,
                                                          ImapSink& sink, async::Deadline deadline);
  async::Task<ImapResult<void>> run_plain(imap::client::Request request, async::Deadline deadline);
  async::Task<ImapResult<void>> idle_once(async::Deadline until);
  async::Task<void> rest(async::Deadline until);
  async::Task<ImapResult<IdleEnd>> poll(async::Deadline deadline);
  async::Task<void> end_idling();

  async::Endpoint server_;
  ImapClientOptions options_;
  std::unique_ptr<imap::client::Core> core_;
  std::unique_ptr<async::Stream> stream_;
  tls::TlsStream* tls_ = nullptr;
  async::Buffer input_;
  ImapSink* listener_ = nullptr;
  std::optional<ImapError> failure_;          // why the connection ended, if it was us
  std::optional<std::uint64_t> answer_left_;  // octets that the answer under way may still have
  bool private_path_ = false;
  bool resting_ = false;  // idle() waits in a read
  bool woken_ = false;
  bool changed_ = false;  // since idle() began
  async::Event wake_;
  async::Scope scope_;  // the task that says DONE
};

}  // namespace posthorn::session
