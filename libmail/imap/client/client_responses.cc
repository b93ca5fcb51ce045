// What a server says, and what it means for the connection and the selected mailbox.
#include <algorithm>

#include "libmail/base/text.h"
#include "libmail/imap/client/client.h"

namespace posthorn::imap::client {

namespace {

bool is_success(const StatusText& status) {
  return status.condition == Condition::ok;
}

// So much of the number of mailboxes and words a server enables is believed.
constexpr std::size_t most_enabled = 200;

}  // namespace

std::optional<Event> Core::next() {
  if (phase_ != Phase::closed) {
    if (std::optional<Event> event = step()) return event;
  }
  if (phase_ != Phase::closed || closed_said_) return std::nullopt;
  closed_said_ = true;
  return Closed{trouble_};
}

std::optional<Event> Core::step() {
  while (phase_ != Phase::closed) {
    if (body_ends_) {
      body_ends_ = false;
      return BodyEnds();
    }
    switch (reader_.read(input_)) {
      case LineReader::Event::more:
      case LineReader::Event::dropped:
        return std::nullopt;
      case LineReader::Event::part:
        body_ends_ = reader_.left() == 0;
        return BodyOctets{reader_.part()};
      case LineReader::Event::literal:
        if (std::optional<Event> event = on_literal()) return event;
        break;
      case LineReader::Event::line:
        if (std::optional<Event> event = on_line()) return event;
        break;
      case LineReader::Event::error:
        close("the server's response can't be read: " + std::string(text_of(reader_.error())));
        break;
    }
  }
  return std::nullopt;
}

std::optional<Event> Core::on_literal() {
  const Literal literal = reader_.literal();
  const std::string_view text = reader_.line().text;
  std::optional<FetchItem> item = tracker_.announced(text);
  if (!item || literal.size <= options_.keep_bodies) {
    tracker_.passed(text, static_cast<std::size_t>(literal.size));
    // Too large: the reader says so with its next event.
    (void)reader_.keep();
    return std::nullopt;
  }
  tracker_.passed(text, 0);
  BodyBegins begins;
  begins.number = tracker_.number();
  begins.uid = tracker_.uid() != 0 ? tracker_.uid() : view_.uid_of(begins.number);
  begins.item = std::move(*item);
  begins.size = literal.size;
  reader_.stream();
  body_ends_ = literal.size == 0;
  return begins;
}

std::optional<Event> Core::on_line() {
  const Line line = reader_.take_line();
  tracker_.reset();
  if (phase_ != Phase::greeting && line.text.substr(0, 1) == "+") return on_continuation(line.text);
  Result<ResponseLine, SyntaxError> response = parse_response(line, utf8_);
  if (!response && phase_ != Phase::greeting) {
    close("the server's response '" + printable(line.text, 60) +
          "' can't be read: " + response.error().text());
    return std::nullopt;
  }
  if (phase_ == Phase::greeting) {
    const auto* const status = response ? std::get_if<StatusText>(&response->body) : nullptr;
    if (status != nullptr && response->tag == "*") return on_greeting(*status);
    close("this is no IMAP server: it said '" + printable(line.text, 60) + "'");
    return std::nullopt;
  }
  if (response->tag == "*") return on_untagged(std::move(response->body));
  return on_tagged(response->tag, std::get<StatusText>(std::move(response->body)));
}

std::optional<Event> Core::on_greeting(const StatusText& status) {
  greeting_ = status;
  switch (status.condition) {
    case Condition::ok:
      phase_ = Phase::not_authenticated;
      break;
    case Condition::preauth:
      phase_ = Phase::authenticated;
      break;
    default:
      close("the server refuses the connection: " + status.text);
      return std::nullopt;
  }
  apply_code(status.code);
  push();
  return Untagged{status};
}

std::optional<Event> Core::on_continuation(std::string_view line) {
  std::string text(
      line.substr(std::min<std::size_t>(line.size(), line.substr(0, 2) == "+ " ? 2 : 1)));
  if (sent_.empty()) {
    close("the server said + to nothing");
    return std::nullopt;
  }
  Sent& last = sent_.back();
  if (last.written < last.request.text.size()) {
    ++last.next_break;
    write_on(last);
    push();
    return std::nullopt;
  }
  if (last.request.octets && !last.octets_welcome) {
    last.octets_welcome = true;
    octets_left_ = *last.request.octets;
    octets_tail_ = last.request.behind_octets + "\r\n";
    const CommandId id = last.id;
    if (octets_left_ == 0) octets("");
    return Continuation{id, std::move(text)};
  }
  if (!last.request.continues) {
    close("the server said + where it wasn't asked to");
    return std::nullopt;
  }
  if (last.request.name == "IDLE") idling_ = true;
  return Continuation{last.id, std::move(text)};
}

std::optional<Event> Core::on_tagged(const std::string& tag, StatusText status) {
  const auto place =
      std::find_if(sent_.begin(), sent_.end(), [&tag](const Sent& one) { return one.tag == tag; });
  if (place == sent_.end()) {
    close("the server answers a command that it wasn't given");
    return std::nullopt;
  }
  const bool waits = place->written < place->request.text.size();
  if (waits && is_success(status)) {
    close("the server says OK to a command that it hasn't heard to its end");
    return std::nullopt;
  }
  const Sent command = std::move(*place);
  sent_.erase(place);
  apply_code(status.code);
  after(command, status);
  if (command.request.name == "STARTTLS" && is_success(status)) {
    // What came behind the OK came from whoever is between us and the server (CVE-2011-0411 and its kin).
    phase_ = Phase::handshake;
    input_ = {};
    return StartTls();
  }
  push();
  return Done{command.id, std::move(status)};
}

void Core::after(const Sent& command, const StatusText& status) {
  const std::string& name = command.request.name;
  const bool ok = is_success(status);
  if (name == "IDLE") idling_ = false;
  if (name == "SELECT" || name == "EXAMINE") {
    selecting_ = false;
    phase_ = ok ? Phase::selected : Phase::authenticated;
    if (!ok) mailbox_ = Selected();
    if (!ok) view_.clear();
    if (ok && name == "EXAMINE") mailbox_.read_only = true;
  } else if (!ok) {
    return;
  } else if (name == "LOGIN" || name == "AUTHENTICATE") {
    phase_ = Phase::authenticated;
  } else if (name == "CLOSE" || name == "UNSELECT") {
    phase_ = Phase::authenticated;
    mailbox_ = Selected();
    view_.clear();
  } else if (name == "UNAUTHENTICATE") {
    phase_ = Phase::not_authenticated;
    enabled_.clear();
    utf8_ = false;
    capabilities_known_ = false;
    mailbox_ = Selected();
    view_.clear();
  } else if (name == "LOGOUT") {
    close("logged out");
  }
}

std::optional<Event> Core::on_untagged(Response data) {
  if (!apply(data)) {
    close("the server said what cannot be of the mailbox");
    return std::nullopt;
  }
  return Untagged{std::move(data)};
}

bool Core::apply(const Response& data) {
  // While SELECT is under way, what comes before [CLOSED] is about the mailbox that is being left.
  const bool believed = phase_ == Phase::selected && !selecting_;
  if (const auto* const status = std::get_if<StatusText>(&data)) {
    apply_code(status->code);
    if (status->condition == Condition::bye) bye_ = status->text.empty() ? "BYE" : status->text;
  } else if (const auto* const exists = std::get_if<Exists>(&data)) {
    mailbox_.exists = exists->count;
    if (!view_.exists(exists->count)) return !believed;
  } else if (const auto* const expunged = std::get_if<Expunged>(&data)) {
    if (!view_.expunged(expunged->number)) return !believed;
    mailbox_.exists = view_.count();
  } else if (const auto* const vanished = std::get_if<Vanished>(&data)) {
    if (!view_.vanished(vanished->uids, vanished->earlier)) return !believed;
    mailbox_.exists = view_.count();
  } else if (const auto* const fetched = std::get_if<Fetched>(&data)) {
    if (!view_.fetched(*fetched)) return !believed;
    if (fetched->uid >= mailbox_.uid_next && mailbox_.uid_next != 0 && fetched->uid < 0xffffffff)
      mailbox_.uid_next = fetched->uid + 1;
  } else if (const auto* const flags = std::get_if<FlagsList>(&data)) {
    mailbox_.flags = flags->flags;
  } else if (const auto* const capability = std::get_if<CapabilityData>(&data)) {
    capabilities_ = capability->capabilities;
    capabilities_known_ = true;
  } else if (const auto* const enabled = std::get_if<Enabled>(&data)) {
    for (const std::string& one : enabled->capabilities)
      if (enabled_.size() < most_enabled && !is_enabled(one)) enabled_.push_back(one);
    utf8_ = is_enabled("UTF8=ACCEPT") || is_enabled("IMAP4rev2");
  }
  return true;
}

void Core::apply_code(const ResponseCode& code) {
  if (code.name.empty()) return;
  const auto number = [&code] { return number_of(code).value_or(0); };
  if (code.is("CAPABILITY")) {
    capabilities_ = Capabilities::parse(code.arguments);
    capabilities_known_ = true;
  } else if (code.is("UIDVALIDITY")) {
    const auto validity = static_cast<std::uint32_t>(number());
    // It can't change while the mailbox is selected; if it does, no UID means anything any more.
    if (mailbox_.uid_validity != 0 && validity != mailbox_.uid_validity) {
      const std::uint32_t count = view_.count();
      view_.clear();
      (void)view_.exists(count);
    }
    mailbox_.uid_validity = validity;
  } else if (code.is("UIDNEXT")) {
    mailbox_.uid_next = static_cast<std::uint32_t>(number());
  } else if (code.is("HIGHESTMODSEQ")) {
    mailbox_.highest_modseq = number();
  } else if (code.is("NOMODSEQ")) {
    mailbox_.highest_modseq = 0;
  } else if (code.is("UNSEEN")) {
    mailbox_.first_unseen = static_cast<std::uint32_t>(number());
  } else if (code.is("READ-ONLY") || code.is("READ-WRITE")) {
    mailbox_.read_only = code.is("READ-ONLY");
  } else if (code.is("UIDNOTSTICKY")) {
    mailbox_.uid_not_sticky = true;
  } else if (code.is("PERMANENTFLAGS")) {
    Dialect lenient;
    lenient.lenient = true;
    Scanner in(code.arguments, lenient);
    mailbox_.permanent_flags = scan_flag_list(in, FlagUse::reading);
  } else if (code.is("MAILBOXID")) {
    const std::string_view id = code.arguments;
    if (id.size() > 2) mailbox_.mailbox_id = id.substr(1, id.size() - 2);
  } else if (code.is("CLOSED") && selecting_) {
    std::string name = std::move(mailbox_.name);
    mailbox_ = Selected();
    mailbox_.name = std::move(name);
    view_.clear();
  }
}

}  // namespace posthorn::imap::client
