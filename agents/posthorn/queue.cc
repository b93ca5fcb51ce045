// posthorn queue: what lies in the queue, and what is to become of it.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agents/posthorn/commands.h"
#include "agents/posthorn/queue_door.h"
#include "libmail/base/fd.h"
#include "libmail/base/text.h"

namespace posthorn::operate {

using nlohmann::json;
using service::OptionTable;
namespace exit_code = service::exit_code;

namespace {

constexpr std::size_t page = 1000;
constexpr std::size_t chunk = 64 * 1024;

using ToolResult = Result<int, ToolError>;

Result<void, IoError> to_standard_output(std::string_view octets) {
  if (!write_all(STDOUT_FILENO, octets)) return fail(io_error("write", "standard output"));
  return {};
}

Result<json, ToolError> parse(const std::string& text) {
  json value = json::parse(text, nullptr, false);
  if (value.is_discarded())
    return fail(ToolError(exit_code::software, "bad-answer", "queued's answer is no JSON"));
  return value;
}

// A text of a JSON object; "" if it is null or absent.
std::string text_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Which messages: --state, --from, --to.
struct Selection {
  queue::Filter filter;
  void describe(OptionTable& table) {
    table.group("Which messages");
    table.add("state", filter.state, "those in this state")
        .one_of({"", "active", "ready", "deferred", "held"});
    table.add("from", filter.from, "those of this sender; <> is the null path");
    table.add("to", filter.to, "those to this address, or to @DOMAIN");
  }
  [[nodiscard]] bool is_empty() const {
    return filter.state.empty() && filter.from.empty() && filter.to.empty();
  }
};

// Every message that is selected, page by page. Stops when `take` gives an error.
Result<std::size_t, ToolError> for_each(
    QueueDoor& door, queue::Filter filter,
    const std::function<Result<void, ToolError>(const json&)>& take) {
  std::size_t count = 0;
  filter.limit = page;
  for (;;) {
    const auto text = door.list(filter);
    if (!text) return fail(text.error());
    const auto value = parse(*text);
    if (!value) return fail(value.error());
    for (const json& message : (*value)["messages"]) {
      if (auto done = take(message); !done) return fail(done.error());
      ++count;
      if (const auto id = queue::MessageId::parse(text_at(message, "id"))) filter.after = *id;
    }
    if (!value->value("more", false)) return count;
  }
}

Result<std::vector<std::string>, ToolError> ids_of(QueueDoor& door, const queue::Filter& filter) {
  std::vector<std::string> ids;
  const auto collect = [&ids](const json& message) -> Result<void, ToolError> {
    ids.push_back(text_at(message, "id"));
    return {};
  };
  if (const auto count = for_each(door, filter, collect); !count) return fail(count.error());
  return ids;
}

// What a command on the queue has: the door, open.
class QueueCommand : public Tool {
 public:
  ToolResult run(const ToolCall& call) final {
    auto door = open_queue(call.site);
    if (!door) return fail(door.error());
    return run(call, **door);
  }

 protected:
  virtual ToolResult run(const ToolCall& call, QueueDoor& door) = 0;
};

class QueueList final : public QueueCommand {
 public:
  [[nodiscard]] std::string_view name() const override { return "queue list"; }
  [[nodiscard]] std::string_view words() const override { return ""; }
  [[nodiscard]] std::string_view purpose() const override {
    return "list the messages in the queue";
  }
  void describe(OptionTable& table) override { selection_.describe(table); }

 protected:
  ToolResult run(const ToolCall& call, QueueDoor& door) override {
    std::vector<std::vector<std::string>> rows = {
        {"ID", "STATE", "SIZE", "ARRIVAL", "FROM", "TO", "REASON"}};
    // Printed as they come: a million messages fit no memory.
    bool first = true;
    const auto take = [&](const json& message) -> Result<void, ToolError> {
      if (call.json) {
        fmt::print("{}{}", first ? "{\"messages\":[" : ",", message.dump());
        first = false;
        return {};
      }
      add_rows(message, rows);
      if (rows.size() < page) return {};
      fmt::print("{}", service::format_columns(rows));
      rows.clear();
      return {};
    };
    const auto count = for_each(door, selection_.filter, take);
    if (!count) return fail(count.error());
    if (call.json) fmt::print("{}]}}\n", first ? "{\"messages\":[" : "");
    if (!call.json && *count > 0) fmt::print("{}", service::format_columns(rows));
    return *count > 0 ? exit_code::ok : exit_code::failed;
  }

