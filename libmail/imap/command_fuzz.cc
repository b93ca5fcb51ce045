// What a stranger says to a server: cut anywhere it is the same command, and what the writers make of the values is read
// back as the same values.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "libmail/imap/append_command.h"

using namespace posthorn::imap;

namespace {

std::string play(std::string_view octets, std::size_t cut) {
  std::string log;
  LineReader reader(LineReader::Side::server, Limits::before_login(), 4096);
  AppendParser append((CommandDialect()));
  for (std::string_view input : {octets.substr(0, cut), octets.substr(cut)}) {
    for (bool more = true; more;) {
      switch (reader.read(input)) {
        case LineReader::Event::more:
          more = false;
          break;
        case LineReader::Event::literal: {
          const auto head = parse_command_head(reader.line().text);
          const bool streams = head && head->name == "APPEND" &&
                               append.announced(reader.line()) == AppendParser::Announced::message;
          if (streams)
            reader.stream();
          else if (head && head->name == "NOOP")
            reader.discard();
          else
            (void)reader.keep();
          break;
        }
        case LineReader::Event::part:
          log += reader.part();
          break;
        case LineReader::Event::line: {
          const Line line = reader.take_line();
          const auto command = parse_command(line);
          log += command ? command->tag : command.error().tag + command.error().text();
          append = AppendParser((CommandDialect()));
          break;
        }
        case LineReader::Event::dropped:
          log += "dropped";
          break;
        case LineReader::Event::error:
          log += text_of(reader.error());
          reader.give_up();
          break;
      }
    }
  }
  return log;
}

void round_trip(std::string_view text) {
  const auto command = parse_command(Line("a " + std::string(text)));
  if (!command) return;
  if (const auto* search = std::get_if<Search>(&command->body)) {
    Writer out;
    write_search_key(out, search->key);
    const std::string first = out.take();
    const Line line(first);
    Scanner in(line);
    const SearchKey again = scan_search_keys(in);
    write_search_key(out, again);
    if (!in.ok() || out.text() != first) std::abort();
  }
  if (const auto* fetch = std::get_if<Fetch>(&command->body)) {
    const std::string items = fetch_items_text(fetch->items);
    Scanner in(items);
    if (!(scan_fetch_items(in) == fetch->items) || !in.ok()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view octets(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::size_t cut = octets.empty() ? 0 : data[0] % (octets.size() + 1);
  if (play(octets, cut) != play(octets, octets.size())) std::abort();
  round_trip(octets);
  return 0;
}
