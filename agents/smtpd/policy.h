// What smtpd decides by: a snapshot of its options. Sessions keep the one they began with, so a reload changes
// nothing under a client's feet.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "libmail/service/networks.h"

namespace posthorn::smtpd {

struct Policy {
  std::string hostname;
  service::Networks relay_networks;  // clients that may send to any domain
  service::Networks local_networks;  // clients that VRFY and EXPN tell the truth
  std::size_t max_received = 50;     // Received fields; more are a loop
  std::size_t max_header = 1 << 20;  // octets of the header

  Policy() = default;
};

}  // namespace posthorn::smtpd
