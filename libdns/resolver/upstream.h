// One question to the servers of one zone, until one of them says something useful.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "libdns/resolver/exchange.h"
#include "libdns/resolver/scrub.h"
#include "libdns/resolver/servers.h"
#include "libdns/resolver/work.h"
#include "libmail/async/event.h"

namespace posthorn::dns {

struct RecursorSettings;
struct RecursorStats;

// What to ask, and of whom.
struct Inquiry {
  Question question;
  Source source;
  std::vector<async::Endpoint> servers;
  bool priming = false;  // "NS ." of the root: see scrub_priming()
  Inquiry(Question q, Source s) : question(std::move(q)), source(std::move(s)) {}
};

struct Told {
  Scrubbed scrubbed;  // nothing useful: failed, lame or unusable
  ExtendedError why;  // then why, with the servers' names
  bool useful = false;
};

class Upstream {
 public:
  Upstream(Exchange& exchange, const RecursorSettings& settings, RecursorStats& stats);

  async::Task<Told> ask(Inquiry inquiry, Work& work);
  [[nodiscard]] const Servers& servers() const { return servers_; }

 private:
  struct Manner;  // of one try: transport, case, EDNS
  struct Heard;
  struct Flight;
  class Place;  // among those that wait for a zone's servers
  enum class Next : std::uint8_t { done, again };

  // One server; the same question that somebody else is asking it isn't sent twice.
  async::Task<Heard> hear(async::Endpoint server, const Inquiry& inquiry, Work& work);
  async::Task<Heard> try_server(async::Endpoint server, const Inquiry& inquiry, Work& work);
  async::Task<Heard> send(async::Endpoint server, const Inquiry& inquiry, Manner manner,
                          Work& work);
  Next look_at(Heard& heard, const async::Endpoint& server, Manner& manner);
  Next after_error(Heard& heard, const async::Endpoint& server, Manner& manner);
  // Notes the server's cookie; false if a reply that must have ours doesn't.
  bool check_cookie_of(const MessageView& reply, KnownServer& server);
  [[nodiscard]] std::string make_packet(const Inquiry& inquiry, const Manner& manner,
                                        const KnownServer& server) const;
  void judge(Told& told, const Heard& heard, const Inquiry& inquiry, const async::Endpoint& server);

  Exchange& exchange_;
  const RecursorSettings& settings_;
  RecursorStats& stats_;
  Servers servers_;
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;
  std::unordered_map<Name, std::size_t, NameHash> waiting_;
};

}  // namespace posthorn::dns
