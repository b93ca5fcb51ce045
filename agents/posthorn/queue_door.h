// The queue as the operator's commands see it: queued, asked over its ops socket, or the files themselves while it is stopped.
// Both answer with the JSON of libmail/queue/commands.h.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/queue/commands.h"
#include "libmail/service/tool.h"

namespace posthorn::operate {

using OctetSink = std::function<Result<void, IoError>(std::string_view)>;

class QueueDoor {
 public:
  virtual ~QueueDoor() = default;
  QueueDoor() = default;
  QueueDoor(const QueueDoor&) = delete;
  QueueDoor& operator=(const QueueDoor&) = delete;

  // One page: {"messages":[...],"more":BOOL}.
  virtual Result<std::string, service::ToolError> list(const queue::Filter& filter) = 0;
  virtual Result<std::string, service::ToolError> show(const std::string& id) = 0;
  // The message as it will be sent; for `export_to` its transaction in batch SMTP.
  virtual Result<void, service::ToolError> cat(const std::string& id, const OctetSink& sink) = 0;
  virtual Result<void, service::ToolError> export_to(const std::string& id,
                                                     const OctetSink& sink) = 0;
  virtual Result<void, service::ToolError> hold(const std::string& id,
                                                const std::string& reason) = 0;
  // "release", "delete", "requeue", "flush"; for flush "" = all that are deferred. How many messages it was.
  virtual Result<std::size_t, service::ToolError> change(const std::string& verb,
                                                         const std::string& id) = 0;
  // Batch SMTP, read from `next` until that gives nothing. The new ids.
  virtual Result<std::vector<std::string>, service::ToolError> import_from(
      const std::function<std::string()>& next) = 0;
};

// The queue of a site, by whichever way is open. Error: neither is, and why.
Result<std::unique_ptr<QueueDoor>, service::ToolError> open_queue(const service::Site& site);

// The two ways, for open_queue and for tests.
std::unique_ptr<QueueDoor> ask_queued(std::string ops_socket);
Result<std::unique_ptr<QueueDoor>, IoError> open_queue_files(const std::string& directory);

}  // namespace posthorn::operate
