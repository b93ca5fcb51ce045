// An intake that messages reach only past the filters of their session. A message's envelope goes on at once, so that the
// way's own refusals come in time; its octets wait.
#pragma once

#include <memory>
#include <string>

#include "libmail/filter/filter_gate.h"
#include "libmail/session/intake.h"

namespace posthorn::reception {

class FilteredIntake final : public session::Intake {
 public:
  // Both outlive it, and it outlives its transactions.
  FilteredIntake(filter::FilterGate& gate, session::Intake& way) : gate_(gate), way_(way) {}
  std::string next_id() override { return way_.next_id(); }
  std::unique_ptr<session::IntakeTransaction> begin(const smtp::SessionInfo& session) override;
  [[nodiscard]] bool can_hold() const override { return way_.can_hold(); }
  async::Task<void> stop() override { co_return; }  // `way` is somebody else's

 private:
  filter::FilterGate& gate_;
  session::Intake& way_;
};

}  // namespace posthorn::reception
