#include "libmail/session/mail_login.h"

#include <algorithm>

#include "libmail/base/base64.h"
#include "libmail/base/random.h"
#include "libmail/base/text.h"
#include "libmail/sasl/scram.h"

namespace posthorn::session {

namespace {

bool has(const std::vector<std::string>& offered, std::string_view name) {
  return std::find(offered.begin(), offered.end(), name) != offered.end();
}

}  // namespace

std::string choose_mechanism(const MailLogin& login, const std::vector<std::string>& offered,
                             bool may_say_secret, bool has_binding) {
  if (!login.mechanism.empty()) return upper(login.mechanism);
  std::vector<std::string> wanted;
  if (!login.token.empty()) {
    if (may_say_secret) wanted = {"OAUTHBEARER", "XOAUTH2"};
  } else {
    if (has_binding) wanted.emplace_back("SCRAM-SHA-256-PLUS");
    wanted.emplace_back("SCRAM-SHA-256");
    if (may_say_secret) wanted.insert(wanted.end(), {"PLAIN", "LOGIN"});
  }
  for (const std::string& name : wanted)
    if (has(offered, name)) return name;
  return "";
}

SaslExchange::SaslExchange(std::string mechanism, const MailLogin& login,
                           const async::Endpoint& server, std::optional<std::string> binding,
                           const std::vector<std::string>& offered)
    : mechanism_(std::move(mechanism)), login_(login) {
  if (mechanism_ == "PLAIN") first_ = sasl::plain_response(login.user, login.password);
  if (mechanism_ == "XOAUTH2") first_ = sasl::xoauth2_response(login.user, login.token);
  if (mechanism_ == "OAUTHBEARER") {
    const bool has_host = server.kind == async::Endpoint::Kind::inet;
    first_ = sasl::oauthbearer_response(login.user, login.token, has_host ? server.host : "",
                                        server.port);
  }
  if (!istarts_with(mechanism_, "SCRAM-SHA-256")) return;
  sasl::ScramClient::Options options;
  options.user = login.user;
  options.password = login.password;
  options.nonce = encode_base64(random_octets(18));
  // Whoever asked for the mechanism without binding gets it: "y" would say that the server offers none.
  const bool offers_plus = has(offered, "SCRAM-SHA-256-PLUS");
  if (!offers_plus || mechanism_ == "SCRAM-SHA-256-PLUS")
    options.channel_binding = std::move(binding);
  options.server_offers_plus = offers_plus;
  scram_.emplace(std::move(options));
  first_ = scram_->first();
}

Result<std::string, std::string> SaslExchange::answer(const std::string& challenge) {
  ++step_;
  const std::optional<std::string> octets = decode_base64(trim(challenge));
  if (!octets) return fail(std::string("the server's challenge is no base64"));
  if (mechanism_ == "LOGIN" && step_ <= 2) return step_ == 1 ? login_.user : login_.password;
  // An error message in JSON; the refusal follows our answer.
  if (mechanism_ == "XOAUTH2" && step_ == 1) return std::string();
  if (mechanism_ == "OAUTHBEARER" && step_ == 1) return std::string("\x01");
  if (scram_ && step_ == 1) return scram_->final(*octets);
  if (!scram_ || step_ > 2)
    return fail(std::string("the server asks for more than the mechanism has"));
  const Result<void, std::string> finished = scram_->finish(*octets);
  if (!finished) return fail(finished.error());
  proved_ = true;
  return std::string();
}

}  // namespace posthorn::session
