// Bodies of header fields: any octets are read as something, what comes out has no controls, and what we write
// of it we read back.
#include <cstdint>

#include "libmail/base/result.h"
#include "libmail/base/text.h"
#include "libmail/message/address_format.h"
#include "libmail/message/address_reader.h"
#include "libmail/message/base_subject.h"
#include "libmail/message/builder.h"
#include "libmail/message/date.h"
#include "libmail/message/encoded_word.h"
#include "libmail/message/filename.h"
#include "libmail/message/flowed.h"
#include "libmail/message/header.h"
#include "libmail/message/reply.h"
#include "libmail/message/sender_check.h"
#include "libmail/message/utf8.h"

using namespace posthorn;
using namespace posthorn::message;

namespace {

void hold(bool condition, int line = __builtin_LINE()) {
  check(condition, "what has to hold", __builtin_FILE(), line);
}

bool is_clean(std::string_view text) {
  if (!is_utf8(text)) return false;
  while (!text.empty()) {
    const char32_t c = take_code_point(text);
    if (is_control(c) && c != '\t') return false;
  }
  return true;
}

void addresses(std::string_view text) {
  const AddressList list = read_address_list(text);
  for (const Address& address : list.mailboxes) {
    (void)check_sender(address);
    if (!check_address(address)) continue;
    const auto again = parse_address_list(format_address(address));
    hold(again && again->mailboxes.size() == 1);
    hold(again->mailboxes[0].local_part == address.local_part);
  }
  const auto strict = parse_address_list(text);
  if (!strict) return;
  // What the parser that refuses accepts, the reader reads alike.
  hold(list.mailboxes.size() == strict->mailboxes.size());
  for (std::size_t i = 0; i < list.mailboxes.size(); ++i)
    hold(list.mailboxes[i].addr_spec() == strict->mailboxes[i].addr_spec());
}

void names(std::string_view text) {
  Anomalies anomalies;
  const ParameterList list = parse_parameters(text, anomalies);
  for (const Parameter& parameter : list.parameters) hold(is_clean(parameter.value));
  (void)part_filename(&list, &list);
  const std::string disk = filename_for_disk(text);
  hold(!disk.empty() && is_clean(disk) && disk.size() <= 200);
  hold(disk.find_first_of("/\\:") == std::string::npos && disk[0] != '.' && disk[0] != '-');
  hold(filename_for_disk(disk) == disk);
  hold(is_clean(filename_for_display(text)));
  Anomalies none;
  const ParameterList again = parse_parameters(format_parameter("name", text), none);
  hold(none.empty() && again.parameters.size() == 1);
}

void build(std::string_view text) {
  const std::string half(text.substr(0, text.size() / 2));
  Draft draft = make_reply(Header::parse(text), {});
  draft.from = {{half, "a", "b.test"}};
  BodyParts parts;
  parts.text = make_flowed(repair_utf8(text));
  BuildPart file;
  file.content = std::string(text);
  file.filename = half;
  file.disposition = Presentation::attachment;
  parts.attachments.push_back(file);
  parts.attachments.push_back(make_forwarded(std::string(text), false));
  draft.body = make_body(std::move(parts));
  const auto message = build_message(draft, {});
  hold(message.has_value());
  const Header header = Header::parse(*message);
  hold(!header.fault() && header.count("From") == 1 && header.count("Bcc") == 0);
  hold(header.count("Content-Type") == 1 && header.fields().size() <= 10);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  hold(is_clean(decode_encoded_words(text)));
  const std::string words = encode_text(text);
  hold(is_ascii(words) && is_clean(words));
  hold(is_clean(base_subject(text).text));
  addresses(text);
  names(text);
  build(text);
  if (const auto date = parse_date(text)) {
    const auto again = parse_date(format_date(date->time, date->zone));
    hold(again && again->time == date->time && again->zone == date->zone);
    hold(parse_internal_date(format_internal_date(date->time, date->zone))->time == date->time);
  }
  (void)reflow(parse_flowed(repair_utf8(text), true), 40);
  return 0;
}
