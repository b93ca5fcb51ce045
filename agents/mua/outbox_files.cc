#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "agents/mua/outbox.h"
#include "libmail/base/clock.h"
#include "libmail/base/random.h"
#include "libmail/base/text.h"

namespace posthorn::mua {

using nlohmann::json;
using Kind = MailError::Kind;

namespace {

MailError io_trouble(const char* operation, const std::string& path) {
  return {Kind::try_again, io_error(operation, path).text()};
}

bool is_id(const std::string& id) {
  return !id.empty() && id.front() != '.' && id.find('/') == std::string::npos;
}

std::string first_line_of(const Waiting& waiting) {
  const json line = {{"account", waiting.account},
                     {"from", waiting.letter.from},
                     {"recipients", waiting.letter.recipients},
                     {"notify", waiting.letter.notify},
                     {"ret", waiting.letter.ret},
                     {"message_id", waiting.letter.message_id},
                     {"subject", waiting.subject},
                     {"copy", waiting.copy},
                     {"queued", waiting.queued.time_since_epoch().count()},
                     {"attempts", waiting.attempts},
                     {"last_error", waiting.last_error}};
  return line.dump(-1, ' ', true, json::error_handler_t::replace) + "\n";
}

std::optional<Waiting> parse_first_line(const std::string& text) {
  const json line = json::parse(text, nullptr, false);
  if (!line.is_object() || !line.contains("from") || !line.contains("recipients"))
    return std::nullopt;
  const auto word = [&](const char* key) {
    const auto found = line.find(key);
    return found != line.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const auto number = [&](const char* key) {
    const auto found = line.find(key);
    return found != line.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
  };
  Waiting waiting;
  waiting.account = word("account");
  waiting.letter.from = word("from");
  waiting.letter.notify = word("notify");
  waiting.letter.ret = word("ret");
  waiting.letter.message_id = word("message_id");
  waiting.subject = word("subject");
  waiting.copy = !line.contains("copy") || line["copy"] != false;
  waiting.last_error = word("last_error");
  waiting.attempts = static_cast<unsigned>(number("attempts"));
  waiting.queued = std::chrono::sys_seconds(std::chrono::seconds(number("queued")));
  for (const json& each : line["recipients"]) {
    if (each.is_string()) waiting.letter.recipients.push_back(each.get<std::string>());
  }
  return waiting;
}

}  // namespace

Mail<void> Outbox::write(const std::string& id, const Waiting& waiting) {
  std::error_code error;
  for (const char* name : {"/tmp", "/new"}) {
    std::filesystem::create_directories(directory_ + name, error);
    if (error)
      return fail(
          MailError(Kind::try_again, fmt::format("{}{}: {}", directory_, name, error.message())));
  }
  (void)::chmod(directory_.c_str(), 0700);
  const std::string temporary = directory_ + "/tmp/" + id;
  const std::string final = directory_ + "/new/" + id;
  const Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return fail(io_trouble("open", temporary));
  bool fine = write_all(file.get(), first_line_of(waiting));
  const auto read = waiting.letter.message.each([&](std::string_view text) {
    fine = fine && write_all(file.get(), text);
    return fine;
  });
  if (!read) return read;
  if (!fine || ::fsync(file.get()) != 0) return fail(io_trouble("write", temporary));
  if (::rename(temporary.c_str(), final.c_str()) != 0) return fail(io_trouble("rename", final));
  const Fd folder(::open((directory_ + "/new").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return fail(io_trouble("sync", directory_));
  return {};
}

Mail<std::string> Outbox::add(const Waiting& waiting) {
  const auto now =
      std::chrono::duration_cast<std::chrono::microseconds>(wall_now().time_since_epoch());
  const std::string id = fmt::format("{}.{:08x}", now.count(), random_u64() & 0xffffffffU);
  if (auto done = write(id, waiting); !done) return fail(done.error());
  return id;
}

Mail<std::vector<Waiting>> Outbox::list() {
  std::vector<Waiting> all;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory_ + "/new", error)) {
    std::ifstream in(entry.path(), std::ios::binary);
    std::string line;
    if (!std::getline(in, line)) continue;
    auto waiting = parse_first_line(line);
    if (!waiting) continue;
    waiting->id = entry.path().filename().string();
    all.push_back(std::move(*waiting));
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return fail(MailError(Kind::try_again, directory_ + ": " + error.message()));
  std::ranges::sort(all, {}, &Waiting::id);
  return all;
}

Mail<std::optional<Outbox::Claimed>> Outbox::claim(const std::string& id) {
  std::optional<Claimed> nothing;
  if (!is_id(id)) return nothing;
  const std::string path = directory_ + "/new/" + id;
  Fd lock(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!lock && errno == ENOENT) return nothing;
  if (!lock) return fail(io_trouble("open", path));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return nothing;
  struct stat ours{};
  struct stat there{};
  if (::fstat(lock.get(), &ours) != 0 || ::stat(path.c_str(), &there) != 0 ||
      ours.st_ino != there.st_ino)
    return nothing;  // it was sent, or written anew, while we came
  std::ifstream in(path, std::ios::binary);
  std::string line;
  auto waiting = std::getline(in, line) ? parse_first_line(line) : std::nullopt;
  if (!waiting) return fail(MailError(Kind::bad_data, path + " is no message of the outbox"));
  waiting->id = id;
  auto file = std::make_shared<const Fd>(::fcntl(lock.get(), F_DUPFD_CLOEXEC, 0));
  if (!*file) return fail(io_trouble("open", path));
  const auto size = static_cast<std::uint64_t>(ours.st_size);
  waiting->letter.message = Octets(std::move(file), line.size() + 1, size - line.size() - 1);
  return Claimed{std::move(*waiting), std::move(lock)};
}

Mail<void> Outbox::note_failure(const Waiting& waiting, const std::string& why) {
  Waiting next = waiting;
  ++next.attempts;
  next.last_error = why;
  return write(waiting.id, next);
}

Mail<void> Outbox::remove(const std::string& id) {
  const std::string path = directory_ + "/new/" + id;
  if (!is_id(id))
    return fail(
        MailError(Kind::not_found, "there is no message " + printable(id) + " in the outbox"));
  if (::unlink(path.c_str()) == 0) return {};
  if (errno == ENOENT)
    return fail(
        MailError(Kind::not_found, "there is no message " + printable(id) + " in the outbox"));
  return fail(io_trouble("unlink", path));
}

}  // namespace posthorn::mua
