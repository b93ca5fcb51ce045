#include "agents/queued/health.h"

#include <algorithm>

#include "agents/queued/schedule.h"
#include "libmail/base/random.h"

namespace posthorn::queued {

namespace {

constexpr auto longest_rest = std::chrono::minutes(30);

}  // namespace

void Health::succeeded() {
  if (failures_ >= dead_after) rest_until_ = MonoTime();
  failures_ = 0;
}

bool Health::failed(std::uint64_t number, const smtp::Status& why, MonoTime now, Duration first) {
  trouble_ = why;
  if (number < failed_at_) return false;
  failed_at_ = begun_;
  if (++failures_ < dead_after) return false;
  rest_until_ =
      now + retry_delay(RetryRule(first, longest_rest), failures_ - dead_after + 1, random_u64());
  return true;
}

void Health::put_off(MonoTime until) {
  rest_until_ = std::max(rest_until_, until);
}

void Health::forget() {
  failures_ = 0;
  rest_until_ = MonoTime();
}

}  // namespace posthorn::queued
