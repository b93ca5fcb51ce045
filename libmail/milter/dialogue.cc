#include "libmail/milter/dialogue.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/result.h"
#include "libmail/base/text.h"

namespace posthorn::milter {

namespace {

using Kind = Verdict::Kind;

std::string joined(const std::vector<std::string>& arguments) {
  std::string data;
  for (const std::string& argument : arguments) data.append(argument) += '\0';
  return data;
}

std::string_view without_braces(std::string_view name) {
  if (name.size() >= 2 && name.front() == '{' && name.back() == '}') {
    name = name.substr(1, name.size() - 2);
  }
  return name;
}

// libmilter's filters expect lines that end in LF, and no blank behind the colon unless they have asked for it.
std::string value_to_send(std::string_view value, bool leading_space) {
  if (!leading_space && !value.empty() && is_space(value.front())) value.remove_prefix(1);
  std::string text;
  text.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    const bool crlf = value[i] == '\r' && i + 1 < value.size() && value[i + 1] == '\n';
    if (!crlf) text += value[i];
  }
  return text;
}

std::size_t octets_of(const Change& change) {
  struct Count {
    std::size_t operator()(const AddField& c) const { return c.name.size() + c.value.size(); }
    std::size_t operator()(const InsertField& c) const { return c.name.size() + c.value.size(); }
    std::size_t operator()(const ChangeField& c) const { return c.name.size() + c.value.size(); }
    std::size_t operator()(const ReplaceBody& c) const { return c.octets.size(); }
    std::size_t operator()(const AddRecipient& c) const {
      return c.path.size() + c.parameters.size();
    }
    std::size_t operator()(const DeleteRecipient& c) const { return c.path.size(); }
    std::size_t operator()(const ChangeSender& c) const {
      return c.path.size() + c.parameters.size();
    }
    std::size_t operator()(const Quarantine& c) const { return c.reason.size(); }
  };
  return std::visit(Count(), change);
}

}  // namespace

Dialogue::Dialogue(std::uint32_t version, Limits limits)
    : version_(version), limits_(limits), reader_(limits.packet) {
  check(version >= oldest_version && version <= newest_version, "a milter version is from 2 to 6");
}

void Dialogue::negotiate() {
  std::string offer;
  append_number(offer, version_);
  append_number(offer, actions_of(version_));
  append_number(offer, steps_of(version_));
  append_packet(output_, static_cast<char>(Command::negotiate), offer);
  pending_ = Pending::negotiation;
  asked_ = Command::negotiate;
}

bool Dialogue::begin(const Step& step, std::string_view data, const Macros* macros) {
  check(pending_ == Pending::none, "a filter is asked while it owes an answer");
  verdict_ = Verdict();
  if (!problem_.empty() || is_settled() || (agreement_.steps & step.absent) != 0) return false;
  if (macros != nullptr) put_macros(step, *macros);
  append_packet(output_, static_cast<char>(step.command), data);
  if ((agreement_.steps & step.silent) != 0) return true;
  pending_ = Pending::step;
  asked_ = step.command;
  return true;
}

bool Dialogue::chose(Stage stage, std::string_view macro) const {
  const auto& chosen = agreement_.macros[static_cast<std::size_t>(stage)];
  if (!chosen) return true;
  std::string list = *chosen;
  std::replace(list.begin(), list.end(), ',', ' ');
  const std::vector<std::string_view> names = words(list);
  return std::any_of(names.begin(), names.end(), [macro](std::string_view name) {
    return without_braces(name) == without_braces(macro);
  });
}

void Dialogue::put_macros(const Step& step, const Macros& macros) {
  std::string data(1, static_cast<char>(step.command));
  for (const Macro& macro : macros) {
    if (macro.value.empty() || !chose(step.stage, macro.name)) continue;
    data.append(macro.name) += '\0';
    data.append(macro.value) += '\0';
  }
  if (data.size() > 1) append_packet(output_, static_cast<char>(Command::macros), data);
}

void Dialogue::connect(std::string_view host, const ClientAddress& client, const Macros& macros) {
  std::string data(host);
  data += '\0';
  data += client.family;
  if (client.family != 'U') {
    data += static_cast<char>(client.port >> 8);
    data += static_cast<char>(client.port & 0xff);
    data.append(client.address) += '\0';
  }
  const Step step{Command::connect, step::no_connect, step::silent_connect, Stage::connect};
  begin(step, data, &macros);
}

void Dialogue::hello(std::string_view name, const Macros& macros) {
  const Step step{Command::hello, step::no_hello, step::silent_hello, Stage::hello};
  begin(step, std::string(name) + '\0', &macros);
}

void Dialogue::mail(const std::vector<std::string>& arguments, const Macros& macros) {
  message_settled_ = skips_fields_ = skips_body_ = replaces_body_ = false;
  changes_.clear();
  body_.clear();
  change_count_ = change_octets_ = 0;
  body_octets_ = 0;
  in_message_ = problem_.empty() && !session_settled_;
  const Step step{Command::mail, step::no_mail, step::silent_mail, Stage::mail};
  begin(step, joined(arguments), &macros);
}

void Dialogue::rcpt(const std::vector<std::string>& arguments, const Macros& macros) {
  const Step step{Command::rcpt, step::no_rcpt, step::silent_rcpt, Stage::rcpt};
  begin(step, joined(arguments), &macros);
}