 private:
  // One line for each recipient that is still open.
  static void add_rows(const json& message, std::vector<std::vector<std::string>>& rows) {
    bool first = true;
    for (const json& to : message["recipients"]) {
      if (text_at(to, "status") != "pending") continue;
      std::vector<std::string> row = {"", "", "", "", "", text_at(to, "to"), text_at(to, "text")};
      if (first) {
        const std::string from = text_at(message, "from");
        row = {text_at(message, "id"),
               text_at(message, "state"),
               std::to_string(message.value("size", std::uint64_t{0})),
               text_at(message, "arrival"),
               from.empty() ? "<>" : from,
               text_at(to, "to"),
               text_at(to, "text")};
      }
      first = false;
      rows.push_back(std::move(row));
    }
  }
  Selection selection_;
};

// A command for messages that are named.
class ForMessages : public QueueCommand {
 public:
  [[nodiscard]] std::string_view words() const override { return "MESSAGE-ID..."; }

 protected:
  ToolResult run(const ToolCall& call, QueueDoor& door) override {
    if (call.words.empty())
      return fail(ToolError(exit_code::usage, "usage", "at least one message has to be named"));
    for (const std::string& id : call.words) {
      if (auto done = one(call, door, id); !done) return fail(done.error());
    }
    return exit_code::ok;
  }
  virtual Result<void, ToolError> one(const ToolCall& call, QueueDoor& door,
                                      const std::string& id) = 0;
};

class QueueShow final : public ForMessages {
 public:
  [[nodiscard]] std::string_view name() const override { return "queue show"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "show envelope and history of messages";
  }

 protected:
  Result<void, ToolError> one(const ToolCall& call, QueueDoor& door,
                              const std::string& id) override {
    const auto text = door.show(id);
    if (!text) return fail(text.error());
    if (call.json) {
      fmt::print("{}\n", trim(*text));
      return {};
    }
    const auto message = parse(*text);
    if (!message) return fail(message.error());
    std::vector<std::vector<std::string>> rows;
    for (const char* key : {"id", "trace_id", "from", "arrival", "state", "next", "hold_reason"}) {
      rows.push_back({key, text_at(*message, key)});
    }
    rows.push_back({"size", std::to_string(message->value("size", std::uint64_t{0}))});
    rows.push_back({"attempts", std::to_string(message->value("attempts", 0U))});
    fmt::print("{}", service::format_columns(rows));
    std::vector<std::vector<std::string>> recipients = {
        {"TO", "STATUS", "DSN", "LAST ATTEMPT", "RELAY", "TEXT"}};
    for (const json& to : (*message)["recipients"]) {
      recipients.push_back({text_at(to, "to"), text_at(to, "status"), text_at(to, "dsn"),
                            text_at(to, "last_attempt"), text_at(to, "relay"),
                            text_at(to, "text")});
    }
    fmt::print("{}", service::format_columns(recipients));
    return {};
  }
};

class QueueCat final : public ForMessages {
 public:
  [[nodiscard]] std::string_view name() const override { return "queue cat"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "print messages as they will be sent";
  }

 protected:
  Result<void, ToolError> one(const ToolCall&, QueueDoor& door, const std::string& id) override {
    return door.cat(id, to_standard_output);
  }
};

// hold, release, delete, requeue: messages that are named, or --all of a selection.
class QueueChange : public QueueCommand {
 public:
  QueueChange(std::string verb, std::string purpose)
      : verb_(std::move(verb)), name_("queue " + verb_), purpose_(std::move(purpose)) {}
  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] std::string_view words() const override { return "[MESSAGE-ID...]"; }
  [[nodiscard]] std::string_view purpose() const override { return purpose_; }
  void describe(OptionTable& table) override {
    if (verb_ == "hold") table.add("reason", reason_, "why, for who reads the list");
    selection_.describe(table);
    table.add("all", all_, "all messages of the selection, instead of those that are named")
        .flag_only();
  }

 protected:
  ToolResult run(const ToolCall& call, QueueDoor& door) override {
    std::vector<std::string> ids = call.words;
    if (all_ == !ids.empty()) {
      return fail(ToolError(exit_code::usage, "usage", "name messages, or say --all",
                            "posthorn " + name_ + " --help"));
    }
    if (!all_ && !selection_.is_empty()) {
      return fail(ToolError(exit_code::usage, "usage", "--state, --from and --to go with --all"));
    }
    if (all_) {
      auto selected = ids_of(door, selection_.filter);
      if (!selected) return fail(selected.error());
      ids = std::move(*selected);
    }
    std::size_t changed = 0;
    for (const std::string& id : ids) {
      const auto done = one(door, id);
      // Of all messages some may have gone in the meantime.
      if (!done && !(all_ && done.error().code == "not-found")) return fail(done.error());
      if (done) ++changed;
    }
    if (call.json) fmt::print("{}\n", json({{"messages", changed}}).dump());
    return changed == 0 ? exit_code::failed : exit_code::ok;
  }

