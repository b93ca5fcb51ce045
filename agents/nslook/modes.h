// What nslook does besides looking names up: for the command line and for the dialogue.
#pragma once

#include <string>

#include "agents/nslook/chain.h"
#include "agents/nslook/mail_report.h"
#include "agents/nslook/trace.h"

namespace posthorn::nslook {

struct ModeOptions {
  dns::TrustAnchors anchors;
  std::uint16_t authority_port = dns_port;
  std::vector<std::string> selectors;
  std::vector<std::string> block_lists;
  std::vector<std::string> addresses;
  std::uint16_t https_port = https_port_of_policies;  // where MTA-STS policies are
  std::string web_authorities;                        // file; empty: the machine's
};

struct Outcome {
  std::string text;
  Json json;
  int exit = 0;
  std::string fault;  // not empty: the name is none, and nothing was asked
};

async::Task<Outcome> run_trace(Asker& asker, Settings settings, ModeOptions options,
                               std::string name);
async::Task<Outcome> run_chain(Asker& asker, Settings settings, ModeOptions options,
                               std::string name);
async::Task<Outcome> run_mail(Asker& asker, Settings settings, ModeOptions options,
                              std::string domain);

}  // namespace posthorn::nslook
