#include "libmail/message/part_header.h"

#include <algorithm>
#include <cstring>

#include "libmail/base/text.h"
#include "libmail/message/header.h"

namespace posthorn::message {
namespace {

bool has_8bit(std::string_view text) {
  std::uint64_t any = 0;
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    any |= word;
  }
  bool rest = false;
  for (; at < text.size(); ++at) rest |= is_8bit(text[at]);
  return rest || (any & 0x8080808080808080U) != 0;
}

// FNV-1a over everything but blanks and line ends: two bodies that only fold otherwise say the same.
std::uint64_t hash_on(std::uint64_t hash, std::string_view text) {
  for (const char c : text) {
    if (is_space(c) || c == '\r' || c == '\n') continue;
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  }
  return hash;
}
constexpr std::uint64_t hash_start = 0xcbf29ce484222325U;

// In the octets of the message: `value` is well-formed UTF-8, and a delimiter need not be.
std::string boundary_of(const ParameterList& list) {
  const Parameter* parameter = list.find("boundary");
  if (parameter == nullptr) return {};
  if (!parameter->extended) {
    const auto raw = std::find_if(list.raw.begin(), list.raw.end(), [](const RawParameter& one) {
      return iequals(one.name, "boundary");
    });
    if (raw != list.raw.end()) return raw->value;
  }
  return parameter->value;
}

// RFC 2046 5.1.1. Blanks at the end can't be told from those behind a delimiter; `field` shows
// whether there were quoted pairs, which many readers take for a backslash.
bool is_good_boundary(std::string_view boundary, std::string_view field) {
  constexpr std::string_view specials = "'()+_,-./:=? ";
  return boundary.size() <= 70 && boundary.back() != ' ' &&
         field.find('\\') == std::string_view::npos &&
         std::all_of(boundary.begin(), boundary.end(), [&](char c) {
           return is_alnum(c) || specials.find(c) != std::string_view::npos;
         });
}

}  // namespace

PartHeaderReader::PartHeaderReader(const MimeLimits& limits, Anomalies& anomalies)
    : limits_(limits), anomalies_(anomalies) {}

void PartHeaderReader::begin(std::uint64_t offset, bool whole_message) {
  whole_message_ = whole_message;
  too_large_ = false;
  too_many_ = false;
  begin_ = offset;
  fields_ = 0;
  seen_ = {};
  in_field_ = false;
}

// The length tells nearly all of them apart.
PartHeaderReader::Known PartHeaderReader::recognise(std::string_view name) {
  const auto is = [&](std::string_view wanted, Known known) {
    return iequals(name, wanted) ? known : Known::none;
  };
  const char first = name.empty() ? '\0' : to_lower(name.front());
  switch (name.size()) {
    case 2:
      return first == 't' ? is("To", Known::to) : is("Cc", Known::cc);
    case 3:
      return is("Bcc", Known::bcc);
    case 4:
      return first == 'f' ? is("From", Known::from) : is("Date", Known::date);
    case 6:
      return is("Sender", Known::sender);
    case 7:
      return is("Subject", Known::subject);
    case 8:
      return is("Reply-To", Known::reply_to);
    case 10:
      if (first == 'c') return is("Content-ID", Known::content_id);
      return first == 'm' ? is("Message-ID", Known::message_id)
                          : is("References", Known::references);
    case 11:
      return is("In-Reply-To", Known::in_reply_to);
    case 12:
      return first == 'c' ? is("Content-Type", Known::content_type)
                          : is("MIME-Version", Known::mime_version);
    case 19:
      return name[8] == 'd' || name[8] == 'D'
                 ? (to_lower(name[9]) == 'i'
                        ? is("Content-Disposition", Known::content_disposition)
                        : is("Content-Description", Known::content_description))
                 : Known::none;
    case 25:
      return is("Content-Transfer-Encoding", Known::content_transfer_encoding);
    default:
      return Known::none;
  }
}

void PartHeaderReader::check_octets(const Line& line) {
  const std::string_view text = line.text;
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos)
    note(AnomalyKind::nul_in_header, line.offset + nul);
  if (const std::size_t cr = text.find('\r'); cr != std::string_view::npos)
    note(AnomalyKind::bare_cr_in_header, line.offset + cr);
  if (has_8bit(text) && !is_utf8(text)) note(AnomalyKind::unencoded_8bit, line.offset);
}

void PartHeaderReader::take(const Line& line) {
  if (!too_large_ && line.end() - begin_ > limits_.header_bytes) {
    too_large_ = true;
    end_field();
    note(AnomalyKind::header_too_large, line.offset);
  }
  if (too_large_) return;
  check_octets(line);
  if (line.text.empty() || !is_space(line.text.front())) {
    begin_field(line);
  } else if (in_field_) {
    continue_field(line);
  } else if (fields_ == 0 && line.offset == begin_) {
    note(AnomalyKind::leading_continuation, line.offset);
  } else if (!too_many_) {
    note(AnomalyKind::not_a_field, line.offset);
  }
}

