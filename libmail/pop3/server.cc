#include "libmail/pop3/server.h"

#include <algorithm>

#include "libmail/base/base64.h"
#include "libmail/base/result.h"
#include "libmail/base/text.h"

namespace posthorn::pop3 {
namespace {

// Whether the header in this first part of a message has octets that RFC 5322 alone does not allow.
bool has_8bit_header(std::string_view part) {
  std::size_t at = 0;
  while (at < part.size()) {
    const std::size_t end = std::min(part.find('\n', at), part.size());
    const std::string_view line = part.substr(at, end - at);
    if (line.empty() || line == "\r") return false;
    if (!is_ascii(line)) return true;
    at = end + 1;
  }
  return false;
}

}  // namespace

ServerCore::ServerCore(Settings settings) : settings_(std::move(settings)) {
  output_ = format_reply(Reply(true, "", settings_.greeting));
}

void ServerCore::feed(std::string_view octets) {
  if (state_ != State::closed) input_.append(octets);
}

std::string ServerCore::take_rest() {
  std::string rest = input_.substr(begin_);
  input_.clear();
  begin_ = searched_ = 0;
  return rest;
}

std::optional<Event> ServerCore::next() {
  for (;;) {
    if (event_) return std::exchange(event_, std::nullopt);
    if (state_ == State::waiting || state_ == State::sending || state_ == State::closed)
      return std::nullopt;
    const auto line = take_line();
    if (!line) {
      if (!event_) return std::nullopt;
      continue;
    }
    if (state_ == State::sasl) {
      on_sasl_line(*line);
    } else {
      on_line(*line);
    }
  }
}

std::optional<std::string> ServerCore::take_line() {
  const std::size_t limit =
      state_ == State::sasl ? settings_.limits.response : settings_.limits.command;
  const std::size_t end = input_.find('\n', std::max(begin_, searched_));
  const bool whole = end != std::string::npos;
  const std::size_t size = (whole ? end : input_.size()) - begin_;
  if (size > limit) {
    this->end("", "the line is too long");
    return std::nullopt;
  }
  if (!whole) {
    compact();
    searched_ = input_.size();
    return std::nullopt;
  }
  std::string line = input_.substr(begin_, size);
  if (!line.empty() && line.back() == '\r') line.pop_back();
  begin_ = end + 1;
  if (begin_ == input_.size()) compact();
  return line;
}

// One move per read, and an idle session holds no memory.
void ServerCore::compact() {
  input_.erase(0, begin_);
  if (input_.empty()) input_.shrink_to_fit();
  begin_ = searched_ = 0;
}

void ServerCore::on_line(std::string_view line) {
  if (!in_transaction() && ++commands_ > settings_.limits.before_login)
    return end("", "too many commands before log-in");
  const auto command = parse_command(line);
  if (!command) return error("", command.error());
  on_command(*command);
}

void ServerCore::on_sasl_line(std::string_view line) {
  if (line == "*") {
    state_ = State::authorization;
    error("", "the exchange is cancelled");
    if (!event_) event_ = Event(Event::Kind::sasl_cancel);
    return;
  }
  Event event(Event::Kind::sasl_response);
  if (!line.empty()) {
    auto octets = decode_base64(line);
    if (!octets) {
      // The exchange is over: guessing what was meant would make it ours.
      state_ = State::authorization;
      error("", "the response is not base64");
      if (!event_) event_ = Event(Event::Kind::sasl_cancel);
      return;
    }
    event.data = std::move(*octets);
  }
  raise(std::move(event));
}

void ServerCore::on_command(const Command& command) {
  if (const auto* simple = std::get_if<Simple>(&command)) return on_simple(*simple);
  if (in_transaction()) {
    on_transaction(command);
  } else {
    on_authorization(command);
  }
}

void ServerCore::on_simple(Simple command) {
  switch (command) {
    case Simple::capa:
      return list_capabilities();
    case Simple::quit:
      return on_quit();
    case Simple::utf8:
      utf8_ = true;
      return ok("UTF-8 it is");
    case Simple::stls:
      if (!settings_.can_stls || in_transaction() || utf8_)
        return error("", "STLS can't be used now");
      ok("begin TLS");
      return raise(Event(Event::Kind::start_tls));
    case Simple::noop:
      if (!in_transaction()) return error("", "log in first");
      return ok("");
    case Simple::stat:
      if (!in_transaction()) return error("", "log in first");
      return say_status();
    case Simple::rset:
      if (!in_transaction()) return error("", "log in first");
      for (std::size_t i = 0; i < marks_.size(); ++i) {
        if (!marks_[i].deleted) continue;
        marks_[i].deleted = false;
        ++total_count_;
        total_size_ += messages_->size(i);
      }
      return ok("nothing is marked as deleted");
  }
}

void ServerCore::on_authorization(const Command& command) {
  if (const auto* user = std::get_if<User>(&command)) {
    if (!settings_.plaintext) return error("", "USER needs TLS here: STLS first, or AUTH");
    user_ = user->name;
    return ok("send PASS");  // known or not: nobody is told
  }
  if (const auto* pass = std::get_if<Pass>(&command)) return on_pass(*pass);
  if (const auto* auth = std::get_if<Auth>(&command)) return on_auth(*auth);
  error("", "log in first");
}

void ServerCore::on_pass(const Pass& pass) {
  if (!settings_.plaintext) return error("", "PASS needs TLS here: STLS first, or AUTH");
  if (user_.empty()) return error("", "USER comes first");
  Event event(Event::Kind::login);
  event.user = std::exchange(user_, {});
  event.password = pass.password;
  raise(std::move(event));
}

void ServerCore::on_auth(const Auth& auth) {
  if (auth.mechanism.empty()) {
    ok("mechanisms follow");
    for (const auto& name : settings_.mechanisms) output_ += name + "\r\n";
    output_ += ".\r\n";
    return;
  }
  const bool known =
      std::any_of(settings_.mechanisms.begin(), settings_.mechanisms.end(),
                  [&auth](const std::string& name) { return iequals(name, auth.mechanism); });
  if (!known) return error("", "no such mechanism here, or not without TLS");
  Event event(Event::Kind::sasl_start);
  event.mechanism = auth.mechanism;
  event.initial = auth.initial;
  raise(std::move(event));
}

void ServerCore::on_quit() {
  if (in_transaction()) return raise(Event(Event::Kind::commit));
  ok("goodbye");
  close();
}

void ServerCore::on_transaction(const Command& command) {
  if (const auto* list = std::get_if<List>(&command)) return on_list(list->message);
  if (const auto* uidl = std::get_if<Uidl>(&command)) return on_uidl(uidl->message);
  if (const auto* retr = std::get_if<Retr>(&command))
    return on_retrieve(retr->message, std::nullopt);
  if (const auto* top = std::get_if<Top>(&command)) return on_retrieve(top->message, top->lines);
  if (const auto* dele = std::get_if<Dele>(&command)) return on_dele(dele->message);
  error("", "already logged in");
}

std::optional<std::size_t> ServerCore::find(std::uint32_t message) {
  if (message > marks_.size()) {
    error("", "no such message, there are " + std::to_string(marks_.size()));
    return std::nullopt;
  }
  if (marks_[message - 1].deleted) {
    error("", "the message is marked as deleted");
    return std::nullopt;
  }
  return message - 1;
}

void ServerCore::on_list(std::optional<std::uint32_t> message) {
  if (message) {
    if (const auto index = find(*message))
      ok(std::to_string(*message) + " " + std::to_string(messages_->size(*index)));
    return;
  }
  ok(std::to_string(total_count_) + " messages (" + std::to_string(total_size_) + " octets)");
  for (std::size_t i = 0; i < marks_.size(); ++i) {
    if (!marks_[i].deleted)
      output_ += std::to_string(i + 1) + " " + std::to_string(messages_->size(i)) + "\r\n";
  }
  output_ += ".\r\n";
}

void ServerCore::on_uidl(std::optional<std::uint32_t> message) {
  if (message) {
    if (const auto index = find(*message))
      ok(std::to_string(*message) + " " + std::string(messages_->uidl(*index)));
    return;
  }
  ok("");
  for (std::size_t i = 0; i < marks_.size(); ++i) {
    if (marks_[i].deleted) continue;
    output_ += std::to_string(i + 1);
    output_ += " ";
    output_ += messages_->uidl(i);
    output_ += "\r\n";
  }
  output_ += ".\r\n";
}

void ServerCore::on_dele(std::uint32_t message) {
  const auto index = find(message);
  if (!index) return;
  marks_[*index].deleted = true;
  --total_count_;
  total_size_ -= messages_->size(*index);
  ok("marked as deleted");
}

void ServerCore::on_retrieve(std::uint32_t message, std::optional<std::uint64_t> lines) {
  const auto index = find(message);
  if (!index) return;
  sending_ = *index;
  top_.reset();
  if (lines) top_.emplace(*lines);
  encoder_ = BodyEncoder();
  Event event(Event::Kind::retrieve);
  event.index = *index;
  event.whole = !lines;
  raise(std::move(event));
}

void ServerCore::list_capabilities() {
  ok("capabilities follow");
  std::string& out = output_;
  out += "TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nUTF8 USER\r\n";
  out += settings_.delete_after_retr ? "EXPIRE 0\r\n" : "EXPIRE NEVER\r\n";
  if (!in_transaction()) {
    if (settings_.plaintext) out += "USER\r\n";
    if (!settings_.mechanisms.empty()) {
      out += "SASL";
      for (const auto& name : settings_.mechanisms) out += " " + name;
      out += "\r\n";
    }
    if (settings_.can_stls) out += "STLS\r\n";
  }
  if (!settings_.implementation.empty())
    out += "IMPLEMENTATION " + settings_.implementation + "\r\n";
  out += ".\r\n";
}

void ServerCore::say_status() {
  ok(std::to_string(total_count_) + " " + std::to_string(total_size_));
}

void ServerCore::ok(std::string_view text) {
  output_ += format_reply(Reply(true, "", text));
}

void ServerCore::error(std::string_view response_code, std::string_view text) {
  output_ += format_reply(Reply(false, response_code, text));
  if (++errors_ >= settings_.limits.errors) close();
}

void ServerCore::raise(Event event) {
  state_ = State::waiting;
  waits_for_ = event.kind;
  event_ = std::move(event);
}

void ServerCore::close() {
  state_ = State::closed;
  input_.clear();
  begin_ = searched_ = 0;
  event_ = Event(Event::Kind::close);
}

void ServerCore::end(std::string_view response_code, std::string_view text) {
  if (state_ == State::closed) return;
  // In the middle of a message an -ERR would be taken for a line of it.
  if (state_ != State::sending) output_ += format_reply(Reply(false, response_code, text));
  close();
}

void ServerCore::tls_started() {
  check(state_ == State::waiting && waits_for_ == Event::Kind::start_tls, "no STLS was asked for");
  (void)take_rest();
  output_.clear();
  user_.clear();
  utf8_ = false;
  settings_.can_stls = false;
  state_ = State::authorization;
}

void ServerCore::challenge(std::string_view octets) {
  check(state_ == State::waiting, "no SASL exchange is going on");
  output_ += "+ " + encode_base64(octets) + "\r\n";
  state_ = State::sasl;
}

void ServerCore::logged_in(const Messages& messages) {
  check(state_ == State::waiting, "nobody asked to log in");
  messages_ = &messages;
  marks_.resize(messages.count());
  total_count_ = marks_.size();
  for (std::size_t i = 0; i < marks_.size(); ++i) total_size_ += messages.size(i);
  state_ = State::transaction;
  ok("logged in, " + std::to_string(total_count_) + " messages");
}

void ServerCore::handed_over(const Reply& reply) {
  output_ += format_reply(reply);
  state_ = State::closed;
}

void ServerCore::refused(std::string_view response_code, std::string_view text) {
  check(state_ == State::waiting, "nothing to refuse");
  switch (waits_for_) {
    case Event::Kind::start_tls:
    case Event::Kind::commit:
      return end(response_code, text);
    case Event::Kind::retrieve:
      state_ = State::transaction;
      return error(response_code, text);
    default:
      break;
  }
  state_ = State::authorization;
  if (++failed_logins_ >= settings_.limits.logins) return end(response_code, text);
  error(response_code, text);
}

bool ServerCore::message_begins(std::string_view first_part) {
  check(state_ == State::waiting && waits_for_ == Event::Kind::retrieve,
        "no message was asked for");
  if (settings_.refuse_utf8 && !utf8_ && has_8bit_header(first_part)) {
    refused(code::utf8, "the header has 8-bit characters: say UTF8 first");
    return false;
  }
  ok(top_ ? "the top follows" : std::to_string(messages_->size(sending_)) + " octets");
  state_ = State::sending;
  message_part(first_part);
  return true;
}

void ServerCore::message_part(std::string_view text) {
  check(state_ == State::sending || state_ == State::closed, "no message is being sent");
  if (state_ == State::closed) return;
  encoder_.append(top_ ? top_->take(text) : text, output_);
}

void ServerCore::message_ends() {
  if (state_ == State::closed) return;
  check(state_ == State::sending, "no message is being sent");
  encoder_.finish(output_);
  if (!top_) marks_[sending_].retrieved = true;
  state_ = State::transaction;
}

void ServerCore::committed() {
  check(state_ == State::waiting && waits_for_ == Event::Kind::commit, "no QUIT was said");
  ok("goodbye");
  close();
}

std::vector<std::size_t> ServerCore::deleted() const {
  std::vector<std::size_t> indexes;
  for (std::size_t i = 0; i < marks_.size(); ++i) {
    if (marks_[i].deleted || (settings_.delete_after_retr && marks_[i].retrieved))
      indexes.push_back(i);
  }
  return indexes;
}

std::vector<std::size_t> ServerCore::retrieved() const {
  std::vector<std::size_t> indexes;
  if (settings_.delete_after_retr) return indexes;
  for (std::size_t i = 0; i < marks_.size(); ++i) {
    if (marks_[i].retrieved && !marks_[i].deleted) indexes.push_back(i);
  }
  return indexes;
}

}  // namespace posthorn::pop3
