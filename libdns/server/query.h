// A query as nearly all are, looked at in place: one question, perhaps an OPT, nothing else. No
// memory is taken, so that what a flood costs is a walk over a few octets.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "libdns/wire/message.h"

namespace posthorn::dns {

inline constexpr std::uint16_t edns_tcp_keepalive = 11;

struct Query {
  enum class Form : std::uint8_t {
    plain,    // all below is filled in
    special,  // something else, or broken: MessageView must look at it
    ignored,  // no query at all: too short, or an answer. Nobody answers answers.
  };
  Form form = Form::ignored;
  std::string_view octets;  // the message
  std::uint16_t id = 0;
  bool recursion_desired = false;
  bool authentic_data = false;
  bool checking_disabled = false;
  Type type = Type::a;
  Class klass = Class::in;
  std::uint16_t question_end = 0;  // where the question ends in `octets`; it begins at 12
  std::uint8_t name_octets = 0;
  std::array<char, max_name_octets> folded;  // the name in lower case, so many octets of it

  bool edns = false;
  bool dnssec_ok = false;
  std::uint8_t edns_version = 0;
  std::uint16_t udp_octets = 512;  // what the client can take; with EDNS at least 512
  std::string_view cookie;         // the option's octets; into `octets`
  bool keepalive = false;  // edns-tcp-keepalive: how long may the connection idle? (RFC 7828)

  [[nodiscard]] std::string_view folded_name() const { return {folded.data(), name_octets}; }
  [[nodiscard]] std::string_view question() const {
    return octets.substr(header_octets, question_end - header_octets);
  }
  // As the client wrote it.
  [[nodiscard]] Name name() const;
};

// Linear in octets.size(), at most max_edns_options options.
void read_query(std::string_view octets, Query& query);

}  // namespace posthorn::dns
