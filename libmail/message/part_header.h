// The header block of one part, line by line as it arrives: what the structure of a message hangs
// on, and what is wrong with it. Keeps no field but those.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "libmail/message/anomaly.h"
#include "libmail/message/content_type.h"
#include "libmail/message/limits.h"
#include "libmail/message/line_scan.h"

namespace posthorn::message {

// What a header block says.
struct PartHeader {
  MediaType media;
  Encoding encoding = Encoding::seven_bit;
  bool default_type = true;           // no Content-Type, or none that can be read
  std::string boundary;               // of a multipart; "" if it has none
  std::uint64_t type_offset = 0;      // of the Content-Type field's body
  std::uint64_t encoding_offset = 0;  // of the Content-Transfer-Encoding's
  std::uint64_t fields = 0;
};

class PartHeaderReader {
 public:
  PartHeaderReader(const MimeLimits& limits, Anomalies& anomalies);

  // A header block begins at `offset`. `whole_message`: that of a message, not of a part in it, so
  // the rules of RFC 5322 3.6 on which fields may stand twice hold.
  void begin(std::uint64_t offset, bool whole_message);
  // A line that is not empty.
  void take(const Line& line);
  // The block is at its end.
  [[nodiscard]] PartHeader finish();

 private:
  // The fields that are told from others. Those up to content_description are kept.
  enum class Known : std::uint8_t {
    content_type,
    content_transfer_encoding,
    content_disposition,
    content_id,
    content_description,
    mime_version,
    from,
    sender,
    reply_to,
    to,
    cc,
    bcc,
    subject,
    date,
    message_id,
    in_reply_to,
    references,
    none,
  };
  static constexpr std::size_t known_fields = static_cast<std::size_t>(Known::none);
  static constexpr std::size_t kept_fields = 3;
  struct Seen {
    bool once = false;
    std::uint64_t hash = 0;  // of the first one's body
  };
  struct Kept {
    std::string body;  // with its folds
    std::uint64_t offset = 0;
  };

  static Known recognise(std::string_view name);
  void check_octets(const Line& line);
  void begin_field(const Line& line);
  void continue_field(const Line& line);
  void add_to_field(std::string_view text, const Line& line);
  void end_field();
  void note(AnomalyKind kind, std::uint64_t offset) { anomalies_.add(kind, offset); }

  const MimeLimits& limits_;
  Anomalies& anomalies_;
  bool whole_message_ = false;
  bool too_large_ = false;
  bool too_many_ = false;
  std::uint64_t begin_ = 0;
  std::uint64_t fields_ = 0;
  std::array<Seen, known_fields> seen_{};
  std::array<Kept, kept_fields> kept_;
  // The field that is read.
  bool in_field_ = false;
  Known field_ = Known::none;
  bool repeated_ = false;  // it stood before
  bool long_noted_ = false;
  std::uint64_t field_begin_ = 0;
  std::uint64_t field_size_ = 0;
  std::uint64_t hash_ = 0;
};

}  // namespace posthorn::message
