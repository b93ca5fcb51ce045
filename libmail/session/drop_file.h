// A message for queue/drop/, the shell's door into the queue: batch SMTP (RFC 2442), written under a name that begins
// with a dot and renamed to one that doesn't when it is durable. For programs without a loop: every call blocks.
#pragma once

#include <string>
#include <string_view>

#include "libmail/base/fd.h"
#include "libmail/base/result.h"
#include "libmail/smtp/dot.h"
#include "libmail/smtp/envelope.h"

namespace posthorn::session {

class DropFile {
 public:
  // Mode 0640; the directory's set-group-id bit gives it queued's group.
  static Result<DropFile, IoError> create(const std::string& directory);
  DropFile(DropFile&&) noexcept = default;
  DropFile& operator=(DropFile&&) = delete;
  ~DropFile();  // removes a file that was not committed

  // MAIL and RCPT with every parameter that is set, and DATA. Once, first.
  Result<void, IoError> envelope(const smtp::Envelope& envelope);
  // Octets of the message, CRLF lines, cut anywhere.
  Result<void, IoError> body(std::string_view octets);
  // The final dot; file and directory are on the disk when it returns. Gives the file's name.
  Result<std::string, IoError> commit();

 private:
  DropFile(std::string directory, std::string name, Fd file);
  Result<void, IoError> write(std::string_view octets);
  Result<void, IoError> flush();
  [[nodiscard]] std::string hidden_path() const { return directory_ + "/." + name_; }

  std::string directory_;
  std::string name_;
  Fd file_;  // closed once committed
  std::string buffer_;
  smtp::DotEncoder dots_;
};

}  // namespace posthorn::session
