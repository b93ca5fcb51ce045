#include "libmail/smtp/command.h"

#include <fmt/format.h>

#include <array>

#include "libmail/base/base64.h"
#include "libmail/base/text.h"
#include "libmail/smtp/xtext.h"

namespace posthorn::smtp {

namespace {

using Parsed = Result<Command, SyntaxError>;

constexpr std::size_t max_logged_verb = 16;
constexpr std::size_t max_envid = 100;     // RFC 3461 4.4
constexpr std::size_t max_mechanism = 20;  // RFC 4422 3.1
constexpr std::size_t max_shown = 40;      // of a stranger's octets in a reply

tl::unexpected<SyntaxError> fault(SyntaxFault what, std::string words) {
  return fail(SyntaxError(what, std::move(words)));
}
tl::unexpected<SyntaxError> bad_argument(std::string words) {
  return fault(SyntaxFault::bad_argument, std::move(words));
}

bool has_controls(std::string_view text) {
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) < 32 && c != '\t') || c == 127) return true;
  }
  return false;
}

// The first word, moved over with the spaces behind it.
std::string_view take_word(std::string_view& text) {
  std::size_t end = 0;
  while (end < text.size() && !is_space(text[end])) ++end;
  const std::string_view word = text.substr(0, end);
  while (end < text.size() && is_space(text[end])) ++end;
  text.remove_prefix(end);
  return word;
}

// "FROM:" or "TO:" at the front. RFC 5321 3.3 forbids a space behind the colon; scanners and
// printers send it.
bool take_colon_keyword(std::string_view& text, std::string_view keyword) {
  if (!istarts_with(text, keyword)) return false;
  text.remove_prefix(keyword.size());
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  return true;
}

SyntaxError address_error(SyntaxFault where, std::string_view what, AddressError error) {
  if (error == AddressError::utf8_not_allowed) {
    return {SyntaxFault::needs_smtputf8, "Address needs SMTPUTF8"};
  }
  return {where, fmt::format("Bad {} address: {}", what, describe(error))};
}

struct Parameter {
  std::string_view keyword;
  std::optional<std::string_view> value;
};

// RFC 5321 4.1.2: esmtp-param, with RFC 6531's UTF-8 in values.
std::optional<Parameter> parse_parameter(std::string_view word) {
  Parameter parameter;
  const std::size_t equals = word.find('=');
  parameter.keyword = word.substr(0, equals);
  if (parameter.keyword.empty() || !is_alnum(parameter.keyword.front())) return std::nullopt;
  for (const char c : parameter.keyword) {
    if (!is_alnum(c) && c != '-') return std::nullopt;
  }
  if (equals == std::string_view::npos) return parameter;
  parameter.value = word.substr(equals + 1);
  if (parameter.value->empty()) return std::nullopt;
  for (const char c : *parameter.value) {
    if ((!is_graph(c) && !is_8bit(c)) || c == '=') return std::nullopt;
  }
  return parameter;
}

// One parameter into its command. True: taken. False: its value is bad. Nothing: unknown here.
using Taken = std::optional<bool>;

Taken take_auth(Mail& mail, std::string_view value) {
  const auto decoded = decode_xtext_text(value);
  if (mail.auth || !decoded) return false;
  // RFC 4954 5: an identity that means nothing here is as good as none.
  mail.auth = ReversePath();
  if (auto mailbox = parse_mailbox(*decoded, Utf8::allowed)) *mail.auth = std::move(*mailbox);
  return true;
}

Taken take_body(Mail& mail, std::string_view value) {
  if (mail.body) return false;
  if (iequals(value, "7BIT")) {
    mail.body = Body::seven_bit;
  } else if (iequals(value, "8BITMIME")) {
    mail.body = Body::eight_bit_mime;
  } else if (iequals(value, "BINARYMIME")) {
    return std::nullopt;
  }
  return mail.body.has_value();
}

Taken take_ret(Mail& mail, std::string_view value) {
  if (mail.ret != Ret::unspecified) return false;
  if (iequals(value, "FULL")) mail.ret = Ret::full;
  if (iequals(value, "HDRS")) mail.ret = Ret::headers;
  return mail.ret != Ret::unspecified;
}

Taken take_mail_parameter(Mail& mail, const Parameter& parameter) {
  const std::string_view keyword = parameter.keyword;
  if (!parameter.value) {
    bool* flag = nullptr;
    if (iequals(keyword, "SMTPUTF8")) flag = &mail.smtputf8;
    if (iequals(keyword, "REQUIRETLS")) flag = &mail.requiretls;
    if (flag == nullptr) return std::nullopt;
    if (*flag) return false;
    *flag = true;
    return true;
  }
  const std::string_view value = *parameter.value;
  if (iequals(keyword, "SIZE")) {
    if (mail.size || value.size() > 20) return false;
    mail.size = parse_number<std::uint64_t>(value);
    return mail.size.has_value();
  }
  if (iequals(keyword, "BODY")) return take_body(mail, value);
  if (iequals(keyword, "RET")) return take_ret(mail, value);
  if (iequals(keyword, "AUTH")) return take_auth(mail, value);
  if (iequals(keyword, "ENVID")) {
    if (mail.envid || value.size() > max_envid) return false;
    mail.envid = decode_xtext_text(value);
    return mail.envid.has_value();
  }
  return std::nullopt;
}

