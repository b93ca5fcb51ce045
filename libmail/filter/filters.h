// Who looks at every message before it is taken: filters that speak the milter protocol (libmail/milter), in their order.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "libmail/async/endpoint.h"
#include "libmail/async/scope.h"
#include "libmail/milter/mail_macros.h"
#include "libmail/service/agent.h"
#include "libmail/session/milter_client.h"

namespace posthorn::filter {

// What becomes of a message whose filter is down, silent, or talks nonsense.
enum class WithoutFilter : std::uint8_t {
  tempfail,    // 451 4.7.1
  reject,      // 550 5.7.1
  accept,      // it goes its way, unseen by that filter
  quarantine,  // the same, and the queue keeps it until somebody releases it
};

struct FilterName {
  async::Endpoint endpoint;
  std::optional<WithoutFilter> without;  // nothing: what is configured for all

  FilterName() = default;
};
// "inet:127.0.0.1:8891", "accept=unix:run/clamav.sock".
[[nodiscard]] Result<FilterName, std::string> parse_filter(std::string_view text);

struct FilterOptions {
  std::vector<std::string> milters;
  std::string when_unavailable = "tempfail";
  std::string daemon_name;  // the macro {daemon_name}
  std::uint32_t protocol = milter::newest_version;
  session::MilterTimes times;

  explicit FilterOptions(std::string daemon) : daemon_name(std::move(daemon)) {}
  void describe(service::OptionTable& table);
  [[nodiscard]] bool ask_by_inet() const;
};

// Large messages wait in `directory` for the filters' word, small ones in memory.
struct HoldingPlace {
  std::string directory;
  std::uint64_t in_memory = 0;

  HoldingPlace() = default;
  HoldingPlace(std::string where, std::uint64_t octets)
      : directory(std::move(where)), in_memory(octets) {}
};

// The filters of an agent as they are now. A session keeps the one that it began with.
struct FilterSet {
  struct Filter {
    async::Endpoint endpoint;
    WithoutFilter without = WithoutFilter::tempfail;
  };
  std::vector<Filter> filters;
  std::uint32_t protocol = milter::newest_version;
  session::MilterTimes times;
  milter::Identity identity;
  HoldingPlace place;

  FilterSet() = default;
};

// Outlives the gates of all sessions.
class Filters {
 public:
  // `log` and `metrics` outlive it. There are no filters before load().
  Filters(service::Site site, service::Log& log, service::Metrics& metrics, HoldingPlace place);

  // From the options as they are now; sessions that run don't notice.
  void load(const FilterOptions& options, const std::string& hostname);
  [[nodiscard]] std::shared_ptr<const FilterSet> now() const { return now_; }
  [[nodiscard]] service::Log& log() { return log_; }
  void count_failure() { failures_.add(); }
  // A connection for a session. It comes back by see_off(), which says goodbye to the filter.
  [[nodiscard]] std::unique_ptr<session::MilterClient> make_client(const FilterSet& set,
                                                                   const FilterSet::Filter& filter);
  void see_off(std::unique_ptr<session::MilterClient> client);
  // Cuts what is still asked, and waits for the goodbyes.
  async::Task<void> stop();

 private:
  async::Task<void> say_goodbye(std::unique_ptr<session::MilterClient> client);

  service::Site site_;
  service::Log& log_;
  service::Counter& failures_;
  HoldingPlace place_;
  std::shared_ptr<const FilterSet> now_;
  std::unordered_set<session::MilterClient*> clients_;
  async::Scope goodbyes_;
  bool stopping_ = false;
};

}  // namespace posthorn::filter
