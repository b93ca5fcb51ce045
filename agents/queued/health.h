// What its failures have taught about a destination. A value: the caller brings the time.
#pragma once

#include <cstdint>

#include "libmail/base/clock.h"
#include "libmail/smtp/status.h"

namespace posthorn::queued {

class Health {
 public:
  static constexpr unsigned dead_after = 3;  // failures in a row

  // A transaction begins; failed() wants its number. Those under way in one moment fail once, and behind a success
  // they say nothing new. Not by the clock: on a busy machine much happens between two of its ticks.
  std::uint64_t begin() { return begun_++; }
  void succeeded();
  // It could not be reached. True: it is dead, and rests before anybody tries again; the first rest takes `first`.
  bool failed(std::uint64_t number, const smtp::Status& why, MonoTime now, Duration first);
  // Nothing is wrong, but it is to be left alone until then.
  void put_off(MonoTime until);
  void forget();

  [[nodiscard]] bool rests(MonoTime now) const { return rest_until_ > now; }
  [[nodiscard]] bool is_dead(MonoTime now) const { return failures_ >= dead_after && rests(now); }
  [[nodiscard]] unsigned failures() const { return failures_; }
  [[nodiscard]] MonoTime rest_until() const { return rest_until_; }
  [[nodiscard]] const smtp::Status& trouble() const { return trouble_; }  // the last

 private:
  unsigned failures_ = 0;
  std::uint64_t begun_ = 0;
  std::uint64_t failed_at_ = 0;  // how many had begun when it failed last
  MonoTime rest_until_{};
  smtp::Status trouble_;
};

}  // namespace posthorn::queued
