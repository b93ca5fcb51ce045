// What a part says about its body: Content-Type, Content-Disposition, Content-Transfer-Encoding
// (RFC 2045, RFC 2183).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libmail/message/anomaly.h"
#include "libmail/message/parameters.h"

namespace posthorn::message {

enum class TopType : std::uint8_t {
  text,
  multipart,
  message,
  application,
  image,
  audio,
  video,
  font,
  model,
  other,
};

// The subtypes that something here is decided by; `plain` is only text/plain and so on.
enum class Subtype : std::uint8_t {
  other,
  plain,
  html,
  rfc822_headers,
  mixed,
  alternative,
  related,
  digest,
  signed_,
  encrypted,
  report,
  rfc822,
  global,
  partial,
  external_body,
  delivery_status,
  disposition_notification,
};

struct MediaType {
  TopType top = TopType::text;
  Subtype sub = Subtype::plain;
  bool operator==(const MediaType&) const = default;

  [[nodiscard]] bool multipart() const { return top == TopType::multipart; }
  // A whole message (RFC 2046 5.2.1, RFC 6532 3.7).
  [[nodiscard]] bool message() const {
    return top == TopType::message && (sub == Subtype::rfc822 || sub == Subtype::global);
  }
};

// Case is ignored.
[[nodiscard]] MediaType classify(std::string_view type, std::string_view subtype);

enum class Encoding : std::uint8_t {
  seven_bit,
  eight_bit,
  binary,
  quoted_printable,
  base64,
  unknown,  // the octets as they are, and nobody may guess what they mean (RFC 2045 6.4)
};
// "quoted-printable"; "x-unknown" for unknown.
[[nodiscard]] std::string_view name(Encoding encoding);

struct ContentType {
  std::string type = "text";  // lower case, as the subtype
  std::string subtype = "plain";
  MediaType media;
  bool valid = true;  // false: the field was no type/subtype, and this is the default
  ParameterList parameters;

  // "charset" as written; "" if there is none.
  [[nodiscard]] std::string_view charset() const;
};

struct ContentDisposition {
  std::string type;  // lower case: "inline", "attachment", anything else means attachment
  ParameterList parameters;
  [[nodiscard]] bool is_inline() const { return type == "inline"; }
};

// These three take a field body with its folds, never fail, and add what is wrong to `anomalies`
// with offsets that count from `offset` at the first octet of `body`.
[[nodiscard]] ContentType parse_content_type(std::string_view body, Anomalies& anomalies,
                                             std::uint64_t offset = 0);
[[nodiscard]] ContentDisposition parse_disposition(std::string_view body, Anomalies& anomalies,
                                                   std::uint64_t offset = 0);
[[nodiscard]] Encoding parse_encoding(std::string_view body, Anomalies& anomalies,
                                      std::uint64_t offset = 0);

}  // namespace posthorn::message
