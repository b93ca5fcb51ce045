// What operators ask of a queue: list, show, cat, hold, release, flush, delete, requeue, export, import. The values and
// their JSON are the same whether queued answers (agents/queued/ops.h) or, while it is stopped, a tool works on the
// files itself, under queued's lock (OfflineQueue).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/queue/batch.h"
#include "libmail/queue/store.h"

namespace posthorn::queue {

struct CommandError {
  std::string code;     // "not-found", "busy", "bad-request", "io"
  std::string message;  // one sentence

  CommandError(std::string word, std::string text)
      : code(std::move(word)), message(std::move(text)) {}
};

// One message as operators see it.
struct Row {
  struct To {
    std::string address;
    std::string status;  // "pending", "sent", "bounced", "replaced"
    std::string dsn;     // of the last attempt; "" before it
    std::string text;
    std::string relay;  // the remote host, if there was one
    WallTime when{};    // of the last attempt

    To() = default;
  };
  std::string id;
  std::string trace_id;
  std::string from;  // "" = the null path
  WallTime arrival{};
  std::uint64_t size = 0;  // of the message
  std::string state;       // "active", "ready", "deferred", "held"
  std::uint32_t attempts = 0;
  WallTime next{};  // of a deferred one
  std::string hold_reason;
  std::vector<To> recipients;

  Row() = default;
};
[[nodiscard]] std::string state_of(const Message& message, WallTime now);
[[nodiscard]] Row make_row(const Loaded& loaded, std::string state);
// {"id","trace_id","from","arrival","size","state","attempts","next","hold_reason","recipients":[
// {"to","status","dsn","text","relay","last_attempt"}]}; times as RFC 3339, null if there is none.
[[nodiscard]] std::string to_json(const Row& row);
// {"messages":[...],"more":BOOL}
[[nodiscard]] std::string to_json(const std::vector<Row>& rows, bool more);
// A JSON string with its quotes.
[[nodiscard]] std::string json_text(std::string_view text);

struct Filter {
  std::string state;  // "" = any
  std::string from;   // address, any case; "" = any; "<>" = the null path
  std::string to;     // address or "@domain"
  MessageId after;    // only later ids
  std::size_t limit = 1000;

  Filter() = default;
};
[[nodiscard]] bool matches(const Row& row, const Filter& filter);

// The next `count` ids behind `after`, in order.
[[nodiscard]] std::vector<MessageId> next_ids(const Store& store, const MessageId& after,
                                              std::size_t count);

// The octets of a message, piece by piece; the error is the sink's or of reading. Blocking.
using Sink = std::function<Result<void, IoError>(std::string_view)>;
Result<void, IoError> write_body(Files& files, const Layout& layout, const Loaded& loaded,
                                 const Sink& sink);
// One transaction of batch SMTP for the recipients that are still open; nothing if there are none.
// List members whose reports go elsewhere get a transaction of their own. Blocking.
Result<void, IoError> write_batch(Files& files, const Layout& layout, const Loaded& loaded,
                                  const Sink& sink);

// Takes messages in from a batch, in any cut.
class Importer {
 public:
  // `user`: who imports, for the record.
  Importer(Intake& intake, std::string user) : intake_(intake), user_(std::move(user)) {}
  // Each message is durable when its final dot has been fed. The octets are used before it returns.
  async::Task<Result<void, CommandError>> feed(std::string_view octets);
  Result<void, CommandError> finish();
  [[nodiscard]] const std::vector<std::string>& ids() const { return ids_; }

 private:
  async::Task<Result<void, CommandError>> end_message();

  Intake& intake_;
  std::string user_;
  BatchReader reader_;
  smtp::Envelope envelope_;
  std::unique_ptr<Incoming> incoming_;
  std::vector<std::string> ids_;
};

// The verbs on the files themselves. Every change is synced when a call returns.
class OfflineQueue {
 public:
  // EBUSY: queued is running, ask it. `files` outlives it. Changes nothing but what a start changes.
  static Result<std::unique_ptr<OfflineQueue>, IoError> open(Files& files, Layout layout);

  [[nodiscard]] Result<std::vector<Row>, CommandError> list(const Filter& filter,
                                                            bool* more = nullptr);
  [[nodiscard]] Result<Row, CommandError> show(std::string_view id);
  Result<void, CommandError> cat(std::string_view id, const Sink& sink);
  Result<void, CommandError> hold(std::string_view id, std::string reason);
  Result<void, CommandError> release(std::string_view id);
  // To be tried as soon as queued runs. "" = all that are deferred.
  Result<std::size_t, CommandError> flush(std::string_view id);
  Result<void, CommandError> remove(std::string_view id);
  Result<void, CommandError> requeue(std::string_view id);
  // "" = all.
  Result<void, CommandError> export_to(std::string_view id, const Sink& sink);
  [[nodiscard]] Store& store() { return *store_; }

 private:
  explicit OfflineQueue(std::unique_ptr<Store> store) : store_(std::move(store)) {}
  [[nodiscard]] Result<Message*, CommandError> find(std::string_view id);
  Result<void, CommandError> change(std::string_view id,
                                    const std::function<void(MessageState&)>& how);
  Result<void, CommandError> write_down();

  std::unique_ptr<Store> store_;
};

// What the verbs do to a message's state, here and in queued.
void set_held(MessageState& state, std::string reason);
void set_released(MessageState& state);
void set_requeued(MessageState& state);

}  // namespace posthorn::queue
