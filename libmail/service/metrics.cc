#include "libmail/service/metrics.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/result.h"

namespace posthorn::service {

namespace {

// A whole number without a point, else the shortest text that reads back.
std::string number(double value) {
  if (value == static_cast<double>(static_cast<std::int64_t>(value))) {
    return std::to_string(static_cast<std::int64_t>(value));
  }
  return fmt::format("{}", value);
}

std::string braces(std::string_view labels, std::string_view more = {}) {
  if (labels.empty() && more.empty()) return {};
  return fmt::format("{{{}{}{}}}", labels, labels.empty() || more.empty() ? "" : ",", more);
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

void Histogram::observe(double value) {
  const auto bucket = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
  ++counts_[static_cast<std::size_t>(bucket)];
  sum_ += value;
}

Metrics::Sample& Metrics::sample(std::string_view name, std::string_view help,
                                 std::string_view type, std::string_view labels) {
  auto place = families_.find(name);
  if (place == families_.end()) {
    place = families_.emplace(std::string(name), Family()).first;
    place->second.help = help;
    place->second.type = type;
  }
  Family& family = place->second;
  check(family.type == type, "one metric name has two types");
  for (Sample& known : family.samples) {
    if (known.labels == labels) return known;
  }
  Sample& fresh = family.samples.emplace_back();
  fresh.labels = labels;
  return fresh;
}

Counter& Metrics::counter(std::string_view name, std::string_view help, std::string_view labels) {
  return sample(name, help, "counter", labels).counter;
}

Gauge& Metrics::gauge(std::string_view name, std::string_view help, std::string_view labels) {
  return sample(name, help, "gauge", labels).gauge;
}

void Metrics::gauge(std::string_view name, std::string_view help, std::function<double()> value,
                    std::string_view labels) {
  sample(name, help, "gauge", labels).ask = std::move(value);
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help,
                              std::vector<double> bounds, std::string_view labels) {
  Sample& found = sample(name, help, "histogram", labels);
  if (found.histogram.empty()) found.histogram.emplace_back(std::move(bounds));
  return found.histogram.front();
}

std::string Metrics::text() const {
  std::string out;
  for (const auto& [name, family] : families_) {
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, family.help, name, family.type);
    for (const Sample& sample : family.samples) {
      if (!sample.histogram.empty()) {
        const Histogram& histogram = sample.histogram.front();
        std::uint64_t below = 0;
        for (std::size_t i = 0; i < histogram.counts_.size(); ++i) {
          below += histogram.counts_[i];
          const std::string bound =
              i < histogram.bounds_.size() ? number(histogram.bounds_[i]) : "+Inf";
          out += fmt::format("{}_bucket{} {}\n", name,
                             braces(sample.labels, "le=\"" + bound + "\""), below);
        }
        out += fmt::format("{}_sum{} {}\n", name, braces(sample.labels), number(histogram.sum_));
        out += fmt::format("{}_count{} {}\n", name, braces(sample.labels), below);
      } else if (sample.ask) {
        out += fmt::format("{}{} {}\n", name, braces(sample.labels), number(sample.ask()));
      } else if (family.type == "counter") {
        out += fmt::format("{}{} {}\n", name, braces(sample.labels), sample.counter.value());
      } else {
        out += fmt::format("{}{} {}\n", name, braces(sample.labels), sample.gauge.value());
      }
    }
  }
  return out;
}

std::vector<double> time_bounds() {
  return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
}

}  // namespace posthorn::service