Taken take_rcpt_parameter(Rcpt& rcpt, const Parameter& parameter) {
  if (!parameter.value) return std::nullopt;
  Recipient& recipient = rcpt.recipient;
  if (iequals(parameter.keyword, "NOTIFY")) {
    if (!recipient.notify.unspecified()) return false;
    const auto notify = parse_notify(*parameter.value);
    if (!notify) return false;
    recipient.notify = *notify;
    return true;
  }
  if (iequals(parameter.keyword, "ORCPT")) {
    if (recipient.orcpt) return false;
    recipient.orcpt = parse_orcpt(*parameter.value);
    return recipient.orcpt.has_value();
  }
  return std::nullopt;
}

// All parameters of MAIL or RCPT, each with `take`.
template <class C>
std::optional<SyntaxError> take_parameters(C& command, std::string_view text,
                                           Taken (*take)(C&, const Parameter&)) {
  if (!text.empty() && !is_space(text.front())) {
    return SyntaxError(SyntaxFault::bad_argument, "A space stands before parameters");
  }
  for (const std::string_view word : words(text)) {
    const std::string shown = printable(word.substr(0, word.find('=')), max_shown);
    const auto parameter = parse_parameter(word);
    if (!parameter) {
      return SyntaxError(SyntaxFault::bad_argument, fmt::format("Bad parameter {}", shown));
    }
    const Taken taken = take(command, *parameter);
    if (!taken) {
      return SyntaxError(SyntaxFault::unknown_parameter,
                         fmt::format("Parameter {} is not supported", printable(word, max_shown)));
    }
    if (!*taken) {
      return SyntaxError(SyntaxFault::bad_argument, fmt::format("Bad or repeated {}", shown));
    }
  }
  return std::nullopt;
}

Parsed parse_mail(std::string_view arguments, Utf8) {
  if (!take_colon_keyword(arguments, "FROM:")) return bad_argument("Syntax: MAIL FROM:<address>");
  Mail mail;
  auto path = take_reverse_path(arguments, Utf8::allowed);
  if (!path) return fail(address_error(SyntaxFault::bad_sender, "sender", path.error()));
  mail.reverse_path = std::move(*path);
  if (auto error = take_parameters<Mail>(mail, arguments, take_mail_parameter)) return fail(*error);
  if (!mail.smtputf8 && mail.reverse_path && needs_smtputf8(*mail.reverse_path)) {
    return fault(SyntaxFault::needs_smtputf8, "Address needs SMTPUTF8");
  }
  return Command(std::move(mail));
}

Parsed parse_rcpt(std::string_view arguments, Utf8 utf8) {
  if (!take_colon_keyword(arguments, "TO:")) return bad_argument("Syntax: RCPT TO:<address>");
  Rcpt rcpt;
  auto path = take_forward_path(arguments, utf8);
  if (!path) return fail(address_error(SyntaxFault::bad_recipient, "recipient", path.error()));
  rcpt.recipient.mailbox = std::move(*path);
  if (auto error = take_parameters<Rcpt>(rcpt, arguments, take_rcpt_parameter)) return fail(*error);
  return Command(std::move(rcpt));
}

// HELO's domain or literal. Clients say all sorts of things here; what could break out of a comment
// or a phrase of a Received field is refused.
template <class C>
Parsed parse_hello(std::string_view arguments, Utf8) {
  C command;
  command.name = arguments;
  bool good = !arguments.empty() && arguments.size() <= max_domain;
  for (const char c : arguments) {
    good = good && is_graph(c) && std::string_view("()<>@,;\\\"").find(c) == std::string_view::npos;
  }
  if (!good) return bad_argument("A host name or an address literal is needed");
  return Command(std::move(command));
}

Parsed parse_bdat(std::string_view arguments, Utf8) {
  Bdat bdat;
  const auto size = parse_number<std::uint64_t>(take_word(arguments));
  bdat.last = iequals(arguments, "LAST");
  if (!size || (!bdat.last && !arguments.empty())) {
    return fault(SyntaxFault::bad_chunk, "Syntax: BDAT size [LAST]");
  }
  bdat.size = *size;
  return Command(bdat);
}

