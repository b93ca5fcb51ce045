// Takes batches from queue/drop/ into queued's own segment. The owner of a file is who sends it; the rule for MAIL FROM is
// submissiond's.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "agents/queued/reports.h"
#include "libmail/message/submission.h"
#include "libmail/queue/drop.h"
#include "libmail/route/resolver.h"

namespace posthorn::queued {

class DropReader {
 public:
  DropReader(queue::Store& store, route::Resolver& resolver, const Options& options,
             Reporter& reporter, service::Log& log)
      : store_(store), resolver_(resolver), options_(options), reporter_(reporter), log_(log) {}

  // Once, before the first look: which files a crash left behind though their messages are in.
  async::Task<void> begin();
  // Takes what is there. True if there was anything.
  async::Task<bool> look();

 private:
  using Part = std::pair<std::uint64_t, std::uint32_t>;  // inode, number of the message in it
  struct Owner {
    std::string user;
    bool trusted = false;
  };
  // One message of a file on its way in.
  struct Arriving;

  async::Task<bool> take(queue::DropFile file);
  async::Task<Result<std::vector<smtp::Envelope>, std::string>> read_envelopes(
      queue::DropFile file);
  async::Task<Owner> find_owner(uid_t uid);
  // "" if all may be sent; else why not. Nothing: it can't be known now.
  async::Task<std::optional<std::string>> check_senders(std::vector<smtp::Envelope> envelopes,
                                                        std::string user);
  async::Task<bool> take_messages(queue::DropFile file, std::string user);
  async::Task<bool> finish(Arriving& arriving);
  async::Task<void> remove(queue::DropFile file);
  async::Task<void> refuse(queue::DropFile file, std::string why);
  [[nodiscard]] std::unique_ptr<Arriving> begin_message(const smtp::Envelope& envelope, Part part,
                                                        const queue::DropFile& file,
                                                        const std::string& user);
  [[nodiscard]] std::string path(const queue::DropFile& file) const;

  queue::Store& store_;
  route::Resolver& resolver_;
  const Options& options_;
  Reporter& reporter_;
  service::Log& log_;
  std::set<Part> taken_;                              // of files that are still there
  std::map<std::uint64_t, std::int64_t> left_alone_;  // inode: when it was modified
};

}  // namespace posthorn::queued
