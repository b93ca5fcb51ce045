// For tests: a queue directory in memory, with segments that are ready to be taken.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/queue/intake.h"
#include "libmail/queue/memory_files.h"
#include "libmail/queue/recycle.h"
#include "libmail/queue/segment.h"
#include "libmail/queue/store.h"

namespace posthorn::queue::test {

inline constexpr std::uint64_t small_segment = 64 << 10;

inline Layout layout() {
  return Layout("/q");
}

inline void make_queue(MemoryFiles& files, std::size_t free_segments) {
  check(make_directories(files, layout(), 0700).has_value(), "directories");
  for (std::uint64_t generation = 1; generation <= free_segments; ++generation) {
    check(make_segment(files, layout(), generation, small_segment).has_value(), "segment");
  }
}

inline StoreOptions store_options() {
  StoreOptions options;
  options.segment_octets = small_segment;
  options.keep_free = 0;
  return options;
}

inline smtp::Envelope envelope(const std::string& to = "bob") {
  smtp::Envelope envelope;
  envelope.reverse_path.emplace("ann", "alpha.test");
  envelope.recipients.emplace_back(smtp::Mailbox(to, "beta.test"));
  envelope.arrival = WallTime(std::chrono::seconds(1'700'000'000));
  return envelope;
}

// A body that tells which message it is, and whose octets look different everywhere.
inline std::string body_of(const MessageId& id, std::size_t size) {
  std::string body = "Subject: " + id.str() + "\r\n\r\n";
  for (std::size_t i = 0; body.size() < size; ++i)
    body += static_cast<char>('a' + (i * i + i / 7) % 26);
  return body;
}

inline MessageId id_of(std::uint32_t number) {
  return MessageId::make(WallTime(std::chrono::seconds(1'700'000'000)), 7, number);
}

// One message, and where the journal stood when it was answered.
struct Acknowledged {
  MessageId id;
  std::size_t size = 0;
  std::size_t at = 0;
  bool taken = false;
};

inline async::Task<void> append_one(Writer* writer, MemoryFiles* files, Acknowledged* into) {
  std::vector<std::string> body;
  const std::string whole = body_of(into->id, into->size);
  body.push_back(whole.substr(0, whole.size() / 2));
  body.push_back(whole.substr(whole.size() / 2));
  Entry entry(envelope());
  auto taken = co_await writer->append(into->id, std::move(entry), std::move(body));
  into->taken = taken.has_value();
  into->at = files->events();
}

// Sends `count` messages in groups that wait together, and stops the writer.
inline async::Task<void> send_all(Writer* writer, MemoryFiles* files,
                                  std::vector<Acknowledged>* messages, std::size_t at_once) {
  async::Scope scope;
  for (std::size_t i = 0; i < messages->size(); ++i) {
    Acknowledged* message = &(*messages)[i];
    scope.spawn(append_one(writer, files, message));
    if ((i + 1) % at_once == 0) co_await scope.join();
  }
  co_await scope.join();
  co_await writer->stop();
}

inline std::vector<Acknowledged> make_messages(std::size_t count, std::size_t size) {
  std::vector<Acknowledged> messages;
  for (std::size_t i = 0; i < count; ++i) {
    Acknowledged message;
    message.id = id_of(static_cast<std::uint32_t>(i + 1));
    message.size = size + 37 * i;
    messages.push_back(message);
  }
  return messages;
}

}  // namespace posthorn::queue::test
