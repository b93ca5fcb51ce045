// What pop3d can be told; one table for front and worker.
#pragma once

#include "libmail/access/options.h"
#include "libmail/pop3/server.h"

namespace posthorn::pop3d {

struct Options : access::Options {
  bool delete_after_retr = false;
  bool mark_seen = true;
  bool refuse_utf8 = false;
  Duration lock_time = std::chrono::seconds(30);
  pop3::Limits limits;

  Options();
  void describe(service::OptionTable& table);
};

}  // namespace posthorn::pop3d
