// The inside of draw.h.
#pragma once

#include "agents/mua/ui/cells.h"
#include "agents/mua/ui/model.h"

namespace posthorn::mua::ui {

// Prompt, chooser, question, help and review over what is drawn already. draw_dialogs.cc
void draw_dialogs(Screen& screen, const Model& model);

}  // namespace posthorn::mua::ui
