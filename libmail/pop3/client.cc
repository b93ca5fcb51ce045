#include "libmail/pop3/client.h"

#include <algorithm>
#include <utility>

#include "libmail/base/base64.h"
#include "libmail/base/text.h"

namespace posthorn::pop3 {

void ClientCore::close(std::string why) {
  if (phase_ == Phase::closed) return;
  phase_ = Phase::closed;
  trouble_ = printable(why);
  commands_.clear();
  sent_ = 0;
  output_.clear();
  input_ = {};
}

void ClientCore::lost(std::string_view why) {
  close(std::string(why));
}

void ClientCore::secured() {
  secure_ = true;
  phase_ = Phase::authorization;
  capabilities_ = ServerCapabilities();
  input_ = {};
  line_.clear();
  push();
}

RequestId ClientCore::send(std::string line, Answer answer) {
  const std::string verb = upper(std::string_view(line).substr(0, line.find(' ')));
  Kind kind = Kind::plain;
  if (verb == "STLS") kind = Kind::stls;
  if (verb == "CAPA") kind = Kind::capa;
  if (verb == "QUIT") kind = Kind::quit;
  return queue(std::move(line), answer, kind);
}

RequestId ClientCore::send_login(std::string line) {
  return queue(std::move(line), Answer::line, Kind::login);
}

RequestId ClientCore::queue(std::string line, Answer answer, Kind kind) {
  // Another command must not hide in a name or a password.
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
  Command command;
  command.id = next_id_++;
  command.line = std::move(line);
  command.answer = answer;
  command.kind = kind;
  const RequestId id = command.id;
  if (phase_ != Phase::closed) commands_.push_back(std::move(command));
  push();
  return id;
}

void ClientCore::push() {
  if (phase_ != Phase::authorization && phase_ != Phase::transaction) return;
  while (sent_ < commands_.size()) {
    const bool alone = commands_[sent_].kind != Kind::plain ||
                       (sent_ > 0 && commands_[sent_ - 1].kind != Kind::plain);
    if (sent_ > 0 && (alone || !capabilities_.pipelining)) return;
    output_ += commands_[sent_].line + "\r\n";
    ++sent_;
  }
}

void ClientCore::respond(std::string_view octets) {
  output_ += encode_base64(octets) + "\r\n";
}

std::optional<ClientEvent> ClientCore::next() {
  while (phase_ != Phase::closed) {
    if (inside_ && commands_.front().answer == Answer::message) {
      if (input_.empty() && !decoder_.ended()) return std::nullopt;
      if (std::optional<ClientEvent> event = take_message()) return event;
      continue;
    }
    const std::optional<std::string> line = take_line();
    if (!line) break;
    if (std::optional<ClientEvent> event = on_line(*line)) return event;
  }
  if (phase_ != Phase::closed || ended_said_) return std::nullopt;
  ended_said_ = true;
  return Ended{trouble_};
}

std::optional<std::string> ClientCore::take_line() {
  const std::size_t end = input_.find('\n');
  const std::string_view piece = input_.substr(0, end == std::string_view::npos ? end : end + 1);
  if (line_.size() + piece.size() > limits_.line) {
    close("the server's line is too long");
    return std::nullopt;
  }
  line_ += piece;
  input_.remove_prefix(piece.size());
  if (end == std::string_view::npos) return std::nullopt;
  line_.pop_back();
  if (!line_.empty() && line_.back() == '\r') line_.pop_back();
  return std::exchange(line_, {});
}

std::optional<ClientEvent> ClientCore::take_message() {
  MessageOctets message;
  message.id = commands_.front().id;
  input_.remove_prefix(decoder_.feed(input_, message.octets));
  if (!message.octets.empty()) return message;
  if (!decoder_.ended()) return std::nullopt;
  return finish(first_);
}

std::optional<ClientEvent> ClientCore::on_line(const std::string& line) {
  if (inside_) return on_list_line(line);
  const bool challenge = line == "+" || line.compare(0, 2, "+ ") == 0;
  if (challenge && sent_ > 0 && commands_.front().kind == Kind::login)
    return Challenge{commands_.front().id, line.substr(std::min<std::size_t>(2, line.size()))};
  const std::optional<Reply> reply = parse_reply(line);
  if (!reply) {
    close(phase_ == Phase::greeting
              ? "this is no POP3 server: it said '" + printable(line, 60) + "'"
              : "the server's reply '" + printable(line, 60) + "' can't be read");
    return std::nullopt;
  }
  return on_reply(*reply);
}

std::optional<ClientEvent> ClientCore::on_reply(const Reply& reply) {
  if (phase_ == Phase::greeting) {
    greeting_ = reply;
    if (!reply.ok) {
      close("the server refuses the connection: " + reply.text);
      return std::nullopt;
    }
    phase_ = Phase::authorization;
    push();
    return std::nullopt;
  }
  if (sent_ == 0) {
    close("the server speaks without being asked: " + reply.text);
    return std::nullopt;
  }
  const Command& command = commands_.front();
  if (!reply.ok || command.answer == Answer::line) return finish(reply);
  inside_ = true;
  first_ = reply;
  lines_ = 0;
  list_octets_ = 0;
  decoder_ = BodyDecoder();
  heard_ = ServerCapabilities();
  heard_.known = true;
  return std::nullopt;
}

std::optional<ClientEvent> ClientCore::on_list_line(std::string line) {
  const Command& command = commands_.front();
  if (line == ".") return finish(first_);
  const std::size_t most = command.kind == Kind::capa ? limits_.capabilities : limits_.list;
  list_octets_ += line.size();
  if (++lines_ > most || list_octets_ > limits_.list_octets) {
    close("the server's list is too long");
    return std::nullopt;
  }
  if (line[0] == '.') line.erase(0, 1);
  if (command.kind == Kind::capa) note_capability(line);
  return AnswerLine{command.id, std::move(line)};
}

ClientEvent ClientCore::finish(Reply reply) {
  const Command command = std::move(commands_.front());
  commands_.pop_front();
  --sent_;
  inside_ = false;
  if (command.kind == Kind::capa && reply.ok) capabilities_ = heard_;
  if (command.kind == Kind::stls && reply.ok) {
    // What came behind the +OK came from whoever is between us and the server.
    phase_ = Phase::handshake;
    input_ = {};
    line_.clear();
    return Secure();
  }
  const bool logs_in = command.kind == Kind::login && !istarts_with(command.line, "USER ");
  if (logs_in && reply.ok) phase_ = Phase::transaction;
  if (command.kind == Kind::quit && reply.ok) close("the session is over");
  push();
  return Answered{command.id, std::move(reply)};
}

void ClientCore::note_capability(std::string_view line) {
  const std::vector<std::string_view> parts = words(line);
  if (parts.empty()) return;
  const std::string name = upper(parts[0]);
  heard_.top |= name == "TOP";
  heard_.user |= name == "USER";
  heard_.uidl |= name == "UIDL";
  heard_.stls |= name == "STLS";
  heard_.pipelining |= name == "PIPELINING";
  heard_.utf8 |= name == "UTF8";
  if (name != "SASL") return;
  for (std::size_t i = 1; i < parts.size(); ++i) heard_.mechanisms.push_back(upper(parts[i]));
}

}  // namespace posthorn::pop3
