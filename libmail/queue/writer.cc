#include "libmail/queue/writer.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "libmail/async/event.h"
#include "libmail/async/files.h"
#include "libmail/async/socket.h"
#include "libmail/base/crc32c.h"
#include "libmail/base/random.h"
#include "libmail/queue/segment.h"

namespace posthorn::queue {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto look_again = std::chrono::milliseconds(20);  // for a free segment
constexpr auto no_space_rest =
    std::chrono::seconds(1);  // refuse at once for so long after we found none

// One message that waits for the disk. Lives in the frame of append(), which waits for `done`.
struct Request {
  RecordHeader header;
  std::string envelope;
  std::vector<std::string> body;
  std::uint64_t above = 0;  // the segment's generation must be higher
  Place place;              // set when it is written
  async::Event done;
  std::optional<CommitError> error;
};

CommitError to_commit_error(const IoError& cause) {
  const bool full = cause.code == ENOSPC || cause.code == EDQUOT;
  return CommitError(full ? CommitError::Kind::no_space : CommitError::Kind::io, cause);
}

constexpr std::string_view zeros = std::string_view(
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    record_alignment);

// The segment that the thread appends to. Everything here runs on the thread.
class OpenSegment {
 public:
  // The oldest segment in free/ that nobody else takes. ENOSPC if there is none.
  static Result<std::unique_ptr<OpenSegment>, IoError> take(Files& files, const Layout& layout);

  [[nodiscard]] bool suits(const Request& request) const {
    return generation_ > request.above &&
           position_ + written_ + request.header.padded_size() <= size_;
  }
  // Makes `request` part of the next commit; its octets stay where they are.
  void add(Request& request);
  // Writes what was added, syncs, and stores the committed length. After an error the segment must
  // not be used again.
  Result<void, IoError> commit();
  // False if the committed length could not be stored: durable all the same, but nothing may
  // follow.
  [[nodiscard]] bool is_usable() const { return usable_; }

 private:
  OpenSegment(std::unique_ptr<File> file, std::uint64_t generation, std::uint64_t size)
      : file_(std::move(file)), generation_(generation), salt_(random_u64()), size_(size) {}
  Result<void, IoError> store_committed();

  std::unique_ptr<File> file_;
  std::uint64_t generation_;
  std::uint64_t salt_;
  std::uint64_t size_;
  std::uint64_t position_ = first_record;
  std::uint64_t written_ = 0;  // octets of this batch
  std::deque<std::string> headers_;
  std::vector<std::string_view> parts_;
  bool usable_ = true;
};

Result<std::unique_ptr<OpenSegment>, IoError> OpenSegment::take(Files& files,
                                                                const Layout& layout) {
  const Result<std::vector<std::string>, IoError> names = files.list(layout.free());
  if (!names) return fail(names.error());
  for (const std::string& name : *names) {
    const std::optional<std::uint64_t> generation = parse_generation_name(name);
    if (!generation) continue;
    const std::string path = layout.free_segment(*generation);
    Result<std::unique_ptr<File>, IoError> file = files.open(path, OpenFor::writing);
    if (!file) continue;  // somebody was quicker
    const Result<bool, IoError> locked = (*file)->try_lock();
    if (!locked || !*locked) continue;
    // Between open and lock it may have been taken and left again by another intake.
    const Result<FileStatus, IoError> mine = (*file)->status();
    const Result<std::optional<FileStatus>, IoError> there = files.status(path);
    if (!mine || !there || !*there || (*there)->inode != mine->inode || mine->links != 1) continue;
    if (mine->size <= first_record) continue;

    Result<void, IoError> done = files.rename(path, layout.segment(*generation));
    if (done) done = files.sync_directory(layout.segments());
    if (done) done = files.sync_directory(layout.free());
    if (!done) return fail(done.error());
    return std::unique_ptr<OpenSegment>(new OpenSegment(
        std::move(*file), *generation, std::min<std::uint64_t>(mine->size, segment_size)));
  }
  return fail(IoError(ENOSPC, "take a free segment", layout.free()));
}

void OpenSegment::add(Request& request) {
  RecordHeader& header = request.header;
  header.generation = generation_;
  header.salt = salt_;
  std::uint32_t crc = begin_crc(header, request.envelope);
  for (const std::string& chunk : request.body) crc = crc32c(crc, chunk);
  header.crc = crc;
  request.place.generation = generation_;
  request.place.offset = position_ + written_;
  request.place.size = header.size();
  headers_.push_back(encode_header(header));
  parts_.push_back(headers_.back());
  parts_.push_back(request.envelope);
  parts_.insert(parts_.end(), request.body.begin(), request.body.end());
  parts_.push_back(zeros.substr(0, header.padded_size() - header.size()));
  written_ += header.padded_size();
}

Result<void, IoError> OpenSegment::commit() {
  Result<void, IoError> done = file_->pwritev(position_, parts_);
  if (done && position_ == first_record) {
    // The salt goes to the disk with the first records, so that no forged one can take their place.
    done = store_committed();
  }
  if (done) done = file_->sync_data();
  if (!done) {
    usable_ = false;
    return done;
  }
  position_ += written_;
  written_ = 0;
  headers_.clear();
  parts_.clear();
  usable_ = store_committed().has_value();
  return {};
}

Result<void, IoError> OpenSegment::store_committed() {
  CommitCell cell;
  cell.salt = salt_;
  cell.committed = position_;
  return file_->pwrite(commit_cell_offset, encode_commit_cell(cell, generation_));
}

}  // namespace

