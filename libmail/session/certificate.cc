#include "libmail/session/certificate.h"

#include <utility>

namespace posthorn::session {

Result<std::shared_ptr<tls::ServerContext>, std::string> load_certificate(
    const service::TlsOptions& options, service::Log& log, std::vector<std::string> alpn) {
  if (!options.has_certificate()) {
    log.warning("-", "no-tls", {{"certificate", options.tls_cert}});
    return std::shared_ptr<tls::ServerContext>();
  }
  tls::ServerContext::Options files;
  files.certificate_file = options.tls_cert;
  files.key_file = options.tls_key;
  files.alpn = std::move(alpn);
  auto loaded = tls::ServerContext::load(files);
  if (!loaded) return fail(loaded.error().text);
  return std::shared_ptr<tls::ServerContext>(std::move(*loaded));
}

}  // namespace posthorn::session
