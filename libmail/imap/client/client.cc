#include "libmail/imap/client/client.h"

#include <algorithm>

#include "libmail/base/base64.h"
#include "libmail/base/text.h"

namespace posthorn::imap::client {

Core::Core(CoreOptions options)
    : options_(options),
      reader_(LineReader::Side::client, options.limits),
      view_(options.most_remembered) {}

void Core::feed(std::string_view octets) {
  input_ = octets;
}

void Core::secured() {
  secure_ = true;
  phase_ = Phase::not_authenticated;
  capabilities_ = Capabilities();
  capabilities_known_ = false;
  enabled_.clear();
  utf8_ = false;
  bye_.clear();
  input_ = {};
  reader_.reset();
  push();
}

void Core::lost(std::string_view why) {
  close(bye_.empty() ? std::string(why) : "the server said goodbye: " + bye_);
}

void Core::close(std::string why) {
  if (phase_ == Phase::closed) return;
  phase_ = Phase::closed;
  trouble_ = printable(why);
  waiting_.clear();
  sent_.clear();
  output_.clear();
  input_ = {};
  octets_left_ = 0;
  idling_ = false;
}

bool Core::is_enabled(std::string_view capability) const {
  return std::any_of(enabled_.begin(), enabled_.end(),
                     [capability](const std::string& one) { return iequals(one, capability); });
}

CommandId Core::send(Request request) {
  const CommandId id = next_id_++;
  waiting_.emplace_back(id, std::move(request));
  push();
  return id;
}

bool Core::writing() const {
  if (octets_left_ > 0 || !octets_tail_.empty()) return true;
  if (sent_.empty()) return false;
  const Sent& last = sent_.back();
  return last.written < last.request.text.size() || (last.request.octets && !last.octets_welcome);
}

bool Core::may_start(const Request& request) const {
  if (phase_ == Phase::greeting || phase_ == Phase::handshake || phase_ == Phase::closed)
    return false;
  if (sent_.empty()) return true;
  if (request.answers == Answers::alone || writing()) return false;
  return std::none_of(sent_.begin(), sent_.end(), [&request](const Sent& other) {
    const Answers answers = other.request.answers;
    const bool same_answers = answers == request.answers && answers != Answers::none;
    return answers == Answers::alone || same_answers ||
           (request.by_number && !other.request.by_number);
  });
}

void Core::push() {
  while (!waiting_.empty() && may_start(waiting_.front().second)) {
    Sent command;
    command.id = waiting_.front().first;
    command.tag = "A" + std::to_string(command.id);
    command.request = std::move(waiting_.front().second);
    waiting_.pop_front();
    begins(command.request);
    output_ += command.tag + ' ';
    sent_.push_back(std::move(command));
    write_on(sent_.back());
  }
}

// What a command changes as soon as it is said.
void Core::begins(const Request& request) {
  const std::string& name = request.name;
  if (name == "SELECT" || name == "EXAMINE") {
    selecting_ = true;
    mailbox_ = Selected();
    mailbox_.name = request.mailbox;
    view_.clear();
  } else if (name == "LOGIN" || name == "AUTHENTICATE") {
    capabilities_known_ = false;
  }
}

void Core::write_on(Sent& command) {
  const Request& request = command.request;
  const bool pauses = command.next_break < request.breaks.size();
  const std::size_t end = pauses ? request.breaks[command.next_break] : request.text.size();
  output_.append(request.text, command.written, end - command.written);
  command.written = end;
  if (end < request.text.size()) return;
  if (!request.octets) {
    output_ += "\r\n";
    return;
  }
  octets_left_ = 0;
  if (!request.octets_wait) {
    command.octets_welcome = true;
    octets_left_ = *request.octets;
    octets_tail_ = request.behind_octets + "\r\n";
    if (octets_left_ == 0) octets("");
  }
}

bool Core::may_send_octets(CommandId id) const {
  return std::any_of(sent_.begin(), sent_.end(), [id](const Sent& command) {
    return command.id == id && command.octets_welcome;
  });
}

void Core::octets(std::string_view piece) {
  piece = piece.substr(
      0, static_cast<std::size_t>(std::min<std::uint64_t>(octets_left_, piece.size())));
  output_ += piece;
  octets_left_ -= piece.size();
  if (octets_left_ > 0) return;
  output_ += std::exchange(octets_tail_, {});
  push();
}

void Core::respond(std::string_view octets) {
  output_ += encode_base64(octets) + "\r\n";
}

void Core::cancel_exchange() {
  output_ += "*\r\n";
}

void Core::done_idling() {
  if (!idling_) return;
  idling_ = false;
  output_ += "DONE\r\n";
}

}  // namespace posthorn::imap::client
