#include "libmail/milter/answer.h"

#include <fmt/format.h>

#include "libmail/base/text.h"

namespace posthorn::milter {

namespace {

using Kind = Verdict::Kind;
using Parsed = Result<Answer, std::string>;

constexpr std::size_t max_reply_text = 8192;

// A text that its NUL may have been forgotten of.
std::string_view take_last_text(std::string_view& data) {
  const std::optional<std::string_view> text = take_text(data);
  return text ? *text : std::exchange(data, std::string_view());
}

Parsed not_enough(std::string_view what) {
  return fail(fmt::format("{} is cut short", what));
}

Parsed parse_agreement(std::string_view data) {
  Agreement agreement;
  for (std::uint32_t* into : {&agreement.version, &agreement.actions, &agreement.steps}) {
    const std::optional<std::uint32_t> number = take_number(data);
    if (!number) return not_enough("its answer to the negotiation");
    *into = *number;
  }
  while (!data.empty()) {
    const std::optional<std::uint32_t> stage = take_number(data);
    const std::optional<std::string_view> names = take_text(data);
    if (!stage || !names) return not_enough("its list of macros");
    if (*stage < stages) agreement.macros[*stage] = std::string(*names);
  }
  return Answer(agreement);
}

// A name and a value: two texts.
template <class T>
Parsed parse_field(T field, std::string_view data) {
  const std::optional<std::string_view> name = take_text(data);
  if (!name) return not_enough("a header field");
  field.name = *name;
  field.value = take_last_text(data);
  return Answer(Change(std::move(field)));
}

template <class T>
Parsed parse_indexed_field(std::string_view data) {
  T field;
  const std::optional<std::uint32_t> index = take_number(data);
  if (!index) return not_enough("a header field");
  field.index = *index;
  return parse_field(std::move(field), data);
}

template <class T>
Parsed parse_path(std::string_view data) {
  T change;
  change.path = take_last_text(data);
  if constexpr (requires { change.parameters; }) change.parameters = take_last_text(data);
  return Answer(Change(std::move(change)));
}

Parsed parse_reply_packet(std::string_view data) {
  std::optional<smtp::Reply> reply = parse_reply_code(take_last_text(data));
  if (!reply) return fail(std::string("a reply without a code of 4xx or 5xx"));
  Kind kind = reply->transient() ? Kind::tempfail : Kind::reject;
  if (reply->code == 421) kind = Kind::shut_down;
  return Answer(Verdict(kind, std::move(*reply)));
}

}  // namespace

std::optional<smtp::Reply> parse_reply_code(std::string_view text) {
  text = text.substr(0, max_reply_text);
  smtp::Reply reply;
  bool first = true;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    const bool has_code = line.size() >= 3 && (line[0] == '4' || line[0] == '5') &&
                          is_digit(line[1]) && is_digit(line[2]) &&
                          (line.size() == 3 || line[3] == ' ' || line[3] == '-');
    if (has_code) {
      const int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
      if (first) reply.code = code;
      line.remove_prefix(line.size() == 3 ? 3 : 4);
    } else if (first) {
      return std::nullopt;
    }
    const std::optional<smtp::EnhancedStatus> status = smtp::take_enhanced_status(line);
    if (first && status && status->status_class == reply.code / 100) reply.status = *status;
    if (!first) reply.text += '\n';
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '%' && i + 1 < line.size() && line[i + 1] == '%')
        ++i;  // a filter has to double it
      reply.text += static_cast<unsigned char>(line[i]) < 32 || line[i] == 127 ? '?' : line[i];
    }
    first = false;
  }
  if (first) return std::nullopt;
  if (reply.status.none()) {
    reply.status = smtp::EnhancedStatus(static_cast<std::uint8_t>(reply.code / 100), 7, 1);
  }
  if (reply.text.empty()) reply.text = "Refused by a filter";
  return reply;
}

Result<Answer, std::string> parse_answer(const Packet& packet) {
  const std::string_view data = packet.data;
  switch (packet.letter) {
    case 'O':
      return parse_agreement(data);
    case 'a':
      return Answer(Verdict(Kind::accept));
    case 'c':
      return Answer(Verdict(Kind::carry_on));
    case 'd':
      return Answer(Verdict(Kind::discard));
    case 'r':
      return Answer(Verdict(Kind::reject, {550, {5, 7, 1}, "Command rejected"}));
    case 't':
      return Answer(
          Verdict(Kind::tempfail, {451, {4, 7, 1}, "Service unavailable, try again later"}));
    case '4':
      return Answer(Verdict(Kind::shut_down, {421, {4, 7, 0}, "Server closing connection"}));
    case 'y':
      return parse_reply_packet(data);
    case 's':
      return Answer(Verdict(Kind::skip));
    case 'p':
      return Answer(Progress());
    case 'f':
      return fail(std::string("it says that its connection failed"));
    case 'h':
      return parse_field(AddField(), data);
    case 'i':
      return parse_indexed_field<InsertField>(data);
    case 'm':
      return parse_indexed_field<ChangeField>(data);
    case 'b':
      return Answer(Change(ReplaceBody{packet.data}));
    case '+':
    case '2':
      return parse_path<AddRecipient>(data);
    case '-':
      return parse_path<DeleteRecipient>(data);
    case 'e':
      return parse_path<ChangeSender>(data);
    case 'q': {
      std::string_view left = data;
      return Answer(Change(Quarantine{std::string(take_last_text(left))}));
    }
    default:
      break;
  }
  return fail(fmt::format("an answer of an unknown kind: {}",
                          printable(std::string_view(&packet.letter, 1), 8)));
}

}  // namespace posthorn::milter