// VRFY and EXPN: a string, and perhaps SMTPUTF8 (RFC 6531 3.7.4.2).
template <class C>
Parsed parse_query(std::string_view arguments, Utf8) {
  C command;
  bool utf8 = false;
  const std::size_t space = arguments.find_last_of(" \t");
  if (space != std::string_view::npos && iequals(arguments.substr(space + 1), "SMTPUTF8")) {
    utf8 = true;
    arguments = trim(arguments.substr(0, space));
  }
  if (arguments.empty()) return bad_argument("A name or an address is needed");
  if (!is_ascii(arguments) && !utf8) {
    return fault(SyntaxFault::needs_smtputf8, "Address needs SMTPUTF8");
  }
  if (!is_utf8(arguments)) return bad_argument("Bad UTF-8");
  command.argument = arguments;
  return Command(std::move(command));
}

Parsed parse_auth(std::string_view arguments, Utf8) {
  Auth auth;
  auth.mechanism = upper(take_word(arguments));
  bool good = !auth.mechanism.empty() && auth.mechanism.size() <= max_mechanism;
  for (const char c : auth.mechanism) good = good && (is_alnum(c) || c == '-' || c == '_');
  if (!good || arguments.find_first_of(" \t") != std::string_view::npos) {
    return bad_argument("Syntax: AUTH mechanism [initial-response]");
  }
  if (arguments == "=") {
    auth.initial = "";
  } else if (!arguments.empty()) {
    auth.initial = decode_base64(arguments);
    if (!auth.initial) return fault(SyntaxFault::bad_base64, "Bad base64");
  }
  return Command(std::move(auth));
}

// XFORWARD and XCLIENT: name=xtext.
template <class C>
Parsed parse_attributes(std::string_view arguments, Utf8) {
  constexpr bool forward = std::is_same_v<C, Xforward>;
  C command;
  const std::vector<std::string_view> given = words(arguments);
  command.attributes.reserve(given.size());
  for (const std::string_view word : given) {
    const std::size_t equals = word.find('=');
    auto value = equals == std::string_view::npos ? std::nullopt
                                                  : decode_xtext_text(word.substr(equals + 1));
    if (equals == 0 || !value || value->empty()) {
      return bad_argument(forward ? "Bad XFORWARD attribute" : "Bad XCLIENT attribute");
    }
    command.attributes.emplace_back(upper(word.substr(0, equals)), std::move(*value));
  }
  if (command.attributes.empty()) {
    return bad_argument(forward ? "Syntax: XFORWARD name=value..."
                                : "Syntax: XCLIENT name=value...");
  }
  return Command(std::move(command));
}

template <class C>
Parsed parse_alone(std::string_view arguments, Utf8) {
  if (!arguments.empty()) return bad_argument("No arguments here");
  return Command(C());
}

template <class C>
Parsed parse_whatever(std::string_view, Utf8) {
  return Command(C());
}

struct Verb {
  std::string_view name;
  Parsed (*parse)(std::string_view arguments, Utf8 utf8);
};
// The most frequent ones first.
constexpr std::array<Verb, 17> verbs{{
    {"RCPT", parse_rcpt},
    {"MAIL", parse_mail},
    {"DATA", parse_alone<Data>},
    {"BDAT", parse_bdat},
    {"EHLO", parse_hello<Ehlo>},
    {"LHLO", parse_hello<Lhlo>},
    {"HELO", parse_hello<Helo>},
    {"QUIT", parse_alone<Quit>},
    {"RSET", parse_alone<Rset>},
    {"NOOP", parse_whatever<Noop>},
    {"XFORWARD", parse_attributes<Xforward>},
    {"XCLIENT", parse_attributes<Xclient>},
    {"STARTTLS", parse_alone<StartTls>},
    {"AUTH", parse_auth},
    {"VRFY", parse_query<Vrfy>},
    {"EXPN", parse_query<Expn>},
    {"HELP", parse_whatever<Help>},
}};

constexpr std::array<std::string_view, 8> http_verbs{"GET",     "POST",   "HEAD",  "PUT",
                                                     "CONNECT", "DELETE", "PATCH", "OPTIONS"};

}  // namespace

Result<Command, SyntaxError> parse_command(std::string_view line, Utf8 utf8) {
  if (has_controls(line)) {
    return fault(SyntaxFault::unknown_command, "Control character in a command");
  }
  std::string_view arguments = line;
  while (!arguments.empty() && is_space(arguments.back())) arguments.remove_suffix(1);
  const std::string_view word = take_word(arguments);
  for (const Verb& verb : verbs) {
    if (iequals(word, verb.name)) return verb.parse(arguments, utf8);
  }
  for (const std::string_view verb : http_verbs) {
    if (iequals(word, verb)) return fault(SyntaxFault::not_smtp, "This is no HTTP server");
  }
  return fault(SyntaxFault::unknown_command, "Command not recognized");
}

std::string command_verb(std::string_view line) {
  return printable(take_word(line).substr(0, max_logged_verb));
}

}  // namespace posthorn::smtp
