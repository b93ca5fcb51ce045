// Reports into queue/drop/, where queued finds them.
#pragma once

#include <string>

#include "agents/deliverd/reports.h"
#include "libmail/queue/files.h"
#include "libmail/queue/id.h"

namespace posthorn::deliverd {

class DropReports final : public ReportSink {
 public:
  // `ids` outlives it.
  DropReports(std::string drop_directory, queue::IdSource& ids)
      : directory_(std::move(drop_directory)), ids_(ids) {}
  async::Task<Result<void, std::string>> send(smtp::Mailbox to, std::string message, bool eight_bit,
                                              bool smtputf8) override;

 private:
  queue::RealFiles files_;
  std::string directory_;
  queue::IdSource& ids_;
};

}  // namespace posthorn::deliverd
