#include "agents/queued/drop_reader.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>

#include "libmail/async/files.h"
#include "libmail/base/random.h"
#include "libmail/message/message_id.h"

namespace posthorn::queued {
namespace {

using queue::BatchReader;
using queue::DropFile;

constexpr std::size_t piece_octets = 256 << 10;
constexpr std::size_t refused_text = 64 << 10;  // of a message that is not taken, for its report

// The whole file is looked at before anything of it is taken.
Result<std::vector<smtp::Envelope>, std::string> scan_file(queue::Files& files,
                                                           const std::string& path,
                                                           const DropFile& listed) {
  auto file = files.open(path, queue::OpenFor::reading, 0);
  if (!file) return fail(file.error().text());
  const auto status = (*file)->status();
  if (!status) return fail(status.error().text());
  const bool is_same = status->inode == listed.inode && status->owner == listed.owner &&
                       status->is_regular && status->links == 1;
  if (!is_same) return fail(std::string("it changed while it was looked at"));
  std::vector<smtp::Envelope> envelopes;
  BatchReader reader;
  std::uint64_t at = 0;
  while (true) {
    const auto octets = (*file)->pread(at, piece_octets);
    if (!octets) return fail(octets.error().text());
    if (octets->empty()) break;
    at += octets->size();
    std::string_view input = *octets;
    while (true) {
      const auto event = reader.next(input);
      if (!event) return fail(fmt::format("line {}: {}", event.error().line, event.error().text));
      if (*event == BatchReader::Event::more) break;
      if (*event == BatchReader::Event::envelope) envelopes.push_back(reader.envelope());
    }
  }
  const auto end = reader.finish();
  if (!end) return fail(end.error().text);
  return envelopes;
}

}  // namespace

struct DropReader::Arriving {
  Arriving(queue::Incoming message, message::Stamp stamp)
      : incoming(std::move(message)), filter(std::move(stamp)) {}
  queue::Incoming incoming;
  message::SubmissionFilter filter;
  queue::Entry entry;
  std::string front;  // of the message as it came
  Part part;
};

std::string DropReader::path(const DropFile& file) const {
  return store_.layout().drop() + '/' + file.name;
}

async::Task<void> DropReader::begin() {
  auto find = [this]() -> Result<std::vector<queue::DropOrigin>, IoError> {
    const auto there = list_drop(store_.files(), store_.layout());
    if (!there) return fail(there.error());
    if (there->empty()) return std::vector<queue::DropOrigin>();
    std::int64_t since = there->front().modified;
    for (const DropFile& file : *there) since = std::min(since, file.modified);
    return find_drop_records(store_.files(), store_.layout(), since);
  };
  auto found = co_await async::blocking(std::move(find));
  if (!found) {
    log_.error("-", "queue-trouble", {{"why", found.error().text()}});
    co_return;
  }
  for (const queue::DropOrigin& origin : *found) taken_.emplace(origin.inode, origin.part);
}

async::Task<bool> DropReader::look() {
  auto list = [this] { return list_drop(store_.files(), store_.layout()); };
  auto files = co_await async::blocking(std::move(list));
  if (!files) {
    log_.error("-", "queue-trouble", {{"why", files.error().text()}});
    co_return false;
  }
  bool any = false;
  for (const DropFile& file : *files) {
    const auto known = left_alone_.find(file.inode);
    if (known != left_alone_.end() && known->second == file.modified) continue;
    const bool taken = co_await take(file);
    any = any || taken;
  }
  // Inodes are used again.
  if (files->empty()) {
    left_alone_.clear();
    taken_.clear();
  }
  co_return any;
}

async::Task<bool> DropReader::take(DropFile file) {
  if (file.size > options_.message_size) {
    co_await refuse(file, "it is too large");
    co_return false;
  }
  auto envelopes = co_await read_envelopes(file);
  if (!envelopes) {
    // Perhaps it is still being written, against the rules. It is read again when it changes.
    left_alone_[file.inode] = file.modified;
    log_.warning("-", "drop-unreadable", {{"file", path(file)}, {"why", envelopes.error()}});
    co_return false;
  }
  auto owner = co_await find_owner(file.owner);
  if (!owner.trusted) {
    std::string user = owner.user;
    auto problem = co_await check_senders(std::move(*envelopes), std::move(user));
    if (!problem) co_return false;
    if (!problem->empty()) {
      std::string why = std::move(*problem);
      co_await refuse(file, std::move(why));
      co_return false;
    }
  }
  std::string user = std::move(owner.user);
  const bool all = co_await take_messages(file, std::move(user));
  if (all) co_await remove(file);
  co_return all;
}

async::Task<Result<std::vector<smtp::Envelope>, std::string>> DropReader::read_envelopes(
    DropFile file) {
  const std::string name = path(file);
  auto scan = [this, &name, &file] { return scan_file(store_.files(), name, file); };
  auto found = co_await async::blocking(std::move(scan));
  co_return found;
}

async::Task<DropReader::Owner> DropReader::find_owner(uid_t uid) {
  auto ask = [uid] {
    std::string buffer(16 << 10, '\0');
    passwd entry{};
    passwd* found = nullptr;
    const int error = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
    return error == 0 && found != nullptr ? std::string(found->pw_name) : std::string();
  };
  Owner owner;
  owner.user = co_await async::blocking(std::move(ask));
  const std::vector<std::string>& trusted = options_.trusted_users;
  owner.trusted = uid == 0 || uid == ::geteuid() ||
                  std::find(trusted.begin(), trusted.end(), owner.user) != trusted.end();
  co_return owner;
}

async::Task<std::optional<std::string>> DropReader::check_senders(
    std::vector<smtp::Envelope> envelopes, std::string user) {
  for (const smtp::Envelope& envelope : envelopes) {
    if (!envelope.reverse_path) continue;
    if (user.empty()) co_return std::optional<std::string>("its owner has no name here");
    smtp::Mailbox sender = *envelope.reverse_path;
    std::string asked = user;
    auto owns = co_await resolver_.owns(std::move(asked), std::move(sender));
    if (owns.kind == route::Ownership::Kind::unavailable) {
      log_.warning("-", "look-up-failed", {{"why", owns.why}});
      co_return std::nullopt;
    }
    if (owns.kind == route::Ownership::Kind::stranger) {
      std::string why =
          fmt::format("user {} may not send as {}", user, smtp::format_path(envelope.reverse_path));
      co_return std::optional<std::string>(std::move(why));
    }
  }
  co_return std::optional<std::string>(std::string());
}

std::unique_ptr<DropReader::Arriving> DropReader::begin_message(const smtp::Envelope& envelope,
                                                                Part part, const DropFile& file,
                                                                const std::string& user) {
  queue::Intake& intake = store_.intake();
  const queue::MessageId id = intake.next_id();
  const WallTime now = wall_now();
  message::Stamp stamp;
  stamp.date = format_rfc5322_date(now);
  stamp.message_id = message::make_message_id(now, random_u64(), options_.host.hostname);
  auto arriving = std::make_unique<Arriving>(intake.begin(id), std::move(stamp));
  arriving->part = part;
  queue::Entry& entry = arriving->entry;
  entry.envelope = envelope;
  entry.envelope.id = id.text();
  entry.envelope.trace_id = entry.envelope.id;
  entry.envelope.user = user;
  entry.envelope.arrival = now;
  entry.envelope.client.local = true;
  entry.drop.emplace();
  entry.drop->name = file.name;
  entry.drop->inode = part.first;
  entry.drop->part = part.second;
  return arriving;
}

// True if every message of the file is in the queue, or has been answered with a report.
async::Task<bool> DropReader::take_messages(DropFile file, std::string user) {
  const std::string name = path(file);
  auto open = [this, &name] { return store_.files().open(name, queue::OpenFor::reading, 0); };
  auto opened = co_await async::blocking(std::move(open));
  if (!opened) co_return false;
  BatchReader reader;
  std::unique_ptr<Arriving> arriving;
  std::uint32_t number = 0;
  std::uint64_t at = 0;
  while (true) {
    queue::File* source = opened->get();
    auto read = [source, at] { return source->pread(at, piece_octets); };
    auto octets = co_await async::blocking(std::move(read));
    if (!octets) co_return false;
    if (octets->empty()) co_return reader.finish().has_value();
    at += octets->size();
    std::string_view input = *octets;
    while (true) {
      const auto event = reader.next(input);
      if (!event) co_return false;
      if (*event == BatchReader::Event::more) break;
      if (*event == BatchReader::Event::envelope) {
        const Part part(file.inode, number++);
        arriving =
            taken_.contains(part) ? nullptr : begin_message(reader.envelope(), part, file, user);
        if (arriving) {
          const smtp::Envelope& envelope = arriving->entry.envelope;
          std::string trace = fmt::format(
              "Received: by {} (Posthorn, from user {})\r\n\tid {}; {}\r\n", options_.host.hostname,
              printable(user), envelope.id, format_rfc5322_date(envelope.arrival));
          auto written = co_await arriving->incoming.write(std::move(trace));
          if (!written) co_return false;
        }
        continue;
      }
      if (!arriving) continue;
      if (*event == BatchReader::Event::text) {
        std::string out;
        arriving->filter.feed(reader.text(), out);
        if (arriving->front.size() < refused_text) arriving->front += reader.text();
        auto written = co_await arriving->incoming.write(std::move(out));
        if (!written) co_return false;
        continue;
      }
      const bool taken = co_await finish(*arriving);
      arriving.reset();
      if (!taken) co_return false;
    }
  }
}

async::Task<bool> DropReader::finish(Arriving& arriving) {
  std::string out;
  arriving.filter.finish(out);
  const std::string id = arriving.entry.envelope.id;
  if (const auto& problem = arriving.filter.problem()) {
    // submissiond would say so at once; a file can only be answered by mail.
    const std::string why = problem->reply_text();
    log_.warning(id, "drop-refused", {{"why", why}});
    smtp::Envelope envelope = arriving.entry.envelope;
    std::string text = arriving.front.substr(0, refused_text);
    const bool told = co_await reporter_.report_refusal(std::move(envelope), std::move(text),
                                                        smtp::Status({5, 6, 0}, why));
    if (told) taken_.insert(arriving.part);
    co_return told;
  }
  auto written = co_await arriving.incoming.write(std::move(out));
  if (!written) co_return false;
  queue::Entry entry = std::move(arriving.entry);
  const std::string file = entry.drop->name;
  auto committed = co_await arriving.incoming.commit(std::move(entry));
  if (!committed) {
    log_.warning(id, "drop-failed", {{"file", file}, {"why", committed.error().text()}});
    co_return false;
  }
  taken_.insert(arriving.part);
  log_.info(id, "dropped", {{"file", file}});
  co_return true;
}

async::Task<void> DropReader::remove(DropFile file) {
  const std::string name = path(file);
  auto unlink = [this, &name] {
    const auto gone = store_.files().unlink(name);
    if (!gone) return gone;
    return store_.files().sync_directory(store_.layout().drop());
  };
  auto done = co_await async::blocking(std::move(unlink));
  if (!done) {
    left_alone_[file.inode] = file.modified;
    log_.error("-", "queue-trouble", {{"why", done.error().text()}});
    co_return;
  }
  const auto first = taken_.lower_bound(Part(file.inode, 0));
  const auto last = taken_.lower_bound(Part(file.inode + 1, 0));
  taken_.erase(first, last);
}

// Under a name that is not read, for its owner to look at.
async::Task<void> DropReader::refuse(DropFile file, std::string why) {
  log_.warning("-", "drop-refused", {{"file", path(file)}, {"why", why}});
  const std::string from = path(file);
  const std::string to = store_.layout().drop() + "/.refused-" + file.name;
  auto rename = [this, &from, &to] { return store_.files().rename(from, to); };
  auto done = co_await async::blocking(std::move(rename));
  if (!done) left_alone_[file.inode] = file.modified;
}

}  // namespace posthorn::queued
