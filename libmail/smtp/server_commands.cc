// What each command does in the state the session is in (RFC 5321 4.1.4).
#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/text.h"
#include "libmail/smtp/replies.h"
#include "libmail/smtp/server.h"

namespace posthorn::smtp {

namespace {

constexpr std::string_view xforward_names = "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE";
constexpr std::string_view xclient_names =
    "XCLIENT NAME REVERSE_NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT";
constexpr std::size_t max_ident = 64;
constexpr std::string_view ipv6_prefix = "IPV6:";

template <class... C>
bool is_one_of(const Command& command) {
  return (std::holds_alternative<C>(command) || ...);
}

bool is_plain_word(std::string_view text, std::size_t limit) {
  return text.size() <= limit && std::all_of(text.begin(), text.end(), is_graph);
}

}  // namespace

ServerCore::Step ServerCore::run(Command& command) {
  if (refusing_ && !is_one_of<Quit, Bdat>(command)) return refuse(reply::service_refused);
  const bool before_tls = is_one_of<Ehlo, Helo, Lhlo, Noop, StartTls, Quit, Bdat>(command);
  if (settings_.starttls_required && !session_.tls && !before_tls) {
    return refuse(reply::tls_required);
  }
  if (settings_.auth_required && session_.user.empty() && is_one_of<Mail, Vrfy, Expn>(command)) {
    return refuse(reply::auth_required);
  }
  return std::visit([this](auto& known) { return on(known); }, command);
}

ServerCore::Step ServerCore::on(Helo& command) {
  if (session_.lmtp) return refuse(reply::lhlo_expected);
  return hello(command.name, false);
}

ServerCore::Step ServerCore::on(Ehlo& command) {
  if (session_.lmtp) return refuse(reply::lhlo_expected);
  return hello(command.name, true);
}

ServerCore::Step ServerCore::on(Lhlo& command) {
  if (!session_.lmtp) return refuse(reply::ehlo_expected);
  return hello(command.name, true);
}

ServerCore::Step ServerCore::hello(std::string& name, bool extended) {
  if (++idle_commands_ > settings_.limits.idle_commands && !settings_.unlimited) {
    return hang_up(reply::too_many_commands);
  }
  session_.client.helo = std::move(name);
  session_.extended = extended;
  session_.client.protocol = session_.lmtp ? "LMTP" : extended ? "ESMTP" : "SMTP";
  // RFC 5321 4.1.4: EHLO drops a transaction; the driver hears of that first.
  const Step dropped = drop_transaction();
  if (!dropped) pending_ = Pending::hello;
  if (dropped) then_ = Event::hello;
  return dropped ? dropped : Event::hello;
}

void ServerCore::put_hello() {
  std::string text = settings_.hostname;
  if (!session_.extended) return put(Reply(250, std::move(text)));
  text.append("\nPIPELINING\nENHANCEDSTATUSCODES\n8BITMIME\nSIZE");
  if (settings_.limits.message_size != 0) text += fmt::format(" {}", settings_.limits.message_size);
  if (settings_.smtputf8) text.append("\nSMTPUTF8");
  if (settings_.chunking) text.append("\nCHUNKING");
  if (settings_.dsn) text.append("\nDSN");
  if (settings_.starttls && !session_.tls) text.append("\nSTARTTLS");
  if (settings_.requiretls && (session_.tls || settings_.unlimited)) text.append("\nREQUIRETLS");
  if (!mechanisms_.empty() && (session_.tls || settings_.auth_in_clear)) {
    text.append("\nAUTH");
    for (const std::string& name : mechanisms_) text.append(" ").append(name);
  }
  if (!session_.lmtp) text.append("\nVRFY\nEXPN");
  if (settings_.xforward) text.append("\n").append(xforward_names);
  if (settings_.xclient) text.append("\n").append(xclient_names);
  text += fmt::format("\nLIMITS RCPTMAX={}", settings_.limits.recipients);
  if (!settings_.unlimited) text += fmt::format(" MAILMAX={}", settings_.limits.transactions);
  put(Reply(250, std::move(text)));
}

const Reply* ServerCore::mail_refusal(const Mail& command) const {
  const std::uint64_t limit = settings_.limits.message_size;
  if (!greeted_) return &reply::hello_first;
  if (envelope_) return &reply::nested_mail;
  if (command.size && limit != 0 && *command.size > limit) return &reply::message_too_big;
  if (command.smtputf8 && !settings_.smtputf8) return &reply::smtputf8_not_offered;
  if (command.requiretls && !(settings_.requiretls && (session_.tls || settings_.unlimited))) {
    return &reply::requiretls_not_offered;
  }
  if ((command.ret != Ret::unspecified || command.envid) && !settings_.dsn) {
    return &reply::dsn_not_offered;
  }
  return nullptr;
}

ServerCore::Step ServerCore::on(Mail& command) {
  if (const Reply* why = mail_refusal(command)) return refuse(*why);
  if (++transactions_ > settings_.limits.transactions && !settings_.unlimited) {
    return hang_up(reply::too_many_transactions);
  }
  make_envelope(command);
  pending_ = Pending::mail;
  return Event::mail;
}

void ServerCore::make_envelope(Mail& command) {
  session_.forwarded = forwarded_.has_value();
  Envelope& envelope = envelope_.emplace();
  envelope.reverse_path = std::move(command.reverse_path);
  envelope.size = command.size.value_or(0);
  envelope.body = command.body.value_or(Body::seven_bit);
  envelope.smtputf8 = command.smtputf8;
  envelope.requiretls = command.requiretls;
  envelope.ret = command.ret;
  envelope.envid = std::move(command.envid);
  // RFC 4954 5: what a stranger says about who submitted the message counts for nothing.
  const bool trusted = !session_.user.empty() || settings_.xforward;
  if (command.auth) envelope.auth = trusted ? std::move(*command.auth) : ReversePath();
  envelope.user = session_.user;
  envelope.client = forwarded_ ? std::move(*forwarded_) : session_.client;
  envelope.trace_id = std::move(forwarded_ident_);
  forwarded_.reset();
  forwarded_ident_.clear();
}

ServerCore::Step ServerCore::on(Rcpt& command) {
  if (!envelope_) return refuse(greeted_ ? reply::mail_first : reply::hello_first);
  if (in_chunks_) return refuse(reply::bdat_begun);
  const bool dsn = !command.recipient.notify.unspecified() || command.recipient.orcpt;
  if (dsn && !settings_.dsn) return refuse(reply::dsn_not_offered);
  if (envelope_->recipients.size() >= settings_.limits.recipients) {
    // Not an error of the client's: it sends the rest in another transaction (RFC 5321 4.5.3.1.10).
    put(reply::too_many_recipients);
    return Event::refused;
  }
  recipient_ = std::move(command.recipient);
  pending_ = Pending::rcpt;
  return Event::rcpt;
}

const Reply* ServerCore::body_not_allowed() const {
  if (!envelope_) return greeted_ ? &reply::mail_first : &reply::hello_first;
  if (!envelope_->recipients.empty()) return nullptr;
  return recipients_refused_ && !session_.lmtp ? &reply::no_valid_recipients : &reply::rcpt_first;
}

ServerCore::Step ServerCore::on(Data&) {
  if (in_chunks_) {
    // RFC 3030 2: what such a client means is anyone's guess.
    put(reply::data_after_bdat);
    return drop_transaction();
  }
  if (const Reply* why = body_not_allowed()) return refuse(*why);
  begin_body();
  pending_ = Pending::data;
  return Event::data;
}

// Whatever is wrong, the octets of the chunk are read as octets, never as commands.
ServerCore::Step ServerCore::on(Bdat& command) {
  chunk_left_ = command.size;
  chunk_last_ = command.last;
  phase_ = Phase::chunk;
  if (in_chunks_) return std::nullopt;
  begin_body();
  if (refusing_) {
    body_refused_ = reply::service_refused;
  } else if (!settings_.chunking) {
    body_refused_ = reply::bdat_not_offered;
  } else if (const Reply* why = body_not_allowed()) {
    body_refused_ = envelope_ ? *why : reply::bdat_without_transaction;
  }
  if (body_refused_) return std::nullopt;
  in_chunks_ = true;
  pending_ = Pending::data;
  return Event::data;
}

ServerCore::Step ServerCore::idle(const Reply& reply) {
  if (++idle_commands_ > settings_.limits.idle_commands && !settings_.unlimited) {
    return hang_up(reply::too_many_commands);
  }
  put(reply);
  return std::nullopt;
}

ServerCore::Step ServerCore::on(Rset&) {
  if (const Step closing = idle(reply::ok)) return closing;
  return drop_transaction();
}

ServerCore::Step ServerCore::on(Noop&) {
  return idle(reply::ok);
}
ServerCore::Step ServerCore::on(Help&) {
  return idle(reply::help);
}
ServerCore::Step ServerCore::on(Quit&) {
  return hang_up(reply::bye);
}
ServerCore::Step ServerCore::on(Vrfy& command) {
  return query(command.argument, Event::vrfy);
}
ServerCore::Step ServerCore::on(Expn& command) {
  return query(command.argument, Event::expn);
}

ServerCore::Step ServerCore::query(std::string& argument, Event event) {
  if (++idle_commands_ > settings_.limits.idle_commands && !settings_.unlimited) {
    return hang_up(reply::too_many_commands);
  }
  storage_ = std::move(argument);
  octets_ = storage_;
  pending_ = Pending::query;
  return event;
}

ServerCore::Step ServerCore::on(StartTls&) {
  if (session_.tls) return refuse(reply::tls_active);
  if (!settings_.starttls) return refuse(reply::starttls_not_offered);
  if (envelope_) return refuse(reply::not_in_transaction);
  // CVE-2011-0411: what came in clear behind STARTTLS must never be taken for what comes after the
  // handshake.
  if (!input_.empty()) return hang_up(reply::pipelined_starttls);
  put(reply::ready_for_tls);
  pending_ = Pending::tls;
  return Event::start_tls;
}

ServerCore::Step ServerCore::on(Auth& command) {
  if (!session_.extended || !greeted_) return refuse(reply::hello_first);
  if (!session_.user.empty()) return refuse(reply::already_authenticated);
  if (envelope_) return refuse(reply::not_in_transaction);
  if (!session_.tls && !settings_.auth_in_clear) {
    return refuse(settings_.starttls ? reply::encryption_required : reply::auth_not_offered);
  }
  if (mechanisms_.empty()) return refuse(reply::auth_not_offered);
  if (std::find(mechanisms_.begin(), mechanisms_.end(), command.mechanism) == mechanisms_.end()) {
    return refuse(reply::bad_mechanism);
  }
  auth_ = std::move(command);
  pending_ = Pending::auth;
  return Event::auth;
}

namespace {

// What an attribute says: "" if it is unknown; nothing if it is no text of a sane length.
std::optional<std::string> attribute_text(const std::string& value) {
  if (value == "[UNAVAILABLE]" || value == "[TEMPUNAVAIL]") return std::string();
  if (!is_utf8(value) || value.size() > max_domain) return std::nullopt;
  return value;
}

// "192.0.2.1", "IPV6:2001:db8::1", or "" for unknown.
bool take_address(std::string_view text, std::string& address) {
  const bool v6 = istarts_with(text, ipv6_prefix);
  address = text.substr(v6 ? ipv6_prefix.size() : 0);
  return text.empty() || format_address_literal(address).has_value();
}

// One attribute of those that XFORWARD and XCLIENT share into `client`. False: a value that means nothing, or another
// attribute.
bool describe_client(const std::string& name, const std::string& text, Client& client) {
  const bool unknown = text.empty();
  if (name == "NAME") {
    client.name = text;
  } else if (name == "HELO") {
    client.helo = text;
  } else if (name == "PROTO") {
    client.protocol = text;
    return is_plain_word(text, max_ident);
  } else if (name == "ADDR") {
    return take_address(text, client.address);
  } else if (name == "PORT") {
    client.port = parse_number<std::uint16_t>(text).value_or(0);
    return unknown || client.port != 0;
  } else {
    return false;
  }
  return true;
}

}  // namespace

// One attribute into `client` or forwarded_ident_. False: a value that means nothing.
bool ServerCore::forward(const std::string& name, const std::string& value, Client& client) {
  const auto text = attribute_text(value);
  if (!text) return false;
  if (name == "SOURCE") {
    client.local = iequals(*text, "LOCAL");
    return text->empty() || client.local || iequals(*text, "REMOTE");
  }
  if (name == "IDENT") {
    forwarded_ident_ = *text;
    return is_plain_word(*text, max_ident);
  }
  return describe_client(name, *text, client);
}

ServerCore::Step ServerCore::on(Xforward& command) {
  if (!settings_.xforward) return refuse(reply::xforward_not_offered);
  if (envelope_) return refuse(reply::not_in_transaction);
  Client client = forwarded_.value_or(Client());
  for (const auto& [name, value] : command.attributes) {
    if (!forward(name, value, client)) return refuse(reply::bad_xforward);
  }
  forwarded_ = std::move(client);
  put(reply::ok);
  return std::nullopt;
}

namespace {

// One attribute of XCLIENT. False: a value that means nothing.
bool present(const std::string& name, const std::string& value, SessionInfo& session) {
  const auto text = attribute_text(value);
  if (!text) return false;
  if (name == "LOGIN") {
    session.user = *text;
    return true;
  }
  if (name == "REVERSE_NAME") {
    session.reverse_name = *text;
    return true;
  }
  if (name == "DESTADDR") return take_address(*text, session.server_address);
  if (name == "DESTPORT") {
    session.server_port = parse_number<std::uint16_t>(*text).value_or(0);
    return text->empty() || session.server_port != 0;
  }
  if (!describe_client(name, *text, session.client)) return false;
  if (name == "PROTO") {
    session.client.protocol = upper(*text);
    session.extended = session.client.protocol == "ESMTP";
    return session.extended || text->empty() || session.client.protocol == "SMTP";
  }
  // Who has an address that was told is no program of this machine, whoever tells it.
  if (name == "ADDR") session.client.local = false;
  return true;
}

bool says(const Xclient& command, std::string_view name) {
  return std::any_of(command.attributes.begin(), command.attributes.end(),
                     [name](const auto& attribute) { return attribute.first == name; });
}

}  // namespace

// The session begins again for another client. What is not said of it stays (name, address, port; an address comes with
// its own), but for what the last one said and was: its HELO and its log-in. TLS is the connection's and stays, too.
ServerCore::Step ServerCore::on(Xclient& command) {
  if (!settings_.xclient) return refuse(reply::xclient_not_offered);
  if (envelope_) return refuse(reply::not_in_transaction);
  if (++idle_commands_ > settings_.limits.idle_commands && !settings_.unlimited) {
    return hang_up(reply::too_many_commands);
  }
  SessionInfo next = session_;
  next.extended = false;
  next.user.clear();
  next.mechanism.clear();
  next.client.helo.clear();
  next.client.protocol.clear();
  if (says(command, "ADDR")) {
    next.client.name.clear();
    next.client.port = 0;
    next.reverse_name.clear();
  }
  for (const auto& [name, value] : command.attributes) {
    if (!present(name, value, next)) return refuse(reply::bad_xclient);
  }
  session_ = std::move(next);
  greeted_ = false;
  mechanisms_.clear();
  forwarded_.reset();
  forwarded_ident_.clear();
  pending_ = Pending::xclient;
  return Event::xclient;
}

}  // namespace posthorn::smtp
