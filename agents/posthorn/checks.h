// What `posthorn check` looks at. Each check gives findings and changes nothing.
#pragma once

#include <string>
#include <vector>

#include "agents/posthorn/programs.h"
#include "libmail/service/settings.h"

namespace posthorn::operate {

struct Finding {
  enum class Grade { ok, warning, error };
  Grade grade = Grade::ok;
  std::string subject;  // "smtpd", "tls/cert.pem"
  std::string text;     // one sentence, with what to do if there is something to do
};
using Findings = std::vector<Finding>;

// Each agent that is to run: its program, its own --check-config, and whether its ports can be had or are its own already.
async::Task<Findings> check_agents(const service::SiteFile& file, const service::Site& site,
                                   async::Deadline deadline);
// Directories and files: there, readable, not open to others.
Findings check_files(const service::SiteFile& file, const service::Site& site);
// The certificate and its key.
Findings check_certificate(const service::SiteFile& file, const service::Site& site);
// The users file, and that its users' domains are the site's.
Findings check_users(const service::SiteFile& file, const service::Site& site);
// The machine: user, host name in the DNS.
Findings check_machine(const service::SiteFile& file, const service::Site& site);

// A key of posthorn.toml, or `preset`.
[[nodiscard]] std::string site_value(const service::SiteFile& file, const std::string& key,
                                     const std::string& preset);

}  // namespace posthorn::operate