std::string CommitError::text() const {
  switch (kind) {
    case Kind::no_space:
      return "no space in the queue: " + cause.text();
    case Kind::io:
      return "queue: " + cause.text();
    case Kind::stopping:
      return "stopping";
    case Kind::too_large:
      return "the message does not fit into a queue segment";
  }
  return "?";
}

struct Writer::State {
  State(Files& on, Layout where, std::string nudge, Limits most)
      : files(on), layout(std::move(where)), nudge_path(std::move(nudge)), limits(most) {}

  // On the loop. `request` stays where it is until this returns.
  async::Task<Result<void, CommitError>> submit(Request& request);
  void start();
  // On the thread.
  void run();
  void serve(std::vector<Request*> batch);
  void commit(std::vector<Request*>& added);
  Result<void, CommitError> provide_segment();
  void answer(std::vector<Request*> requests, std::optional<CommitError> error,
              std::uint64_t sync_microseconds = 0);

  Files& files;
  Layout layout;
  std::string nudge_path;
  Limits limits;
  WriterStatistics statistics;            // the loop's
  std::optional<async::ThreadDoor> door;  // made with the thread, on the loop's
  async::Event ended;
  std::thread thread;
  bool stopped = false;

  std::mutex mutex;
  std::condition_variable work;
  std::vector<Request*> pending;  // under mutex
  bool stopping = false;          // under mutex

  std::unique_ptr<OpenSegment> segment;  // the thread's
  SteadyClock::time_point refuse_until{};
};

Writer::Writer(Files& files, Layout layout, std::string nudge_path, Limits limits)
    : state_(std::make_shared<State>(files, std::move(layout), std::move(nudge_path), limits)) {}

Writer::~Writer() {
  check(!state_->thread.joinable(), "Writer::stop() was not awaited");
}

const WriterStatistics& Writer::statistics() const {
  return state_->statistics;
}

void Writer::State::start() {
  if (thread.joinable()) return;
  door.emplace();
  // Signals belong to the loop's thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread = std::thread(&State::run, this);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Writer::State::run() {
  std::unique_lock hold(mutex);
  while (true) {
    work.wait(hold, [this] { return stopping || !pending.empty(); });
    if (pending.empty()) break;  // stopping, and nobody waits
    std::vector<Request*> batch = std::move(pending);
    pending.clear();
    hold.unlock();
    serve(std::move(batch));
    hold.lock();
  }
  hold.unlock();
  segment.reset();  // ends the lock: queued reads on to the last whole record
  if (!nudge_path.empty()) async::nudge(nudge_path);
  door->post([this] { ended.set(); });
}

void Writer::State::serve(std::vector<Request*> batch) {
  std::vector<Request*> added;
  std::uint64_t octets = 0;
  for (Request* request : batch) {
    const bool is_full = segment && !segment->suits(*request);
    if ((is_full || octets >= limits.batch_octets) && !added.empty()) {
      commit(added);
      octets = 0;
    }
    if (is_full) segment.reset();
    if (!segment) {
      const Result<void, CommitError> provided = provide_segment();
      if (!provided) {
        answer({request}, provided.error());
        continue;
      }
    }
    if (!segment->suits(*request)) {
      answer({request}, CommitError(CommitError::Kind::too_large));
      continue;
    }
    segment->add(*request);
    added.push_back(request);
    octets += request->header.padded_size();
  }
  if (!added.empty()) commit(added);
}

// Answers everything in `added` and empties it.
void Writer::State::commit(std::vector<Request*>& added) {
  const SteadyClock::time_point begin = SteadyClock::now();
  const Result<void, IoError> done = segment->commit();
  const auto took =
      std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - begin);
  if (!segment->is_usable()) segment.reset();
  std::optional<CommitError> error;
  if (!done) error = to_commit_error(done.error());
  answer(std::move(added), std::move(error), static_cast<std::uint64_t>(took.count()));
  added.clear();
  if (done && !nudge_path.empty()) async::nudge(nudge_path);
}

