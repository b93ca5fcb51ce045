// From the root down: one server asked at each step, without recursion.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agents/nslook/report.h"

namespace posthorn::nslook {

struct Step {
  enum class Kind {
    referral,  // to a zone below
    answer,
    alias,  // a CNAME; the way begins again for its target
    nodata,
    nxdomain,
    silent,  // no answer, or a damaged one; the next server is asked
    lame,    // an answer that helps nobody; the next server is asked
  };
  Kind kind = Kind::silent;
  dns::Name zone;  // whose server this is
  Place server;
  std::string text;  // "referral to org, 6 servers"; safe to print
  std::optional<Reply> reply;
  int depth = 0;  // over 0: on the way to the address of a name server
};

struct Trace {
  dns::Question question;
  std::vector<Step> steps;
  // How it ended: answer, nodata, nxdomain; else why it couldn't go on.
  bool is_found = false;
  bool is_answered = false;
  std::string outcome;
};

struct TraceSettings {
  std::vector<Place> roots;
  std::uint16_t authority_port = dns_port;
  Manner manner;  // without RD, whatever it says
};

async::Task<Trace> trace(Asker& asker, dns::Question question, TraceSettings settings);

[[nodiscard]] std::string show(const Trace& trace);
[[nodiscard]] Json to_json(const Trace& trace);

}  // namespace posthorn::nslook
