#include "test/store/store_bench.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <numeric>

#include "libmail/store/store.h"

namespace posthorn::store::test {

namespace {

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Bench {
  std::size_t count;

  template <class F>
  void measure(const char* what, std::size_t messages, F work) const {
    const auto start = std::chrono::steady_clock::now();
    const double before = cpu_seconds();
    work();
    const double cpu = cpu_seconds() - before;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    fmt::print("{:<44} {:>9.1f} ms {:>9.1f} ms CPU {:>9.3f} us a message\n", what,
               took.count() * 1000, cpu * 1000, cpu * 1e6 / static_cast<double>(messages));
  }
};

void must(bool good, const StoreError* error) {
  check(good, error != nullptr ? error->text : "bench");
}
template <class T>
void must(const StoreResult<T>& result) {
  must(result.has_value(), result ? nullptr : &result.error());
}

StoreSettings settings_for(const std::string& directory) {
  StoreSettings settings;
  NamespaceSettings personal;
  personal.location.base = directory;
  settings.namespaces.push_back(personal);
  return settings;
}

void make_messages(const std::string& directory, std::size_t count) {
  for (const char* part : {"new", "cur", "tmp"})
    std::filesystem::create_directories(directory + "/" + part);
  const std::string text = "Subject: bench\n\n" + std::string(1000, 'x') + "\n";
  for (std::size_t i = 0; i < count; ++i) {
    std::ofstream(fmt::format("{}/cur/{}.M{}P1Q{}.bench,S={},W={}:2,", directory,
                              1700000000 + i / 100, i, i, text.size(), text.size() + 3))
        << text;
  }
}

void rows_out(const OpenMailbox& box) {
  // What FETCH 1:* (UID FLAGS) formats.
  std::string out;
  std::uint32_t sequence = 0;
  for (const auto& chunk : box.snapshot()->chunks()) {
    for (std::size_t i = 0; i < chunk->count; ++i) {
      fmt::format_to(std::back_inserter(out), "* {} FETCH (UID {} FLAGS ({}))\r\n", ++sequence,
                     chunk->uid[i], (chunk->flags[i] & flag::seen) != 0 ? "\\Seen" : "");
      if (out.size() > 65536) out.clear();
    }
  }
}

}  // namespace

int bench(const std::string& directory, std::size_t count) {
  SystemFiles files;
  Watcher watcher;
  StoreHost host(files, "bench", ::getpid(), &watcher);
  Store store(host, settings_for(directory));
  const Bench bench{count};
  bench.measure("(make the messages)", count, [&] { make_messages(directory, count); });
  std::vector<std::uint32_t> all(count);
  std::iota(all.begin(), all.end(), 1U);
  std::shared_ptr<OpenMailbox> box;
  const auto open = [&] {
    box.reset();
    auto opened = store.open("INBOX");
    must(opened);
    box = *opened;
    must(box->sync(SyncRules()));
  };
  bench.measure("open, no list of UIDs, no index", count, open);
  must(box->rest());
  bench.measure("open, index warm", count, open);
  bench.measure("a session's view", count, [&] {
    const MailboxView view(*box->snapshot());
    check(view.size() == count, "all are there");
  });
  bench.measure("rows formatted as FETCH FLAGS", count, [&] { rows_out(*box); });
  FlagChange seen;
  seen.flags = flag::seen;
  bench.measure("STORE 1:* +FLAGS (\\Seen)", count, [&] { must(box->store_flags(all, seen)); });
  bench.measure("nothing to do: sync, view", count, [&] { must(box->sync(SyncRules())); });
  std::vector<std::pair<std::uint32_t, std::string>> values;
  for (const std::uint32_t uid : all) values.emplace_back(uid, std::string(400, 'e'));
  bench.measure("400 octets of envelope put", count, [&] {
    for (std::size_t i = 0; i < count; i += 1000)
      must(box->put_values(CachedValue::envelope,
                           std::span(values).subspan(i, std::min<std::size_t>(1000, count - i))));
  });
  std::size_t octets = 0;
  bench.measure("and got", count, [&] {
    must(box->values(CachedValue::envelope, all,
                     [&](std::uint32_t, std::string_view value) { octets += value.size(); }));
  });
  check(octets == count * 400, "all envelopes");
  const std::size_t texts = std::min<std::size_t>(count, 10000);
  bench.measure("whole messages (10 k at most)", texts, [&] {
    for (std::size_t i = 0; i < texts; ++i) must(box->text(all[i]));
  });
  must(store.create("Archive"));
  const auto archive = store.open("Archive").value();
  must(archive->sync(SyncRules()));
  const std::span<const std::uint32_t> half(all.data(), count / 2);
  bench.measure("COPY of half", half.size(), [&] { must(box->copy_to(*archive, half)); });
  bench.measure("MOVE of half", half.size(), [&] { must(box->move_to(*archive, half)); });
  ContentWriter writer;
  writer.append(std::string(4000, 'y') + "\n");
  AppendMessage message;
  message.body = std::make_shared<const Content>(writer.finish());
  bench.measure("APPEND x 100", 100, [&] {
    for (int i = 0; i < 100; ++i) must(box->append({message}));
  });
  bench.measure("EXPUNGE of the other half", count - count / 2,
                [&] { must(box->expunge(std::span(all).subspan(count / 2))); });
  must(box->rest());
  must(archive->rest());
  return 0;
}

}  // namespace posthorn::store::test
