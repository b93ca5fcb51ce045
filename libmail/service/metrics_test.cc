#include "libmail/service/metrics.h"

#include <catch2/catch.hpp>

namespace posthorn::service {
namespace {

TEST_CASE("Metrics print as Prometheus text, families by name") {
  Metrics metrics;
  metrics.counter("b_total", "bees", "kind=\"x\"").add(3);
  metrics.counter("b_total", "bees", "kind=\"y\"").add();
  metrics.gauge("a", "ays").set(-2);
  metrics.gauge("c", "sees", [] { return 1.5; });
  CHECK(
      metrics.text() ==
      "# HELP a ays\n# TYPE a gauge\na -2\n"
      "# HELP b_total bees\n# TYPE b_total counter\nb_total{kind=\"x\"} 3\nb_total{kind=\"y\"} 1\n"
      "# HELP c sees\n# TYPE c gauge\nc 1.5\n");
}

TEST_CASE("A histogram's buckets are cumulative, a value on a bound is below it") {
  Metrics metrics;
  Histogram& histogram = metrics.histogram("t", "times", {0.5, 1}, "x=\"y\"");
  for (const double value : {0.1, 0.5, 0.7, 9.0}) histogram.observe(value);
  CHECK(metrics.text() ==
        "# HELP t times\n# TYPE t histogram\n"
        "t_bucket{x=\"y\",le=\"0.5\"} 2\nt_bucket{x=\"y\",le=\"1\"} "
        "3\nt_bucket{x=\"y\",le=\"+Inf\"} 4\n"
        "t_sum{x=\"y\"} 10.3\nt_count{x=\"y\"} 4\n");
}

TEST_CASE("The same name and labels are the same counter") {
  Metrics metrics;
  Counter& one = metrics.counter("a_total", "a");
  for (int i = 0; i < 100; ++i) metrics.counter("a_total", "a", "n=\"" + std::to_string(i) + "\"");
  one.add();
  CHECK(metrics.counter("a_total", "a").value() == 1);
}

}  // namespace
}  // namespace posthorn::service
