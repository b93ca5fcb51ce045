#include "libmail/async/files.h"

#include <uv.h>

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>
#include <vector>

#include "libmail/async/loop.h"

namespace posthorn::async {

struct ThreadDoor::State {
  uv_async_t async{};
  std::mutex mutex;
  std::vector<Function<void()>> arrived;
  bool closed = false;
};

ThreadDoor::ThreadDoor() : state_(new State) {
  check(uv_async_init(Loop::current().uv(), &state_->async,
                      [](uv_async_t* async) {
                        auto* state = static_cast<State*>(async->data);
                        std::vector<Function<void()>> callbacks;
                        {
                          const std::lock_guard lock(state->mutex);
                          callbacks.swap(state->arrived);
                        }
                        for (auto& callback : callbacks) {
                          if (!state->closed) callback();
                        }
                      }) == 0,
        "uv_async_init");
  state_->async.data = state_;
  uv_unref(reinterpret_cast<uv_handle_t*>(&state_->async));
}

ThreadDoor::~ThreadDoor() {
  state_->closed = true;
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->async),
           [](uv_handle_t* handle) { delete static_cast<State*>(handle->data); });
}

void ThreadDoor::post(Function<void()> callback) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->arrived.push_back(std::move(callback));
    if (state_->arrived.size() > 1) return;  // the loop has been woken for the one before
  }
  uv_async_send(&state_->async);
}

namespace detail {
namespace {

// Threads start as work comes, up to pool_threads, and end with the process.
class Pool {
 public:
  void run(Function<void()> work) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(work));
    if (idle_ >= waiting_.size()) {
      wake_.notify_one();
    } else if (threads_.size() < pool_threads) {
      threads_.emplace_back([this] { serve(); });
    } else {
      wake_.notify_one();
    }
  }
  ~Pool() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

 private:
  void serve() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals belong to the loop's thread
    std::unique_lock lock(mutex_);
    for (;;) {
      ++idle_;
      wake_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
      --idle_;
      if (waiting_.empty()) return;
      Function<void()> work = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      work();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Function<void()>> waiting_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool ending_ = false;
};

}  // namespace

void run_in_pool(Function<void()> work, Function<void()> done) {
  // The door first: it must outlive the pool's threads at exit.
  thread_local ThreadDoor door;
  static Pool pool;
  struct Job {
    Function<void()> work;
    Function<void()> done;
    ThreadDoor* back;
  };
  auto job = std::make_unique<Job>();
  job->work = std::move(work);
  job->done = std::move(done);
  job->back = &door;
  pool.run([job = std::move(job)]() mutable {
    job->work();
    job->back->post(std::move(job->done));
  });
}

}  // namespace detail
}  // namespace posthorn::async
