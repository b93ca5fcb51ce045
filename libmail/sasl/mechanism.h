// The server's side of a SASL exchange as a state machine: octets in, a Step out that says what to
// do next. See README.md.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/sasl/password.h"

namespace posthorn::sasl {

struct Limits {
  std::size_t response = 12288;  // octets of one client message (RFC 4954 allows 12288 of base64)
  std::size_t user = 320;
};

// Why an exchange failed. The client hears the difference between `malformed` and the rest at most.
enum class Refusal {
  malformed,        // not what the mechanism's grammar allows
  bad_credentials,  // no such user or wrong password: nobody is told which
  bad_binding,      // channel binding missing, wrong, or downgraded on the way
  not_authorized,   // good credentials, but for somebody else
};
[[nodiscard]] std::string_view to_string(Refusal why);

struct Step {
  enum class Kind { challenge, need_keys, check_password, success, failure };
  Kind kind = Kind::failure;
  std::string data;  // challenge: what to send. success: additional data for the client, "" if none
  std::string user;  // need_keys, check_password, success; failure if it is known. Prepared
  std::string password;                  // check_password, as the client sent it
  Refusal refusal = Refusal::malformed;  // failure
  std::string detail;                    // failure: for the log, no secrets

  Step() = default;
};

class ServerMechanism {
 public:
  virtual ~ServerMechanism() = default;
  ServerMechanism() = default;
  ServerMechanism(const ServerMechanism&) = delete;
  ServerMechanism& operator=(const ServerMechanism&) = delete;

  // The beginning; `initial` is nothing if the client sent no initial response, "" if it sent an
  // empty one.
  virtual Step start(std::optional<std::string_view> initial) = 0;
  // The client's answer to a challenge.
  virtual Step respond(std::string_view response) = 0;
  // The answer to need_keys: what is stored for the user, or a decoy (decoy_keys) for an unknown
  // one with `known` false.
  virtual Step keys(const ScramKeys& keys, bool known);
  // The answer to check_password.
  virtual Step checked(bool good);
};

// What the protocol around it knows of the connection.
struct ServerOptions {
  // tls-exporter octets of this connection (RFC 9266). Set also for plain SCRAM-SHA-256 if -PLUS
  // was offered to the client, so that a downgrade is seen.
  std::optional<std::string> channel_binding;
  // EXTERNAL: who the layer below says it is; nothing: EXTERNAL is not offered.
  std::optional<std::string> external_identity;
  // EXTERNAL: the identity may act as anybody (the front towards its worker).
  bool external_as_anybody = false;
  std::string nonce;  // SCRAM: at least 18 unpredictable printable octets without ","; base64 of
                      // random ones
  Limits limits;

  ServerOptions() = default;
};

// Null if there is no such mechanism, or the options lack what it needs. `name` in any case.
[[nodiscard]] std::unique_ptr<ServerMechanism> make_server_mechanism(std::string_view name,
                                                                     ServerOptions options);

// SCRAM keys for a name that does not exist, the same at each try as long as `secret` is; nobody's
// password fits.
[[nodiscard]] ScramKeys decoy_keys(std::string_view secret, std::string_view user,
                                   std::uint32_t iterations = default_iterations);

}  // namespace posthorn::sasl
