// What submissiond decides by: a snapshot of its options. Sessions keep the one they began with, so a reload
// changes nothing under a client's feet.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_set>

#include "libmail/message/submission.h"
#include "libmail/service/networks.h"

namespace posthorn::submissiond {

struct Policy {
  std::string hostname;
  std::unordered_set<std::string> trusted_users;  // lower case; may write any sender
  service::Networks local_networks;               // VRFY and EXPN tell them the truth
  bool hide_client = false;                       // Received says nothing of who submitted
  std::size_t max_received = 50;                  // Received fields; more are a loop
  message::SubmissionLimits message;

  Policy() = default;
};

}  // namespace posthorn::submissiond
