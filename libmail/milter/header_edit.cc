#include "libmail/milter/header_edit.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/text.h"
#include "libmail/message/header.h"
#include "libmail/smtp/dot.h"

namespace posthorn::milter {

namespace {

// However the filter ends and folds its lines, it stays one field.
std::string folded(std::string_view value) {
  while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) value.remove_suffix(1);
  std::string text;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const bool crlf = value[i] == '\r' && i + 1 < value.size() && value[i + 1] == '\n';
    if (crlf) continue;
    if (value[i] == '\r') {
      text += ' ';
    } else if (value[i] == '\n') {
      text += "\r\n";
      if (!is_space(value[i + 1])) text += '\t';
    } else {
      text += value[i];
    }
  }
  return text;
}

Result<HeaderEdit::Field, std::string> make_field(std::string_view name, std::string_view value,
                                                  bool leading_space) {
  if (!message::is_field_name(name)) {
    return fail(fmt::format("\"{}\" is no name of a header field", printable(name, 80)));
  }
  HeaderEdit::Field field;
  field.octets = fmt::format("{}:{}{}", name, leading_space ? "" : " ", folded(value));
  for (const std::string_view line : split(field.octets, '\n')) {
    if (line.size() <= smtp::default_body_line) continue;
    return fail(fmt::format("its header field {} has a line of {} octets", printable(name, 80),
                            line.size()));
  }
  field.octets += "\r\n";
  field.name_size = name.size();
  field.value = name.size() + 1;
  return field;
}

}  // namespace

std::string_view HeaderEdit::Field::raw_value() const {
  std::string_view text = std::string_view(octets).substr(value);
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
  return text;
}

HeaderEdit::HeaderEdit(std::string_view block, OurReceived received)
    : ours_is_above_(received == OurReceived::later) {
  message::HeaderLimits limits;
  limits.header_bytes = block.size();
  limits.fields = block.size();
  const message::Header header = message::Header::parse(block, limits);
  const std::size_t end = header.fault() ? header.fault()->offset : header.header_end();
  bool seen_ours = ours_is_above_;
  for (const message::Field& each : header.fields()) {
    if (each.begin >= end) break;
    Field& field = fields_.emplace_back();
    field.octets = header.whole(each);
    field.name_size = each.name_size;
    field.value = each.value - each.begin;
    field.ours = !seen_ours && iequals(field.name(), "Received");
    seen_ours = seen_ours || field.ours;
  }
  rest_ = block.substr(end);
}

Result<void, std::string> HeaderEdit::apply(const AddField& change, bool leading_space) {
  auto field = make_field(change.name, change.value, leading_space);
  if (!field) return fail(std::move(field.error()));
  fields_.push_back(std::move(*field));
  return {};
}

Result<void, std::string> HeaderEdit::apply(const InsertField& change, bool leading_space) {
  auto field = make_field(change.name, change.value, leading_space);
  if (!field) return fail(std::move(field.error()));
  std::size_t place = change.index;
  if (ours_is_above_ && place > 0)
    --place;  // nothing stands above ours: final delivery has put it there
  place = std::min(place, fields_.size());
  fields_.insert(fields_.begin() + static_cast<std::ptrdiff_t>(place), std::move(*field));
  return {};
}

Result<void, std::string> HeaderEdit::apply(const ChangeField& change, bool leading_space) {
  std::uint32_t left = std::max<std::uint32_t>(change.index, 1);
  const auto found = std::find_if(fields_.begin(), fields_.end(), [&](const Field& field) {
    return !field.ours && iequals(field.name(), change.name) && --left == 0;
  });
  if (change.value.empty()) {
    if (found != fields_.end()) fields_.erase(found);
    return {};
  }
  auto field = make_field(change.name, change.value, leading_space);
  if (!field) return fail(std::move(field.error()));
  if (found == fields_.end()) {
    fields_.push_back(std::move(*field));  // as Sendmail does
  } else {
    *found = std::move(*field);
  }
  return {};
}

std::string HeaderEdit::text() const {
  std::string text;
  for (const Field& field : fields_) text += field.octets;
  // A line that is no field would go on with the last one, or be taken for one.
  return text += rest_;
}

}  // namespace posthorn::milter