void PartHeaderReader::begin_field(const Line& line) {
  end_field();
  if (too_many_) return;
  const std::size_t colon = line.text.find(':');
  std::string_view name = line.text.substr(0, colon == std::string_view::npos ? 0 : colon);
  if (!name.empty() && is_space(name.back())) {
    note(AnomalyKind::blank_before_colon, line.offset);
    while (!name.empty() && is_space(name.back())) name.remove_suffix(1);
  }
  if (!is_field_name(name)) {
    const bool mbox = whole_message_ && line.offset == begin_ &&
                      (line.text.substr(0, 5) == "From " || line.text.substr(0, 6) == ">From ");
    note(mbox ? AnomalyKind::mbox_from_line : AnomalyKind::not_a_field, line.offset);
    return;
  }
  if (fields_ >= limits_.fields) {
    too_many_ = true;
    note(AnomalyKind::too_many_fields, line.offset);
    return;
  }
  ++fields_;
  in_field_ = true;
  field_ = recognise(name);
  if (!whole_message_ && field_ > Known::content_description) field_ = Known::none;
  field_begin_ = line.offset;
  field_size_ = 0;
  long_noted_ = false;
  if (field_ != Known::none) {
    repeated_ = seen_[static_cast<std::size_t>(field_)].once;
    hash_ = hash_start;
    const auto index = static_cast<std::size_t>(field_);
    if (index < kept_fields && !repeated_) {
      kept_[index].body.clear();
      kept_[index].offset = line.offset + colon + 1;
    }
  }
  add_to_field(line.text.substr(colon + 1), line);
}

void PartHeaderReader::continue_field(const Line& line) {
  if (line.text.find_first_not_of(" \t\r") == std::string_view::npos && line.blank_tail)
    note(AnomalyKind::blank_folded_line, line.offset);
  add_to_field(line.text, line);
}

void PartHeaderReader::add_to_field(std::string_view text, const Line& line) {
  const std::uint64_t size = line.end() - field_begin_;
  if (size > limits_.field_bytes && !long_noted_) {
    long_noted_ = true;
    note(AnomalyKind::field_too_long, field_begin_);
  }
  if (field_ == Known::none || field_size_ >= limits_.field_bytes) return;
  text = text.substr(0, limits_.field_bytes - field_size_);
  field_size_ += text.size();
  hash_ = hash_on(hash_, text);
  const auto index = static_cast<std::size_t>(field_);
  if (index >= kept_fields || repeated_) return;
  kept_[index].body += text;
  if (line.crlf) kept_[index].body += '\r';
  if (line.ended) kept_[index].body += '\n';
}

void PartHeaderReader::end_field() {
  if (!in_field_) return;
  in_field_ = false;
  if (field_ == Known::none) return;
  Seen& seen = seen_[static_cast<std::size_t>(field_)];
  if (!seen.once) {
    seen = {true, hash_};
    return;
  }
  // Several To, Cc and Bcc fields are read as one by everybody.
  const bool addresses = field_ == Known::to || field_ == Known::cc || field_ == Known::bcc;
  note(seen.hash == hash_ || addresses ? AnomalyKind::duplicate_field
                                       : AnomalyKind::conflicting_field,
       field_begin_);
}

PartHeader PartHeaderReader::finish() {
  end_field();
  PartHeader header;
  header.fields = fields_;
  const auto kept = [&](Known known) -> const Kept* {
    const auto index = static_cast<std::size_t>(known);
    return seen_[index].once ? &kept_[index] : nullptr;
  };
  if (const Kept* type = kept(Known::content_type)) {
    const ContentType content = parse_content_type(type->body, anomalies_, type->offset);
    header.media = content.media;
    header.default_type = !content.valid;
    header.type_offset = type->offset;
    if (content.media.multipart()) {
      header.boundary = boundary_of(content.parameters);
      if (!header.boundary.empty() && !is_good_boundary(header.boundary, type->body))
        note(AnomalyKind::bad_boundary, type->offset);
      header.boundary.resize(header.boundary.find_last_not_of(" \t\r") + 1);
    }
    if (whole_message_ && !seen_[static_cast<std::size_t>(Known::mime_version)].once)
      note(AnomalyKind::missing_mime_version, type->offset);
  }
  if (const Kept* encoding = kept(Known::content_transfer_encoding)) {
    header.encoding = parse_encoding(encoding->body, anomalies_, encoding->offset);
    header.encoding_offset = encoding->offset;
  }
  if (const Kept* disposition = kept(Known::content_disposition))
    (void)parse_disposition(disposition->body, anomalies_, disposition->offset);
  return header;
}

}  // namespace posthorn::message
