#include "libmail/sasl/client.h"

#include "libmail/base/base64.h"
#include "libmail/sasl/prep.h"
#include "libmail/sasl/scram.h"

namespace posthorn::sasl {

std::string plain_response(std::string_view user, std::string_view password,
                           std::string_view authorization) {
  std::string response(authorization);
  response.push_back('\0');
  response += user;
  response.push_back('\0');
  response += password;
  return response;
}

std::string oauthbearer_response(std::string_view user, std::string_view token,
                                 std::string_view host, std::uint16_t port) {
  std::string response = "n,a=" + encode_saslname(user) + ",\x01";
  if (!host.empty())
    response += "host=" + std::string(host) + "\x01port=" + std::to_string(port) + '\x01';
  return response + "auth=Bearer " + std::string(token) + "\x01\x01";
}

std::string xoauth2_response(std::string_view user, std::string_view token) {
  return "user=" + std::string(user) + "\x01" + "auth=Bearer " + std::string(token) + "\x01\x01";
}

std::string_view ScramClient::mechanism() const {
  const bool plus = options_.channel_binding && options_.server_offers_plus;
  return plus ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256";
}

std::string ScramClient::first() {
  if (!options_.channel_binding) {
    gs2_header_ = "n,,";
  } else if (options_.server_offers_plus) {
    gs2_header_ = "p=tls-exporter,,";
  } else {
    gs2_header_ = "y,,";
  }
  const std::string user = sasl_prep(options_.user).value_or(options_.user);
  bare_ = "n=" + encode_saslname(user) + ",r=" + options_.nonce;
  return gs2_header_ + bare_;
}

Result<std::string, std::string> ScramClient::final(std::string_view server_first) {
  const auto server = parse_server_first(server_first);
  if (!server) return fail("the server's first message: " + server.error());
  const bool extends = server->nonce.size() > options_.nonce.size() &&
                       server->nonce.compare(0, options_.nonce.size(), options_.nonce) == 0;
  if (!extends) return fail(std::string("the server did not extend our nonce"));
  if (server->iterations > options_.most_iterations)
    return fail("the server asks for " + std::to_string(server->iterations) + " iterations");
  std::string binding = gs2_header_;
  if (mechanism() == "SCRAM-SHA-256-PLUS") binding += *options_.channel_binding;
  const std::string without_proof = "c=" + encode_base64(binding) + ",r=" + server->nonce;
  const std::string auth_message = bare_ + "," + std::string(server_first) + "," + without_proof;
  const std::string password = sasl_prep(options_.password).value_or(options_.password);
  const std::string salted = salted_password(password, server->salt, server->iterations);
  std::string proof = hmac_sha256(salted, "Client Key");
  const std::string signature = hmac_sha256(sha256(proof), auth_message);
  for (std::size_t i = 0; i < proof.size(); ++i)
    proof[i] = static_cast<char>(proof[i] ^ signature[i]);
  server_signature_ = hmac_sha256(hmac_sha256(salted, "Server Key"), auth_message);
  return without_proof + ",p=" + encode_base64(proof);
}

Result<void, std::string> ScramClient::finish(std::string_view server_final) const {
  if (server_final.substr(0, 2) == "e=")
    return fail("the server says " + std::string(server_final.substr(2)));
  if (server_final.substr(0, 2) != "v=")
    return fail(std::string("the server's final message is none"));
  const std::string_view value = server_final.substr(2);
  const auto signature = decode_base64(value.substr(0, value.find(',')));
  if (!signature || server_signature_.empty() || !equal_secrets(*signature, server_signature_))
    return fail(std::string("the server does not know the password"));
  return {};
}

}  // namespace posthorn::sasl
