// A damaged index ends the process that maps it: where its file was cut the kernel sends SIGBUS, and LMDB follows the
// pointers it finds (SIGSEGV) or sees that they can't be (SIGABRT). The process can't go on then, but it must not meet the
// same file again and again.
#pragma once

namespace posthorn::store {

// While it lives, whatever faults in this thread is laid to the index open as `descriptor`: the file is emptied before the
// process ends as it would have ended anyway, and whoever opens it next makes it anew from the mail. -1 guards nothing.
// May be nested. The first one sets the handlers of these signals, for the process.
class IndexGuard {
 public:
  explicit IndexGuard(int descriptor);
  ~IndexGuard();
  IndexGuard(const IndexGuard&) = delete;
  IndexGuard& operator=(const IndexGuard&) = delete;

 private:
  int before_;
};

}  // namespace posthorn::store
