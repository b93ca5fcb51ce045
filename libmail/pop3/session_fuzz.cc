// Any client against the server core: what comes out is the same at two splits, and nothing is committed without QUIT.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "libmail/pop3/server.h"

using namespace posthorn::pop3;

namespace {

struct Drop final : Messages {
  std::string text = "Subject: x\n\n.a line\r\nbare\rcr\nlast";
  std::size_t count() const override { return 2; }
  std::uint64_t size(std::size_t) const override { return text.size(); }
  std::string_view uidl(std::size_t index) const override { return index == 0 ? "a" : "b"; }
};

struct Run {
  Drop drop;
  ServerCore core;
  std::string output;
  std::size_t begins = 0;

  explicit Run(const Settings& settings) : core(settings) {}
  void feed(std::string_view octets) {
    core.feed(octets);
    while (const auto event = core.next()) answer(*event);
    output += core.take_output();
  }
  void answer(const Event& event) {
    switch (event.kind) {
      case Event::Kind::login:
        return event.password == "p" ? core.logged_in(drop)
                                     : core.refused(code::authentication, "no");
      case Event::Kind::sasl_start:
        return event.initial ? core.logged_in(drop) : core.challenge("c");
      case Event::Kind::sasl_response:
        return event.data.empty() ? core.refused("", "no") : core.logged_in(drop);
      case Event::Kind::start_tls:
        output += core.take_output();
        return core.tls_started();
      case Event::Kind::retrieve:
        if (!core.message_begins(drop.text.substr(0, 9))) return;
        if (core.wants_parts()) core.message_part(drop.text.substr(9));
        return core.message_ends();
      case Event::Kind::commit:
        if (!core.in_transaction() || core.deleted().size() > 2) std::abort();
        return core.committed();
      case Event::Kind::sasl_cancel:
      case Event::Kind::close:
        return;
    }
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 2), size - 2);
  Settings settings;
  settings.plaintext = true;
  settings.can_stls = (data[0] & 1) != 0;
  settings.delete_after_retr = (data[0] & 2) != 0;
  settings.refuse_utf8 = (data[0] & 4) != 0;
  settings.mechanisms = {"PLAIN"};
  Run whole(settings);
  whole.feed(bytes);
  // STLS throws away what came with it, so splits matter there and only there.
  if (settings.can_stls) return 0;
  Run cut(settings);
  const std::size_t at = bytes.empty() ? 0 : data[1] % (bytes.size() + 1);
  cut.feed(bytes.substr(0, at));
  cut.feed(bytes.substr(at));
  if (cut.output != whole.output) std::abort();

  std::string wire, back;
  BodyEncoder encoder;
  encoder.append(bytes, wire);
  encoder.finish(wire);
  BodyDecoder decoder;
  if (decoder.feed(wire, back) != wire.size() || !decoder.ended()) std::abort();
  return 0;
}
