#include "libmail/sasl/scram_server.h"

#include "libmail/base/base64.h"
#include "libmail/base/text.h"
#include "libmail/sasl/prep.h"
#include "libmail/sasl/scram.h"

namespace posthorn::sasl {
namespace {

constexpr std::string_view binding_type = "tls-exporter";  // RFC 9266

class ScramServer final : public ServerMechanism {
 public:
  ScramServer(ScramVariant variant, ServerOptions options)
      : variant_(variant), options_(std::move(options)) {}

  Step start(std::optional<std::string_view> initial) override {
    if (initial) return respond(*initial);
    Step step;  // the client speaks first (RFC 4422 section 3): an empty challenge asks it to
    step.kind = Step::Kind::challenge;
    return step;
  }

  Step respond(std::string_view response) override {
    if (response.size() > options_.limits.response)
      return refuse(Refusal::malformed, "the response is too long");
    return first_.nonce.empty() ? on_first(response) : on_final(response);
  }

  Step keys(const ScramKeys& keys, bool known) override {
    keys_ = keys;
    known_ = known;
    ServerFirst message;
    message.nonce = first_.nonce + options_.nonce;
    message.salt = keys_.salt;
    message.iterations = keys_.iterations;
    server_first_ = format_server_first(message);
    Step step;
    step.kind = Step::Kind::challenge;
    step.data = server_first_;
    return step;
  }

 private:
  Step refuse(Refusal why, std::string detail) {
    Step step;
    step.refusal = why;
    step.detail = std::move(detail);
    step.user = user_;
    return step;
  }

  Step on_first(std::string_view response) {
    auto first = parse_client_first(response);
    if (!first) return refuse(Refusal::malformed, "client-first-message: " + first.error());
    auto name = first->user.size() > options_.limits.user ? std::nullopt : sasl_prep(first->user);
    if (!name) return refuse(Refusal::malformed, "the user name is too long or no text");
    user_ = std::move(*name);
    if (auto problem = binding_problem(*first))
      return refuse(Refusal::bad_binding, std::move(*problem));
    first_ = std::move(*first);
    Step step;
    step.kind = Step::Kind::need_keys;
    step.user = user_;
    return step;
  }

  // RFC 5802 section 6: which flag goes with which mechanism.
  [[nodiscard]] std::optional<std::string> binding_problem(const ClientFirst& first) const {
    if (variant_ == ScramVariant::plus) {
      if (first.binding != 'p') return "-PLUS without a channel binding";
      if (first.binding_name != binding_type)
        return "unsupported-channel-binding-type " + printable(first.binding_name, 40);
      return std::nullopt;
    }
    if (first.binding == 'p') return "a channel binding without -PLUS";
    if (first.binding == 'y' && options_.channel_binding)
      return "server-does-support-channel-binding: somebody in between hid -PLUS";
    return std::nullopt;
  }

  Step on_final(std::string_view response) {
    const auto final = parse_client_final(response);
    if (!final) return refuse(Refusal::malformed, "client-final-message: " + final.error());
    if (final->nonce != first_.nonce + options_.nonce)
      return refuse(Refusal::malformed, "client-final-message: the nonce is another");
    std::string binding = first_.gs2_header;
    if (variant_ == ScramVariant::plus) binding += *options_.channel_binding;
    if (!equal_secrets(final->binding, binding))
      return refuse(Refusal::bad_binding, "channel-bindings-dont-match");
    const std::string auth_message = first_.bare + "," + server_first_ + "," + final->without_proof;
    // Computed for unknown users too, so that both take the same time.
    const bool good = proof_is_good(keys_, auth_message, final->proof);
    if (!good || !known_) return refuse(Refusal::bad_credentials, "wrong user or password");
    if (auto problem = authorization_problem())
      return refuse(Refusal::not_authorized, std::move(*problem));
    Step step;
    step.kind = Step::Kind::success;
    step.user = user_;
    step.data = "v=" + encode_base64(hmac_sha256(keys_.server_key, auth_message));
    return step;
  }

  [[nodiscard]] std::optional<std::string> authorization_problem() const {
    if (first_.authorization.empty()) return std::nullopt;
    const auto wanted = sasl_prep(first_.authorization);
    if (wanted && iequals(*wanted, user_)) return std::nullopt;
    return "asks to act as " + printable(first_.authorization);
  }

  ScramVariant variant_;
  ServerOptions options_;
  ClientFirst first_;  // its nonce is empty until the first message has come
  std::string user_;
  std::string server_first_;
  ScramKeys keys_;
  bool known_ = false;
};

}  // namespace

std::unique_ptr<ServerMechanism> make_scram_server(ScramVariant variant, ServerOptions options) {
  check(options.nonce.size() >= 18, "a server nonce has at least 18 octets");
  return std::make_unique<ScramServer>(variant, std::move(options));
}

}  // namespace posthorn::sasl
