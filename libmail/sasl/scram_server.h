// The server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS; made by make_server_mechanism().
#pragma once

#include "libmail/sasl/mechanism.h"

namespace posthorn::sasl {

enum class ScramVariant { plain, plus };

// `plus` needs options.channel_binding.
[[nodiscard]] std::unique_ptr<ServerMechanism> make_scram_server(ScramVariant variant,
                                                                 ServerOptions options);

}  // namespace posthorn::sasl
