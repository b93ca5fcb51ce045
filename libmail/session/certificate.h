// The certificate of a server, as its options name it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libmail/base/result.h"
#include "libmail/service/log.h"
#include "libmail/service/options.h"
#include "libmail/tls/tls.h"

namespace posthorn::session {

// Null, with a warning in the log, where there is no file: TLS is not offered then. The error names a file that can't
// be used. `alpn`: the protocols that the server speaks, by their registered names; none = any client is taken.
Result<std::shared_ptr<tls::ServerContext>, std::string> load_certificate(
    const service::TlsOptions& options, service::Log& log, std::vector<std::string> alpn = {});

}  // namespace posthorn::session
