// What happens next. Pure: no clock, no terminal, no network.
#pragma once

#include <vector>

#include "agents/mua/ui/event.h"
#include "agents/mua/ui/model.h"

namespace posthorn::mua::ui {

struct Step {
  Model model;
  std::vector<Action> actions;  // in order
};

// The model to begin with: the account's INBOX is asked for.
[[nodiscard]] Step begin(Model model);
[[nodiscard]] Step update(Model model, const Event& event);

}  // namespace posthorn::mua::ui
