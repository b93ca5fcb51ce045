// The queue directory as queued sees it: all segments, all live messages, what became of them. It finds messages
// and remembers outcomes; when a message is tried, and how, is the scheduler's. One process at a time has it open
// (queue/lock), queued or an operator's tool. README.md has the states on disk.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "libmail/async/event.h"
#include "libmail/async/scope.h"
#include "libmail/queue/intake.h"
#include "libmail/queue/message.h"
#include "libmail/queue/outcome_file.h"
#include "libmail/queue/reader.h"
#include "libmail/queue/recycle.h"

namespace posthorn::queue {

struct StoreOptions {
  Limits limits;
  mode_t drop_mode = 0700;
  std::uint64_t segment_octets = segment_size;
  std::size_t keep_free = 3;        // segments made ahead of the intakes
  std::uint64_t reserve = 8 << 20;  // of the disk, left for outcomes and the spool
  std::chrono::milliseconds sync_interval{50};
  double mostly_dead = 0.25;  // below this share of live octets a segment is copied forward
  std::chrono::seconds copy_after{60};  // but not earlier than so long after its intake left it

  StoreOptions() = default;
};

// One segment in segments/.
struct Segment {
  Segment(Files& files, const Layout& layout, std::uint64_t number, std::uint64_t whole_outcomes)
      : generation(number), outcomes(files, layout, number, whole_outcomes) {}

  std::uint64_t generation;
  OutcomeFile outcomes;
  std::unique_ptr<SegmentReader> reader;  // none once its intake has left and all is read
  std::uint32_t live = 0;                 // messages
  std::uint64_t live_octets = 0;
  std::set<std::uint32_t> unmentioned;  // offsets of records that the .out file does not know yet
  std::uint64_t read_to = first_record;
  std::uint64_t scanned = 0;          // last `scanned` line
  std::vector<MessageId> spool_done;  // spool files to unlink once the outcome is synced
  MonoTime finished_at{};
  bool leaving = false;  // being recycled or copied forward
  bool flushing = false;
};

struct MessageHash {
  using is_transparent = void;
  std::size_t operator()(const MessageId& id) const { return MessageIdHash{}(id); }
  std::size_t operator()(const Message* message) const { return MessageIdHash{}(message->id); }
};
struct MessageEqual {
  using is_transparent = void;
  bool operator()(const Message* a, const Message* b) const { return a->id == b->id; }
  bool operator()(const MessageId& id, const Message* message) const { return id == message->id; }
  bool operator()(const Message* message, const MessageId& id) const { return id == message->id; }
};

// What the operator has to know; the owner of the store logs it.
struct Notice {
  enum class Kind {
    corruption,        // damage that may have been acknowledged mail
    damaged_outcomes,  // lines of a .out file: some messages may be delivered again
    lost_spool_file,   // a record whose body is not there
    outcome_failed,    // an outcome can't be written: no attempts until it can
    outcome_recovered,
    no_free_segment,  // the disk is full, or nearly: the intakes say 452
    free_segment_again,
    unknown_file,
    swept,  // a spool file left over from a crash
    recycled,
    copied_forward,
    trouble,  // anything else that failed and will be tried again
  };
  Kind kind = Kind::trouble;
  std::string what;
};
[[nodiscard]] std::string_view to_string(Notice::Kind kind);

class Store {
 public:
  // Makes the directories if need be, takes the lock, reads what is there. Blocking, minutes for a huge queue.
  // The error has code EBUSY if another process has it. `files` outlives the store.
  static Result<std::unique_ptr<Store>, IoError> open(Files& files, Layout layout,
                                                      StoreOptions options);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  [[nodiscard]] const Layout& layout() const { return layout_; }
  [[nodiscard]] Files& files() { return files_; }
  [[nodiscard]] std::size_t size() const { return messages_.size(); }
  [[nodiscard]] std::size_t held() const { return held_; }
  [[nodiscard]] Message* find(const MessageId& id) const;
  using MessageSet = std::unordered_set<Message*, MessageHash, MessageEqual>;
  [[nodiscard]] const MessageSet& messages() const { return messages_; }
  // What was noticed since the last call.
  [[nodiscard]] std::vector<Notice> take_notices();

  // A message that came in. `loaded` may be absent: load it when its turn comes.
  struct Found {
    Message* message = nullptr;
    std::shared_ptr<Loaded> loaded;
  };
  // Looks for new messages, until about `room` are found or `octets` are read. One call at a time.
  async::Task<std::vector<Found>> poll(std::size_t room, std::uint64_t octets = UINT64_MAX);
  // Committed, as far as is known, and not looked at.
  [[nodiscard]] std::uint64_t unread_octets() const;
  // Reads record and history. Nobody may forget the message meanwhile: it is busy.
  async::Task<Result<std::shared_ptr<Loaded>, IoError>> load(const Message& message);
  Result<std::shared_ptr<Loaded>, IoError> load_now(const Message& message);  // blocking
  // The same in two steps: what has to be known of the message now, and the blocking part, which
  // touches the files alone and may run in the pool.
  struct LoadPlan;
  [[nodiscard]] LoadPlan plan_load(const Message& message) const;
  [[nodiscard]] Result<std::shared_ptr<Loaded>, IoError> load_planned(const LoadPlan& plan) const;

