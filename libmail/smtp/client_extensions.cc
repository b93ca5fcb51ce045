#include "libmail/smtp/client_extensions.h"

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::smtp {

namespace {

bool contains(const std::vector<std::string>& words, std::string_view word) {
  return std::any_of(words.begin(), words.end(),
                     [word](const std::string& one) { return iequals(one, word); });
}

void take_limits(ServerExtensions& into, const std::vector<std::string_view>& parameters) {
  for (std::size_t i = 1; i < parameters.size(); ++i) {
    const std::size_t equals = parameters[i].find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = parameters[i].substr(0, equals);
    const auto value = parse_number<std::uint64_t>(parameters[i].substr(equals + 1));
    if (!value || *value == 0) continue;
    if (iequals(name, "RCPTMAX")) into.max_recipients = value;
    if (iequals(name, "MAILMAX")) into.max_transactions = value;
  }
}

void take_size(ServerExtensions& into, const std::vector<std::string_view>& parameters) {
  into.size_offered = true;
  if (parameters.size() < 2) return;
  into.size_limit = parse_number<std::uint64_t>(parameters[1]).value_or(0);
}

void take_names(std::vector<std::string>& into, const std::vector<std::string_view>& parameters) {
  for (std::size_t i = 1; i < parameters.size(); ++i)
    if (!contains(into, parameters[i])) into.push_back(upper(parameters[i]));
}

void take_keyword(ServerExtensions& into, const std::vector<std::string_view>& parameters) {
  const std::string_view keyword = parameters[0];
  if (iequals(keyword, "PIPELINING")) into.pipelining = true;
  if (iequals(keyword, "CHUNKING")) into.chunking = true;
  if (iequals(keyword, "8BITMIME")) into.eight_bit_mime = true;
  if (iequals(keyword, "SMTPUTF8")) into.smtputf8 = true;
  if (iequals(keyword, "DSN")) into.dsn = true;
  if (iequals(keyword, "STARTTLS")) into.starttls = true;
  if (iequals(keyword, "REQUIRETLS")) into.requiretls = true;
  if (iequals(keyword, "SIZE")) take_size(into, parameters);
  if (iequals(keyword, "LIMITS")) take_limits(into, parameters);
  if (iequals(keyword, "AUTH")) take_names(into.auth_mechanisms, parameters);
  if (iequals(keyword, "XFORWARD")) take_names(into.xforward, parameters);
  if (iequals(keyword, "XCLIENT")) take_names(into.xclient, parameters);
}

}  // namespace

bool ServerExtensions::offers_auth(std::string_view mechanism) const {
  return contains(auth_mechanisms, mechanism);
}

bool ServerExtensions::offers_xforward(std::string_view attribute) const {
  return contains(xforward, attribute);
}

ServerExtensions parse_extensions(std::string_view text) {
  ServerExtensions extensions;
  const std::size_t first_end = text.find('\n');
  if (first_end == std::string_view::npos) return extensions;
  for (const std::string_view line : split(text.substr(first_end + 1), '\n')) {
    const std::vector<std::string_view> parameters = words(line);
    if (!parameters.empty()) take_keyword(extensions, parameters);
  }
  return extensions;
}

}  // namespace posthorn::smtp
