// Counters, gauges and histograms of one process, and their Prometheus text form (version 0.0.4).
// One thread: the loop's.
//
//   service::Counter& accepted = metrics.counter("posthorn_smtpd_messages_total", "messages taken",
//   "result=\"ok\""); accepted.add();
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace posthorn::service {

class Counter {
 public:
  void add(std::uint64_t count = 1) { value_ += count; }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0;
};

class Gauge {
 public:
  void set(std::int64_t value) { value_ = value; }
  void add(std::int64_t difference) { value_ += difference; }
  [[nodiscard]] std::int64_t value() const { return value_; }

 private:
  std::int64_t value_ = 0;
};

// Cumulative buckets with fixed upper bounds; seconds for times, octets for sizes.
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds);
  void observe(double value);

 private:
  friend class Metrics;
  std::vector<double> bounds_;
  std::vector<std::uint64_t> counts_;  // one more than bounds: +Inf
  double sum_ = 0;
};

// The media type of Metrics::text().
inline constexpr std::string_view metrics_type = "text/plain; version=0.0.4; charset=utf-8";

class Metrics {
 public:
  Metrics() = default;
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The same name and labels give the same one again; a reference stays good as long as the
  // Metrics. `labels` is the text between the braces: `reason="rate",kind="a"`. Help and type of a
  // name are those of its first use.
  Counter& counter(std::string_view name, std::string_view help, std::string_view labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, std::string_view labels = {});
  // Asked when the text is made: for numbers that somebody keeps anyway (queue lengths).
  void gauge(std::string_view name, std::string_view help, std::function<double()> value,
             std::string_view labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, std::vector<double> bounds,
                       std::string_view labels = {});

  [[nodiscard]] std::string text() const;

 private:
  struct Family;
  struct Sample;
  Sample& sample(std::string_view name, std::string_view help, std::string_view type,
                 std::string_view labels);
  struct Sample {
    std::string labels;
    Counter counter;
    Gauge gauge;
    std::function<double()> ask;
    std::vector<Histogram> histogram;  // none or one
  };
  struct Family {
    std::string help;
    std::string type;
    std::deque<Sample> samples;
  };
  std::map<std::string, Family, std::less<>> families_;
};

// Bounds from 1 ms to 60 s, about three a decade.
[[nodiscard]] std::vector<double> time_bounds();

}  // namespace posthorn::service
