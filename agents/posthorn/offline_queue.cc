// The queue's files, under queued's lock.
#include <cerrno>

#include "agents/posthorn/queue_door.h"
#include "libmail/async/loop.h"

namespace posthorn::operate {

using service::ToolError;
namespace exit_code = service::exit_code;

namespace {

ToolError queue_error(const queue::CommandError& error) {
  if (error.code == "not-found") {
    return {exit_code::unknown_user, error.code, error.message,
            "posthorn queue list shows what there is"};
  }
  if (error.code == "busy") return {exit_code::try_again, error.code, error.message};
  if (error.code == "io") return {exit_code::unavailable, error.code, error.message};
  return {exit_code::data, error.code, error.message};
}

template <class T>
Result<void, ToolError> nothing(const Result<T, queue::CommandError>& done) {
  if (!done) return fail(queue_error(done.error()));
  return {};
}

// The store runs meanwhile, for it makes the segments that the messages go into.
async::Task<Result<std::vector<std::string>, ToolError>> import_all(
    queue::Store* store, const std::function<std::string()>* next) {
  async::Scope scope;
  scope.spawn(store->run());
  queue::Importer importer(store->intake(), "posthorn queue import");
  Result<void, queue::CommandError> done;
  for (std::string octets = (*next)(); !octets.empty() && done; octets = (*next)()) {
    done = co_await importer.feed(octets);
  }
  if (done) done = importer.finish();
  co_await store->stop();
  co_await scope.join();
  if (!done) co_return fail(queue_error(done.error()));
  co_return importer.ids();
}

class OfflineDoor final : public QueueDoor {
 public:
  explicit OfflineDoor(const std::string& directory) : layout_(directory) {}

  Result<void, IoError> open() {
    auto opened = queue::OfflineQueue::open(files_, layout_);
    if (!opened) return fail(std::move(opened.error()));
    queue_ = std::move(*opened);
    return {};
  }

  Result<std::string, ToolError> list(const queue::Filter& filter) override {
    bool more = false;
    const auto rows = queue_->list(filter, &more);
    if (!rows) return fail(queue_error(rows.error()));
    return queue::to_json(*rows, more);
  }
  Result<std::string, ToolError> show(const std::string& id) override {
    const auto row = queue_->show(id);
    if (!row) return fail(queue_error(row.error()));
    return queue::to_json(*row);
  }
  Result<void, ToolError> cat(const std::string& id, const OctetSink& sink) override {
    return nothing(queue_->cat(id, sink));
  }
  Result<void, ToolError> export_to(const std::string& id, const OctetSink& sink) override {
    return nothing(queue_->export_to(id, sink));
  }
  Result<void, ToolError> hold(const std::string& id, const std::string& reason) override {
    return nothing(queue_->hold(id, reason));
  }
  Result<std::size_t, ToolError> change(const std::string& verb, const std::string& id) override {
    if (verb == "flush") {
      const auto flushed = queue_->flush(id);
      if (!flushed) return fail(queue_error(flushed.error()));
      return *flushed;
    }
    check(verb == "release" || verb == "requeue" || verb == "delete", "a verb of posthorn queue");
    const auto done = verb == "release"   ? queue_->release(id)
                      : verb == "requeue" ? queue_->requeue(id)
                                          : queue_->remove(id);
    if (!done) return fail(queue_error(done.error()));
    return std::size_t{1};
  }
  Result<std::vector<std::string>, ToolError> import_from(
      const std::function<std::string()>& next) override {
    queue_.reset();  // it holds the lock, and makes no segments
    auto taken = import_into_store(next);
    if (auto again = open(); !again && taken) {
      return fail(ToolError(exit_code::unavailable, "io", again.error().text()));
    }
    return taken;
  }

 private:
  Result<std::vector<std::string>, ToolError> import_into_store(
      const std::function<std::string()>& next) {
    queue::StoreOptions options;
    options.keep_free = 1;
    const auto store = queue::Store::open(files_, layout_, options);
    if (!store) return fail(ToolError(exit_code::unavailable, "io", store.error().text()));
    return async::run(import_all(store->get(), &next));
  }

  queue::RealFiles files_;  // outlives the queue
  queue::Layout layout_;
  std::unique_ptr<queue::OfflineQueue> queue_;
};

}  // namespace

Result<std::unique_ptr<QueueDoor>, IoError> open_queue_files(const std::string& directory) {
  auto door = std::make_unique<OfflineDoor>(directory);
  if (auto opened = door->open(); !opened) return fail(std::move(opened.error()));
  return door;
}

}  // namespace posthorn::operate
