// mime_bench SECONDS WORK...: does each kind of work on the message in standard input again and again for
// that long, and prints a line of JSON a kind: octets, runs, CPU seconds of all and of the fastest, allocations
// of a run, and the most heap of a run. test/bench/mime.py puts others beside it.
#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <iterator>
#include <map>
#include <new>
#include <nlohmann/json.hpp>
#include <string>

#include "libmail/imap/body_structure.h"
#include "libmail/imap/envelope.h"
#include "libmail/message/base64.h"
#include "libmail/message/body_reader.h"
#include "libmail/message/header.h"
#include "libmail/message/message_view.h"
#include "libmail/message/mime_parser.h"

namespace {

struct Heap {
  std::uint64_t allocations = 0;
  std::int64_t used = 0;
  std::int64_t peak = 0;
};
Heap heap;

}  // namespace

void* operator new(std::size_t size) {
  void* block = std::malloc(size);
  if (block == nullptr) std::abort();
  ++heap.allocations;
  heap.used += static_cast<std::int64_t>(malloc_usable_size(block));
  heap.peak = std::max(heap.peak, heap.used);
  return block;
}
void operator delete(void* block) noexcept {
  heap.used -= static_cast<std::int64_t>(malloc_usable_size(block));
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
  operator delete(block);
}

namespace {

using namespace posthorn;

// Of this process: what else the machine does is not our work.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// The message arrives as from a socket or file: 64 KiB at a time.
constexpr std::size_t window = 64 * 1024;

message::PartTree parse(const std::string& text) {
  message::MimeParser parser;
  for (std::size_t at = 0; at < text.size(); at += window)
    parser.feed(std::string_view(text).substr(at, window));
  return parser.finish();
}

std::size_t copy(const std::string& text) {
  static std::string to;
  to.resize(text.size());
  for (std::size_t at = 0; at < text.size(); at += window)
    std::memcpy(to.data() + at, text.data() + at, std::min(window, text.size() - at));
  return static_cast<unsigned char>(to.back());
}

// What GMime has done once its message is constructed, and its subject.
std::size_t headers(const std::string& text) {
  const message::PartTree tree = parse(text);
  const message::Header header = message::Header::parse(text);
  const message::Field* subject = header.find("Subject");
  return tree.parts.size() + (subject == nullptr ? 0 : header.value(*subject).size());
}

// The text behind the header, which is base64 and nothing else.
std::size_t base64(const std::string& text) {
  static std::string out(message::Base64Decoder::room(window), '\0');
  std::string_view body = text;
  body.remove_prefix(body.find("\n\n") + 2);
  message::Base64Decoder decoder;
  std::size_t size = 0;
  for (std::size_t at = 0; at < body.size(); at += window)
    size += decoder.decode(body.substr(at, window), out.data());
  return size;
}

// Everything that a stranger's message sets in motion in a mail store or a mail reader, but the bodies.
std::size_t read(const std::string& text) {
  const message::MessageView view(text);
  message::Anomalies anomalies;
  for (std::uint32_t i = 0; i < view.tree().parts.size(); ++i) (void)view.content(i, &anomalies);
  return choose_bodies(view).text.size() + imap::envelope(view.header(0)).size() +
         imap::body_structure(view, imap::BodyForm::body_structure).size();
}

const std::map<std::string_view, std::size_t (*)(const std::string&)> works = {
    {"memcpy", copy},
    {"parse", [](const std::string& text) { return parse(text).parts.size(); }},
    {"headers", headers},
    {"base64", base64},
    {"read", read},
};

void measure(std::string_view name, const std::string& text, double seconds) {
  const auto work = works.find(name);
  if (work == works.end()) {
    std::fprintf(stderr, "mime_bench: no work \"%.*s\"\n", static_cast<int>(name.size()),
                 name.data());
    std::exit(64);
  }
  volatile std::size_t sink = work->second(text);  // the first run warms up
  const std::int64_t before = heap.used;
  heap.peak = before;
  heap.allocations = 0;
  sink = work->second(text);
  const std::uint64_t allocations = heap.allocations;
  const std::int64_t peak = heap.peak - before;
  std::uint64_t runs = 0;
  double spent = 0;
  double fastest = 1e9;
  while (spent < seconds || runs == 0) {
    const double begin = cpu_seconds();
    sink = work->second(text);
    const double took = cpu_seconds() - begin;
    spent += took;
    fastest = std::min(fastest, took);
    ++runs;
  }
  (void)sink;
  nlohmann::ordered_json line = {
      {"work", name},       {"octets", text.size()},      {"runs", runs}, {"seconds", spent},
      {"fastest", fastest}, {"allocations", allocations}, {"heap", peak}};
  std::printf("%s\n", line.dump().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: mime_bench SECONDS WORK... < MESSAGE\n");
    return 64;
  }
  std::string text;
  char buffer[window];
  for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, stdin)) > 0;)
    text.append(buffer, n);
  for (int i = 2; i < argc; ++i) measure(argv[i], text, std::atof(argv[1]));
  return 0;
}
