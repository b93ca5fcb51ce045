// Making what a site needs on disk before its agents start.
#pragma once

#include <string>
#include <vector>

#include "libmail/service/site.h"
#include "libmail/service/tool.h"

namespace posthorn::operate {

// run/, log/, queue/, mail/ and zones/, where they are missing. In the system's site, started by root, they belong to `user`.
Result<void, service::ToolError> make_directories(const service::Site& site,
                                                  const std::string& user);

struct NewSite {
  std::string address;  // what its servers listen on
  std::vector<std::string> domains;
  struct User {
    std::string address;
    std::string password;
  };
  std::vector<User> users;
  std::vector<std::string> routes;  // lines of conf/routes
  std::uint16_t port_base = 0;      // added to well-known ports; 0: nobody knows them beforehand
  NewSite() = default;
};

// Writes conf/, the tables, the zones, the users and, if there is none, a CA and a certificate. A file that somebody wrote by hand stays: those
// written here begin with a line that says so and are written anew.
Result<void, service::ToolError> make_site(const service::Site& site, const NewSite& wanted);

}  // namespace posthorn::operate
