// TLS over any Stream: OpenSSL's memory BIOs, so the same class serves sockets, STARTTLS and tests.
// The only room that includes OpenSSL's SSL API.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libmail/async/stream.h"

namespace posthorn::tls {

// What went wrong, in words for a log line ("certificate has expired", "wrong version number",
// ...).
struct TlsError {
  std::string text;
  bool timed_out = false;
  TlsError() = default;
  explicit TlsError(std::string what) : text(std::move(what)) {}
};

// What a session settled on, for Received lines and logs.
struct Facts {
  std::string version;  // "TLSv1.3"
  std::string cipher;   // "TLS_AES_256_GCM_SHA384"
  int bits = 0;
  std::string alpn;            // "" if none
  std::string server_name;     // SNI the client sent
  bool peer_verified = false;  // the peer's certificate is good for the name we asked
  std::string peer_problem;    // why not, if it is not
  Facts() = default;
};

// A server's certificates and settings. Shared by sessions; a reload makes a new one and old
// sessions keep theirs.
class ServerContext {
 public:
  struct Options {
    std::string certificate_file;   // PEM chain
    std::string key_file;           // PEM, readable by this process at load time only
    std::vector<std::string> alpn;  // accepted protocols, "" list = ALPN is ignored
    Options() = default;
  };
  static Result<std::shared_ptr<ServerContext>, TlsError> load(const Options& options);
  virtual ~ServerContext() = default;
};

class ClientContext {
 public:
  enum class Verify {
    none,     // opportunistic: any certificate will do (RFC 7435); Facts still tell whether it was
              // good
    require,  // chain and name must be good, else the handshake fails
  };
  struct Options {
    Verify verify = Verify::none;
    std::string ca_file;  // PEM; "" = the system's
    Options() = default;
  };
  static Result<std::shared_ptr<ClientContext>, TlsError> load(const Options& options);
  // The same authorities, of which there is one copy in memory, under another rule.
  [[nodiscard]] virtual std::shared_ptr<ClientContext> with(Verify verify) const = 0;
  virtual ~ClientContext() = default;
};

class TlsStream : public async::Stream {
 public:
  [[nodiscard]] virtual const Facts& facts() const = 0;
  // RFC 9266 tls-exporter: 32 octets, only on TLS 1.3; nothing otherwise.
  [[nodiscard]] virtual std::optional<std::string> channel_binding() const = 0;
};

// Shakes hands on `under`, which it then owns. The caller has made sure that no plaintext is left
// in its own buffers: octets read before the handshake must be thrown away, never interpreted after
// it (CVE-2011-0411 and its kin).
async::Task<Result<std::unique_ptr<TlsStream>, TlsError>> accept(
    std::unique_ptr<async::Stream> under, std::shared_ptr<ServerContext> context,
    async::Deadline deadline);
// `server_name` is sent as SNI and checked against the certificate.
async::Task<Result<std::unique_ptr<TlsStream>, TlsError>> connect(
    std::unique_ptr<async::Stream> under, std::shared_ptr<ClientContext> context,
    std::string server_name, async::Deadline deadline);

}  // namespace posthorn::tls