 private:
  Result<void, ToolError> one(QueueDoor& door, const std::string& id) const {
    if (verb_ == "hold") return door.hold(id, reason_);
    const auto done = door.change(verb_, id);
    if (!done) return fail(done.error());
    return {};
  }

  std::string verb_;
  std::string name_;
  std::string purpose_;
  std::string reason_ = "by hand";
  bool all_ = false;
  Selection selection_;
};

class QueueFlush final : public QueueCommand {
 public:
  [[nodiscard]] std::string_view name() const override { return "queue flush"; }
  [[nodiscard]] std::string_view words() const override { return "[MESSAGE-ID...]"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "try deferred messages now, all or those named";
  }

 protected:
  ToolResult run(const ToolCall& call, QueueDoor& door) override {
    const std::vector<std::string> ids =
        call.words.empty() ? std::vector<std::string>{""} : call.words;
    std::size_t flushed = 0;
    for (const std::string& id : ids) {
      const auto done = door.change("flush", id);
      if (!done) return fail(done.error());
      flushed += *done;
    }
    if (call.json) fmt::print("{}\n", json({{"messages", flushed}}).dump());
    return exit_code::ok;
  }
};

class QueueExport final : public QueueCommand {
 public:
  [[nodiscard]] std::string_view name() const override { return "queue export"; }
  [[nodiscard]] std::string_view words() const override { return "[MESSAGE-ID...]"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "print messages as batch SMTP, all or those named; they stay in the queue";
  }

 protected:
  ToolResult run(const ToolCall& call, QueueDoor& door) override {
    std::vector<std::string> ids = call.words;
    if (ids.empty()) {
      auto all = ids_of(door, queue::Filter());
      if (!all) return fail(all.error());
      ids = std::move(*all);
    }
    for (const std::string& id : ids) {
      const auto done = door.export_to(id, to_standard_output);
      const bool has_gone = !done && call.words.empty() && done.error().code == "not-found";
      if (!done && !has_gone) return fail(done.error());
    }
    return ids.empty() ? exit_code::failed : exit_code::ok;
  }
};

class QueueImport final : public QueueCommand {
 public:
  [[nodiscard]] std::string_view name() const override { return "queue import"; }
  [[nodiscard]] std::string_view words() const override { return "[FILE]"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "take messages in from batch SMTP";
  }

 protected:
  ToolResult run(const ToolCall& call, QueueDoor& door) override {
    if (call.words.size() > 1)
      return fail(ToolError(exit_code::usage, "usage", "one file has to be named"));
    Fd file(::dup(STDIN_FILENO));
    if (!call.words.empty() && call.words.front() != "-") {
      file.reset(::open(call.words.front().c_str(), O_RDONLY | O_CLOEXEC));
      if (!file)
        return fail(ToolError(exit_code::data, "io", io_error("open", call.words.front()).text()));
    }
    const auto next = [&] {
      std::string octets(chunk, 0);
      const ssize_t count = ::read(file.get(), octets.data(), octets.size());
      octets.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
      return octets;
    };
    const auto ids = door.import_from(next);
    if (!ids) return fail(ids.error());
    if (call.json) {
      fmt::print("{}\n", json({{"ids", *ids}}).dump());
    } else {
      for (const std::string& id : *ids) fmt::print("{}\n", id);
    }
    return exit_code::ok;
  }
};

}  // namespace

void add_queue_commands(Tools& tools) {
  const auto add_change = [&](const char* verb, const char* purpose) {
    tools.push_back(std::make_unique<QueueChange>(verb, purpose));
  };
  tools.push_back(std::make_unique<QueueList>());
  tools.push_back(std::make_unique<QueueShow>());
  tools.push_back(std::make_unique<QueueCat>());
  add_change("hold", "keep messages in the queue without trying them");
  add_change("release", "try held messages again");
  tools.push_back(std::make_unique<QueueFlush>());
  add_change("delete", "throw messages away, without a report");
  add_change("requeue", "begin anew: expand recipients again, forget attempts");
  tools.push_back(std::make_unique<QueueExport>());
  tools.push_back(std::make_unique<QueueImport>());
}

}  // namespace posthorn::operate