Result<void, CommitError> Writer::State::provide_segment() {
  const SteadyClock::time_point give_up = SteadyClock::now() + limits.wait_for_segment;
  while (true) {
    Result<std::unique_ptr<OpenSegment>, IoError> taken = OpenSegment::take(files, layout);
    if (taken) {
      segment = std::move(*taken);
      refuse_until = {};
      door->post([this] { ++statistics.segments_taken; });
      if (!nudge_path.empty()) async::nudge(nudge_path);  // there is one less in free/
      return {};
    }
    const CommitError error = to_commit_error(taken.error());
    const SteadyClock::time_point now = SteadyClock::now();
    if (error.kind != CommitError::Kind::no_space || now >= give_up || now < refuse_until) {
      if (now >= refuse_until) refuse_until = now + no_space_rest;
      return fail(error);
    }
    if (!nudge_path.empty()) async::nudge(nudge_path);
    std::unique_lock hold(mutex);
    if (work.wait_for(hold, look_again, [this] { return stopping; })) return fail(error);
  }
}

// The requests' frames wait for this; they run again on the loop.
void Writer::State::answer(std::vector<Request*> requests, std::optional<CommitError> error,
                           std::uint64_t sync_microseconds) {
  door->post([this, requests = std::move(requests), error = std::move(error), sync_microseconds] {
    if (sync_microseconds != 0) ++statistics.syncs;
    statistics.sync_microseconds += sync_microseconds;
    for (Request* request : requests) {
      request->error = error;
      request->done.set();
    }
  });
}

async::Task<Result<void, CommitError>> Writer::State::submit(Request& request) {
  if (stopped) co_return fail(CommitError(CommitError::Kind::stopping));
  // Nothing longer fits into any segment; the thread looks at the one it has.
  if (request.header.padded_size() > segment_size - first_record) {
    co_return fail(CommitError(CommitError::Kind::too_large));
  }
  const SteadyClock::time_point begin = SteadyClock::now();
  start();
  {
    const std::lock_guard hold(mutex);
    pending.push_back(&request);
    if (pending.size() == 1) work.notify_one();
  }
  co_await request.done.wait();
  if (request.error) {
    ++statistics.failures;
    co_return fail(*request.error);
  }
  const auto took =
      std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - begin);
  ++statistics.records;
  statistics.octets += request.header.padded_size();
  statistics.commit_microseconds += static_cast<std::uint64_t>(took.count());
  co_return Result<void, CommitError>();
}

namespace {

void fill(Request& request, const MessageId& id, const Entry& entry, std::vector<std::string> body,
          const std::optional<SpooledBody>& spooled) {
  request.header.id = id;
  request.envelope = encode_entry(entry);
  request.header.envelope_size = static_cast<std::uint32_t>(request.envelope.size());
  if (spooled) {
    request.header.place = BodyPlace::spooled;
    request.header.body_size = spooled->size;
    request.header.spooled_crc = spooled->crc;
    return;
  }
  request.body = std::move(body);
  for (const std::string& chunk : request.body) request.header.body_size += chunk.size();
}

}  // namespace

async::Task<Result<void, CommitError>> Writer::append(MessageId id, Entry entry,
                                                      std::vector<std::string> body) {
  Request request;
  fill(request, id, entry, std::move(body), std::nullopt);
  auto result = co_await state_->submit(request);
  co_return result;
}

async::Task<Result<void, CommitError>> Writer::append_spooled(MessageId id, Entry entry,
                                                              SpooledBody body) {
  Request request;
  fill(request, id, entry, {}, body);
  auto result = co_await state_->submit(request);
  co_return result;
}

async::Task<Result<Place, CommitError>> Writer::append_copy(MessageId id, Entry entry,
                                                            std::vector<std::string> body,
                                                            std::optional<SpooledBody> spooled,
                                                            std::uint64_t above) {
  Request request;
  fill(request, id, entry, std::move(body), spooled);
  request.above = above;
  auto result = co_await state_->submit(request);
  if (!result) co_return fail(result.error());
  co_return request.place;
}

async::Task<void> Writer::stop() {
  state_->stopped = true;
  if (!state_->thread.joinable()) co_return;
  {
    const std::lock_guard hold(state_->mutex);
    state_->stopping = true;
    state_->work.notify_one();
  }
  co_await state_->ended.wait();
  state_->thread.join();
  state_->door.reset();
}

}  // namespace posthorn::queue