void Dialogue::data(const Macros& macros) {
  verdict_ = Verdict();
  if (agreement_.version < 4) return;
  const Step step{Command::data, step::no_data, step::silent_data, Stage::data};
  begin(step, {}, &macros);
}

void Dialogue::field(std::string_view name, std::string_view value) {
  verdict_ = Verdict();
  if (skips_fields_) return;
  std::string data(name);
  data += '\0';
  data += value_to_send(value, (agreement_.steps & step::leading_space) != 0);
  data += '\0';
  const Step step{Command::field, step::no_fields, step::silent_fields, Stage::data};
  begin(step, data, nullptr);
}

void Dialogue::end_of_header(const Macros& macros) {
  const Step step{Command::end_of_header, step::no_end_of_header, step::silent_end_of_header,
                  Stage::end_of_header};
  begin(step, {}, &macros);
}

bool Dialogue::wants_body() const {
  return problem_.empty() && !is_settled() && !skips_body_ &&
         (agreement_.steps & step::no_body) == 0;
}

void Dialogue::body(std::string_view octets) {
  check(octets.size() <= body_chunk, "a piece of a body is larger than a milter takes");
  verdict_ = Verdict();
  if (skips_body_) return;
  const Step step{Command::body, step::no_body, step::silent_body, Stage::data};
  begin(step, octets, nullptr);
}

void Dialogue::end_of_message(const Macros& macros) {
  const Step step{Command::end_of_message, 0, 0, Stage::end_of_message};
  begin(step, {}, &macros);
}

void Dialogue::abort() {
  message_settled_ = false;
  verdict_ = Verdict();
  if (!std::exchange(in_message_, false) || !problem_.empty()) return;
  append_packet(output_, static_cast<char>(Command::abort), {});
}

void Dialogue::quit() {
  if (problem_.empty()) append_packet(output_, static_cast<char>(Command::quit), {});
}

void Dialogue::feed(std::string_view octets) {
  reader_.feed(octets);
  while (problem_.empty()) {
    std::optional<Packet> packet = reader_.next();
    if (!reader_.problem().empty()) return fail_with("it sends " + reader_.problem());
    if (!packet) break;
    if (pending_ == Pending::none) return fail_with("it says more than it was asked");
    Result<Answer, std::string> answer = parse_answer(*packet);
    if (!answer) return fail_with(std::move(answer.error()));
    take(std::move(*answer));
  }
}

void Dialogue::take(Answer answer) {
  if (auto* agreement = std::get_if<Agreement>(&answer)) return agree(*agreement);
  if (pending_ == Pending::negotiation) {
    return fail_with("it answers something else than the negotiation");
  }
  if (auto* verdict = std::get_if<Verdict>(&answer)) return decide(*verdict);
  if (asked_ != Command::end_of_message) {
    return fail_with("what is said at the end of a message only comes before that");
  }
  if (std::holds_alternative<Progress>(answer)) {
    progress_ = true;
  } else {
    change(std::move(std::get<Change>(answer)));
  }
}

void Dialogue::agree(const Agreement& agreement) {
  if (pending_ != Pending::negotiation) return fail_with("it negotiates a second time");
  if (agreement.version < oldest_version || agreement.version > version_) {
    return fail_with(fmt::format("it speaks version {} of the protocol, and {} to {} were offered",
                                 agreement.version, oldest_version, version_));
  }
  if ((agreement.actions & ~actions_of(version_)) != 0) {
    return fail_with("it wants actions that were not offered");
  }
  if ((agreement.steps & ~steps_of(version_)) != 0) {
    return fail_with("it wants a protocol that was not offered");
  }
  agreement_ = agreement;
  pending_ = Pending::none;
}

void Dialogue::change(Change change) {
  if (auto* piece = std::get_if<ReplaceBody>(&change)) {
    replaces_body_ = true;
    body_octets_ += piece->octets.size();
    if (body_octets_ > limits_.body) {
      return fail_with(fmt::format("its new body has more than {} octets", limits_.body));
    }
    body_ += piece->octets;
    return;
  }
  change_octets_ += octets_of(change);
  if (++change_count_ > limits_.changes || change_octets_ > limits_.change_octets) {
    return fail_with(fmt::format("it makes more than {} changes, or of more than {} octets",
                                 limits_.changes, limits_.change_octets));
  }
  changes_.push_back(std::move(change));
}

void Dialogue::decide(const Verdict& verdict) {
  const bool before_message = asked_ == Command::connect || asked_ == Command::hello;
  if (verdict.kind == Kind::discard && before_message) {
    return fail_with("it discards a message that has not begun");
  }
  pending_ = Pending::none;
  verdict_ = verdict;
  switch (verdict.kind) {
    case Kind::carry_on:
      break;
    case Kind::skip:
      skips_fields_ = skips_fields_ || asked_ == Command::field;
      skips_body_ = skips_body_ || asked_ == Command::body;
      verdict_ = Verdict();
      break;
    case Kind::accept:
    case Kind::shut_down:
      (before_message ? session_settled_ : message_settled_) = true;
      break;
    case Kind::discard:
      message_settled_ = true;
      break;
    case Kind::reject:
    case Kind::tempfail:
      // At RCPT it is about that recipient alone; at connect and hello the client may go on to try.
      message_settled_ = !before_message && asked_ != Command::rcpt;
      break;
  }
  if (asked_ == Command::end_of_message) in_message_ = false;
}

void Dialogue::fail_with(std::string why) {
  problem_ = std::move(why);
  pending_ = Pending::none;
}

}  // namespace posthorn::milter
