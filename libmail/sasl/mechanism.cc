#include "libmail/sasl/mechanism.h"

#include "libmail/base/text.h"
#include "libmail/sasl/prep.h"
#include "libmail/sasl/scram.h"
#include "libmail/sasl/scram_server.h"

namespace posthorn::sasl {
namespace {

Step challenge(std::string data) {
  Step step;
  step.kind = Step::Kind::challenge;
  step.data = std::move(data);
  return step;
}

Step failure(Refusal why, std::string detail, std::string user = {}) {
  Step step;
  step.kind = Step::Kind::failure;
  step.refusal = why;
  step.detail = std::move(detail);
  step.user = std::move(user);
  return step;
}

Step success(std::string user) {
  Step step;
  step.kind = Step::Kind::success;
  step.user = std::move(user);
  return step;
}

// What PLAIN and LOGIN share: a name and a password are there, the caller verifies.
class PasswordMechanism : public ServerMechanism {
 public:
  explicit PasswordMechanism(const Limits& limits) : limits_(limits) {}

  Step checked(bool good) override {
    if (!good) return failure(Refusal::bad_credentials, "wrong user or password", user_);
    if (!authorization_.empty() && !iequals(authorization_, user_))
      return failure(Refusal::not_authorized, "asks to act as " + printable(authorization_), user_);
    return success(user_);
  }

 protected:
  Step check_password(std::string_view user, std::string_view password,
                      std::string_view authorization) {
    auto name = user.size() > limits_.user ? std::nullopt : sasl_prep(user);
    if (!name) return failure(Refusal::malformed, "the user name is empty, too long or no text");
    if (password.empty()) return failure(Refusal::malformed, "the password is empty", *name);
    if (!authorization.empty()) {
      auto other = sasl_prep(authorization);
      if (!other)
        return failure(Refusal::malformed, "the authorization identity is no text", *name);
      authorization_ = std::move(*other);
    }
    user_ = std::move(*name);
    Step step;
    step.kind = Step::Kind::check_password;
    step.user = user_;
    step.password = std::string(password);
    return step;
  }
  [[nodiscard]] bool too_long(std::string_view response) const {
    return response.size() > limits_.response;
  }

 private:
  Limits limits_;
  std::string user_;
  std::string authorization_;
};

// RFC 4616: [authzid] NUL authcid NUL passwd.
class Plain final : public PasswordMechanism {
 public:
  using PasswordMechanism::PasswordMechanism;

  Step start(std::optional<std::string_view> initial) override {
    return initial ? respond(*initial) : challenge("");
  }
  Step respond(std::string_view response) override {
    if (too_long(response)) return failure(Refusal::malformed, "the response is too long");
    const auto parts = split(response, '\0');
    if (parts.size() != 3) return failure(Refusal::malformed, "PLAIN needs two NULs");
    return check_password(parts[1], parts[2], parts[0]);
  }
};

// draft-murchison-sasl-login: two questions whose texts every client ignores.
class Login final : public PasswordMechanism {
 public:
  using PasswordMechanism::PasswordMechanism;

  Step start(std::optional<std::string_view> initial) override {
    // An initial response is the name (Outlook, msmtp); an empty one is none.
    return initial && !initial->empty() ? respond(*initial) : challenge("Username:");
  }
  Step respond(std::string_view response) override {
    if (too_long(response)) return failure(Refusal::malformed, "the response is too long");
    if (!user_) {
      user_ = std::string(response);
      return challenge("Password:");
    }
    if (response.find('\0') != std::string_view::npos)
      return failure(Refusal::malformed, "the password has a NUL");
    return check_password(*user_, response, {});
  }

 private:
  std::optional<std::string> user_;
};

// RFC 4422 appendix A: the layer below has said who it is; the response is whom it wants to act as.
class External final : public ServerMechanism {
 public:
  explicit External(ServerOptions options) : options_(std::move(options)) {}

  Step start(std::optional<std::string_view> initial) override {
    return initial ? respond(*initial) : challenge("");
  }
  Step respond(std::string_view response) override {
    const std::string& identity = *options_.external_identity;
    if (response.empty()) {
      if (identity.empty()) return failure(Refusal::malformed, "EXTERNAL needs a name here");
      return success(identity);
    }
    auto wanted = response.size() > options_.limits.user ? std::nullopt : sasl_prep(response);
    if (!wanted)
      return failure(Refusal::malformed, "the authorization identity is too long or no text");
    if (!options_.external_as_anybody && !iequals(*wanted, identity))
      return failure(Refusal::not_authorized, "asks to act as " + printable(*wanted), identity);
    return success(std::move(*wanted));
  }

 private:
  ServerOptions options_;
};

}  // namespace

std::string_view to_string(Refusal why) {
  switch (why) {
    case Refusal::malformed:
      return "malformed";
    case Refusal::bad_credentials:
      return "bad credentials";
    case Refusal::bad_binding:
      return "bad channel binding";
    case Refusal::not_authorized:
      return "not authorized";
  }
  return "unknown";
}

Step ServerMechanism::keys(const ScramKeys&, bool) {
  check(false, "this mechanism did not ask for keys");
  return {};
}

Step ServerMechanism::checked(bool) {
  check(false, "this mechanism did not ask for a password check");
  return {};
}

std::unique_ptr<ServerMechanism> make_server_mechanism(std::string_view name,
                                                       ServerOptions options) {
  if (iequals(name, "PLAIN")) return std::make_unique<Plain>(options.limits);
  if (iequals(name, "LOGIN")) return std::make_unique<Login>(options.limits);
  if (iequals(name, "SCRAM-SHA-256"))
    return make_scram_server(ScramVariant::plain, std::move(options));
  if (iequals(name, "SCRAM-SHA-256-PLUS")) {
    if (!options.channel_binding) return nullptr;
    return make_scram_server(ScramVariant::plus, std::move(options));
  }
  if (iequals(name, "EXTERNAL") && options.external_identity)
    return std::make_unique<External>(std::move(options));
  return nullptr;
}

ScramKeys decoy_keys(std::string_view secret, std::string_view user, std::uint32_t iterations) {
  ScramKeys keys;
  keys.iterations = iterations;
  const std::string name = lower(user);
  keys.salt = hmac_sha256(secret, "salt " + name).substr(0, 16);
  keys.stored_key = hmac_sha256(secret, "stored " + name);
  keys.server_key = hmac_sha256(secret, "server " + name);
  return keys;
}

}  // namespace posthorn::sasl