  // Writes all of `state` down and takes over what the message keeps of it in memory.
  void save(Message& message, const MessageState& state);
  // One line for a message that has a block.
  void note(Message& message, const Outcome& outcome);
  // Until the next save() or start: the state of a message that can't be read can't be written either.
  void hold_in_memory(Message& message);
  // Nothing is left to do: the message is gone when this returns.
  void finish(Message& message);

  // False while an outcome can't be written: then no attempt may start.
  [[nodiscard]] bool healthy() const { return healthy_; }
  [[nodiscard]] async::Event& recovered() { return recovered_; }

  // For what queued itself brings in: reports, drop files, imports.
  [[nodiscard]] Intake& intake() { return intake_; }

  // Writes outcomes, recycles, makes free segments, copies forward, until stop(). Spawned once.
  async::Task<void> run();
  // Everything written is synced and run() has ended.
  async::Task<void> stop();
  // Writes and syncs all outcomes now, on this thread: for tools.
  Result<void, IoError> flush_now();

  [[nodiscard]] std::size_t segments() const { return segments_.size(); }
  [[nodiscard]] std::size_t free_segments() const { return free_; }

  // Removes spool files without record. Blocking part runs in the pool.
  async::Task<void> sweep();

 private:
  Store(Files& files, Layout layout, StoreOptions options);
  // recover.cc: at the start
  Result<void, IoError> recover();
  Result<void, IoError> recover_segment(std::uint64_t generation);
  void adopt_history(Segment& segment, const MessageId& id, MessageHistory& history);
  Result<void, IoError> scan(Segment& segment, const OutcomeFileContents& contents);
  // Of two copies of one id: true if the new one is to be ignored.
  bool is_superfluous(Segment& segment, const MessageId& id);

  Segment& add_segment(std::uint64_t generation, std::uint64_t whole_outcomes);
  Result<void, IoError> start_reading(Segment& segment, std::uint64_t from);
  Message& add_message(Segment& segment, const FoundRecord& record);
  void forget(Message& message);
  // Keeps in memory what must be there of `state`.
  void remember(Message& message, const MessageState& state);
  void mentioned(Message& message);
  void report(Notice::Kind kind, std::string what);
  void report_damage(const Segment& segment, const std::vector<Damage>& damages);
  void take_piece(Segment& segment, Piece piece, std::vector<Found>& found);
  void append(Segment& segment, const MessageId& id, const Outcome& outcome);
  void finished_reading(Segment& segment);

  // store.cc: reading
  async::Task<void> find_segments();
  // housekeeping.cc: in the background
  async::Task<void> keep_outcomes();
  async::Task<bool> flush_outcomes(Sync sync);
  async::Task<void> keep_house();
  async::Task<void> after_sync(Segment& segment, std::vector<MessageId> spool_done);
  async::Task<void> recycle(Segment& segment);
  async::Task<void> provide_free();
  async::Task<void> copy_forward(Segment& segment);
  async::Task<bool> copy_message(Segment& segment, Message& message);
  void drop_segment(std::uint64_t generation);
  [[nodiscard]] Segment* mostly_dead();

  Files& files_;
  Layout layout_;
  StoreOptions options_;
  std::unique_ptr<File> lock_;
  Intake intake_;
  Generations generations_;
  std::map<std::uint64_t, std::unique_ptr<Segment>> segments_;
  MessageSet messages_;
  std::size_t held_ = 0;
  std::vector<Notice> notices_;
  std::size_t free_ = 0;
  bool no_free_ = false;

  std::int64_t listed_version_ = -1;  // modification time of segments/ when it was last listed
  bool list_again_ = true;

  std::set<std::uint64_t> dirty_;  // generations whose .out has something to write or sync
  async::Event wake_outcomes_;
  async::Event wake_house_;
  async::Event recovered_;
  async::Event stopped_;
  async::Scope scope_;
  bool healthy_ = true;
  bool stopping_ = false;
};

struct Store::LoadPlan {
  MessageId id;
  std::uint64_t generation = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint64_t block_offset = 0;
  std::uint32_t block_size = 0;
  std::optional<std::string> block;  // if it is not yet in the file
  std::string phases;
  bool held = false;
  bool warned = false;
};

}  // namespace posthorn::queue
