// A model as a screen. Pure.
#pragma once

#include "agents/mua/ui/cells.h"
#include "agents/mua/ui/model.h"

namespace posthorn::mua::ui {

// `width` and `height` are at least 1; below 40x10 the screen says that it is too small.
[[nodiscard]] Screen draw(const Model& model, int width, int height);

}  // namespace posthorn::mua::ui
