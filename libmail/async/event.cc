#include "libmail/async/event.h"

#include "libmail/async/loop.h"

namespace posthorn::async {
namespace detail {

void WaitList::push(Waiter& waiter) {
  waiter.previous = last;
  waiter.next = nullptr;
  (last != nullptr ? last->next : first) = &waiter;
  last = &waiter;
  waiter.queued = true;
}

void WaitList::remove(Waiter& waiter) {
  (waiter.previous != nullptr ? waiter.previous->next : first) = waiter.next;
  (waiter.next != nullptr ? waiter.next->previous : last) = waiter.previous;
  waiter.queued = false;
}

Waiter* WaitList::pop() {
  Waiter* oldest = first;
  if (oldest != nullptr) remove(*oldest);
  return oldest;
}

void Wait::await_suspend(std::coroutine_handle<> task) {
  waiter.task = task;
  list.push(waiter);
  if (deadline.is_never()) return;
  waiter.timer.set(deadline, [this] {
    list.remove(waiter);
    waiter.task.resume();
  });
}

bool wake_one(WaitList& list) {
  Waiter* waiter = list.pop();
  if (waiter == nullptr) return false;
  waiter->timer.clear();
  waiter->woken = true;
  Loop::current().post(waiter->task);
  return true;
}

}  // namespace detail

void Event::set() {
  set_ = true;
  while (detail::wake_one(waiting_)) {
  }
}

Task<bool> Semaphore::acquire(Deadline deadline) {
  if (free_ > 0) {
    --free_;
    co_return true;
  }
  // A woken waiter owns the place that release() did not give back to free_.
  const bool got = co_await detail::Wait(waiting_, deadline, false);
  co_return got;
}

void Semaphore::release() {
  if (!detail::wake_one(waiting_)) ++free_;
}

}  // namespace posthorn::async
